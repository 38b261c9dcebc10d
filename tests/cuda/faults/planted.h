// The switch behind which scripts/plant_faults puts each fault: all of them are compiled once, and XRAI_FAULT says
// which one acts. Put in front of the files that get faults, in a copy of the tree; nothing of the project includes it.
#pragma once

#include <cstdlib>
#include <type_traits>

namespace xrai::faults {

inline bool chosen(int number) {
  static const int fault = std::getenv("XRAI_FAULT") != nullptr ? std::atoi(std::getenv("XRAI_FAULT")) : 0;
  return fault == number;
}
constexpr bool planted(int number) {
  return !std::is_constant_evaluated() && chosen(number);
}

}  // namespace xrai::faults

// What is wrong on purpose need not be free of warnings.
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
