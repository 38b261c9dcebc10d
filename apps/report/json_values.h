// What reports write into JSON where a value may be undefined: null then, never 0.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "runtime/train/confidence.h"

namespace xrai {

inline nlohmann::ordered_json number_or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

/// [low, high].
inline nlohmann::ordered_json interval_json(const std::optional<Interval>& interval) {
  return interval ? nlohmann::ordered_json{interval->low, interval->high} : nlohmann::ordered_json(nullptr);
}

}  // namespace xrai
