#include "apps/explain/filter_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>

#include "apps/support/nearest.h"
#include "apps/support/option.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

struct NamedFilter {
  const char* name;
  const char* numbers;
};

// The edge detector is the negative of the Laplacian over eight neighbours; sharpen adds one over four to the picture;
// sobel-x answers to brightness that rises to the right, sobel-y to the bottom (Sobel and Feldman, 1968).
constexpr NamedFilter kNamed[] = {{"edge", "-1,-1,-1;-1,8,-1;-1,-1,-1"},
                                  {"sharpen", "0,-1,0;-1,5,-1;0,-1,0"},
                                  {"blur", "1/9,1/9,1/9;1/9,1/9,1/9;1/9,1/9,1/9"},
                                  {"sobel-x", "-1,0,1;-2,0,2;-1,0,1"},
                                  {"sobel-y", "-1,-2,-1;0,0,0;1,2,1"},
                                  {"emboss", "-2,-1,0;-1,1,1;0,1,2"}};

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string_view without_spaces_around(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

std::optional<double> plain_number(std::string_view text) {
  text = without_spaces_around(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<double> number_or_fraction(std::string_view text) {
  const std::size_t bar = text.find('/');
  if (bar == std::string_view::npos) return plain_number(text);
  const auto above = plain_number(text.substr(0, bar)), below = plain_number(text.substr(bar + 1));
  if (!above || !below || *below == 0) return std::nullopt;
  return *above / *below;
}

std::vector<float> numbers_of_row(std::string_view row, std::size_t place) {
  std::vector<float> numbers;
  for (const std::string_view word : parts_of(row, ',')) {
    const auto number = number_or_fraction(word);
    if (!number || !std::isfinite(static_cast<float>(*number)))
      throw Error(ExitCode::kUsage, fmt::format("'{}' in row {} of the filter is no number; write a filter like "
                                                "\"0,-1,0;-1,5,-1;0,-1,0\", with 1/9 for a ninth",
                                                shortened(without_spaces_around(word)), place));
    numbers.push_back(static_cast<float>(*number));
  }
  return numbers;
}

FilterKernel kernel_of_numbers(std::string name, std::string_view text) {
  FilterKernel kernel{std::move(name), 0, 0, {}};
  for (const std::string_view row : parts_of(text, ';')) {
    const std::vector<float> numbers = numbers_of_row(row, static_cast<std::size_t>(++kernel.height));
    const auto length = static_cast<std::int64_t>(numbers.size());
    if (kernel.height == 1) kernel.width = length;
    if (length != kernel.width)
      throw Error(ExitCode::kUsage, fmt::format("row {} of the filter is {} long and row 1 is {}; every row of a "
                                                "filter is equally long",
                                                kernel.height, length, kernel.width));
    kernel.weights.insert(kernel.weights.end(), numbers.begin(), numbers.end());
  }
  if (std::max(kernel.height, kernel.width) > kLongestFilterSide)
    throw Error(ExitCode::kUsage, fmt::format("a filter of {} x {} is too large; at most {} x {} numbers are taken",
                                              kernel.height, kernel.width, kLongestFilterSide, kLongestFilterSide));
  return kernel;
}

}  // namespace

double FilterKernel::sum() const {
  return std::accumulate(weights.begin(), weights.end(), 0.0);
}

std::vector<std::string> filter_names() {
  std::vector<std::string> names;
  for (const NamedFilter& filter : kNamed) names.emplace_back(filter.name);
  return names;
}

FilterKernel find_filter_kernel(const std::string& name_or_numbers) {
  for (const NamedFilter& filter : kNamed)
    if (name_or_numbers == filter.name) return kernel_of_numbers(filter.name, filter.numbers);
  const bool has_digits =
      std::any_of(name_or_numbers.begin(), name_or_numbers.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (has_digits) return kernel_of_numbers("own", name_or_numbers);
  const auto meant = nearest(name_or_numbers, filter_names());
  throw Error(ExitCode::kUsage,
              fmt::format("there is no filter '{}'{}; there are {}, or numbers such as \"0,-1,0;-1,5,-1;0,-1,0\"",
                          shortened(name_or_numbers), meant ? fmt::format("; did you mean {}?", *meant) : "",
                          fmt::join(filter_names(), ", ")));
}

std::string filter_complaint(const std::string& name_or_numbers) {
  try {
    (void)find_filter_kernel(name_or_numbers);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

std::string weight_text(float weight) {
  const std::string text = fmt::format("{:.3g}", weight);
  return text == "-0" ? "0" : text;
}

}  // namespace xrai
