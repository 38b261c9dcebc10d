#include "apps/explain/number_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::int64_t kPooledShown = 2;
constexpr std::size_t kMostTerms = 25;  // of a sum that is written out

std::int64_t number_in(std::string_view text, const std::string& whole) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    throw Error(ExitCode::kUsage, fmt::format("--at {}: give row and column of a pixel, such as 40,52", whole));
  return number;
}

ValueMap part_of(const ValueMap& map, std::int64_t row, std::int64_t column, std::int64_t height, std::int64_t width) {
  ValueMap part{std::min(height, map.height - row), std::min(width, map.width - column), {}};
  for (std::int64_t y = 0; y < part.height; ++y)
    for (std::int64_t x = 0; x < part.width; ++x) part.values.push_back(map.at(row + y, column + x));
  return part;
}

// As few digits as tell the values apart: whole numbers stay whole.
std::string number_text(float value, int decimals) {
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  return text.find_first_not_of("-0.") == std::string::npos && text.starts_with('-') ? text.substr(1) : text;
}

int decimals_of(const ValueMap& map) {
  const bool whole = std::all_of(map.values.begin(), map.values.end(), [](float v) { return v == std::round(v); });
  return whole ? 0 : 2;
}

std::string table(const std::string& title, const ValueMap& map, int decimals) {
  std::size_t width = 0;
  for (const float value : map.values) width = std::max(width, number_text(value, decimals).size());
  std::string text = title + "\n";
  for (std::int64_t y = 0; y < map.height; ++y) {
    for (std::int64_t x = 0; x < map.width; ++x)
      text += fmt::format("  {:>{}}", number_text(map.at(y, x), decimals), width);
    text += "\n";
  }
  return text + "\n";
}

// "-1 x 12 + 8 x 40 ... = 17".
std::string first_sum(const NumberTables& tables, const FilterWords& words) {
  if (tables.kernel.values.size() > kMostTerms) return {};
  std::string sum;
  for (std::int64_t y = 0; y < tables.kernel.height; ++y)
    for (std::int64_t x = 0; x < tables.kernel.width; ++x)
      sum += fmt::format("{}{} x {}", sum.empty() ? "" : " + ", weight_text(tables.kernel.at(y, x)),
                         number_text(tables.picture.at(y, x), 0));
  return fmt::format("{}{} = {}\n\n", words.first_sum, sum,
                     number_text(tables.convolved.at(0, 0), decimals_of(tables.convolved)));
}

nlohmann::ordered_json rows_json(const ValueMap& map) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::int64_t y = 0; y < map.height; ++y) {
    const auto first = map.values.begin() + static_cast<std::ptrdiff_t>(y * map.width);
    rows.push_back(std::vector<float>(first, first + static_cast<std::ptrdiff_t>(map.width)));
  }
  return rows;
}

}  // namespace

TablePlace table_place(const std::string& text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string::npos)
    throw Error(ExitCode::kUsage, fmt::format("--at {}: give row and column of a pixel, such as 40,52", text));
  const std::int64_t row = number_in(std::string_view(text).substr(0, comma), text);
  const std::int64_t column = number_in(std::string_view(text).substr(comma + 1), text);
  return {row / kPoolingSide * kPoolingSide, column / kPoolingSide * kPoolingSide};
}

NumberTables number_tables(const FilterSteps& steps, const FilterKernel& kernel, const TablePlace& place) {
  const std::int64_t pooled_row = place.row / kPoolingSide, pooled_column = place.column / kPoolingSide;
  if (pooled_row >= steps.pooled.height || pooled_column >= steps.pooled.width)
    throw Error(ExitCode::kUsage,
                fmt::format("--at {},{} is not on the result, whose last place is {},{}", place.row, place.column,
                            kPoolingSide * (steps.pooled.height - 1), kPoolingSide * (steps.pooled.width - 1)));
  NumberTables tables{place, {}, {kernel.height, kernel.width, kernel.weights}, {}, {}};
  tables.pooled = part_of(steps.pooled, pooled_row, pooled_column, kPooledShown, kPooledShown);
  tables.convolved = part_of(steps.convolved, place.row, place.column, kPoolingSide * tables.pooled.height,
                             kPoolingSide * tables.pooled.width);
  tables.picture = part_of(steps.picture, place.row, place.column, tables.convolved.height + kernel.height - 1,
                           tables.convolved.width + kernel.width - 1);
  return tables;
}

std::string tables_text(const NumberTables& tables, PoolingKind pooling, const FilterWords& words) {
  const int decimals = decimals_of(tables.convolved);
  const auto placed = [&](const std::string& title) {
    return fmt::format(fmt::runtime(title), tables.place.row, tables.place.column);
  };
  return table(placed(words.picture_table), tables.picture, 0) +
         table(words.filter_table, tables.kernel, decimals_of(tables.kernel)) +
         table(placed(words.convolution_table), tables.convolved, decimals) + first_sum(tables, words) +
         table(pooling == PoolingKind::kMax ? words.largest : words.mean, tables.pooled,
               std::max(decimals, decimals_of(tables.pooled)));
}

nlohmann::ordered_json tables_json(const NumberTables& tables) {
  return {{"row", tables.place.row},
          {"column", tables.place.column},
          {"picture", rows_json(tables.picture)},
          {"kernel", rows_json(tables.kernel)},
          {"convolved", rows_json(tables.convolved)},
          {"pooled", rows_json(tables.pooled)}};
}

}  // namespace xrai
