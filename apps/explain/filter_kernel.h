// The filters of xrai_explain: by name, or written out as numbers. What is done with one is not known here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xrai {

/// The longest side of a filter: more numbers than people can look at.
inline constexpr std::int64_t kLongestFilterSide = 31;

struct FilterKernel {
  std::string name;  // "edge"; of numbers written out: "own"
  std::int64_t height = 0, width = 0;
  std::vector<float> weights;  // (height, width), row by row

  /// What an even grey is multiplied with: 0 for a filter that answers to differences alone.
  [[nodiscard]] double sum() const;
};

/// "edge", "sharpen", "blur", "sobel-x", "sobel-y", "emboss": all 3 x 3.
std::vector<std::string> filter_names();

/// A name, or rows of numbers: commas between numbers, semicolons between rows, "-1,0,1;-2,0,2", fractions as "1/9".
/// Any height and width up to kLongestFilterSide. Throws Error(kUsage) saying which row or word is wrong.
FilterKernel find_filter_kernel(const std::string& name_or_numbers);

/// What find_filter_kernel would complain about, or nothing: for Option::check.
std::string filter_complaint(const std::string& name_or_numbers);

/// A weight as it is drawn and printed: "8", "-0.5", "0.111".
std::string weight_text(float weight);

}  // namespace xrai
