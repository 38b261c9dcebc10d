// See canvas.h.
#include "apps/report/canvas.h"

#include <algorithm>
#include <array>

namespace xrai {

std::string_view hex_colour(Ink ink) {
  switch (ink) {
    case Ink::kPaper:
      return "#ffffff";
    case Ink::kText:
      return "#1b2027";
    case Ink::kMuted:
      return "#5b6673";
    case Ink::kGrid:
      return "#e1e6eb";
    case Ink::kBlue:
      return "#0072b2";
    case Ink::kVermillion:
      return "#d55e00";
    case Ink::kGreen:
      return "#009e73";
    case Ink::kOrange:
      return "#e69f00";
    case Ink::kPurple:
      return "#cc79a7";
    case Ink::kSky:
      return "#56b4e9";
  }
  return "#000000";
}

std::string_view ink_name(Ink ink) {
  constexpr std::array<std::string_view, 10> kNames = {"paper",      "text",  "muted",  "grid",   "blue",
                                                       "vermillion", "green", "orange", "purple", "sky"};
  return kNames[static_cast<std::size_t>(ink)];
}

Ink series_ink(std::size_t i) {
  constexpr std::array<Ink, 6> kSeries = {Ink::kBlue,   Ink::kVermillion, Ink::kGreen,
                                          Ink::kOrange, Ink::kPurple,     Ink::kSky};
  return kSeries[i % kSeries.size()];
}

double estimated_width(std::string_view text, double size) {
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return 0.56 * size * static_cast<double>(characters);
}

}  // namespace xrai
