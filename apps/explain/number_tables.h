// The corner of every step as numbers, small enough to be checked by hand.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "apps/explain/filter_steps.h"
#include "apps/explain/filter_words.h"

namespace xrai {

/// Where the numbers are taken from: row and column of the convolved map, both even, so that pooling windows are whole.
struct TablePlace {
  std::int64_t row = 0, column = 0;
};

/// "40,52", rounded down to even numbers. Throws Error(kUsage).
TablePlace table_place(const std::string& text);

/// What is shown of each step, so that each table is all that the next one needs: 2 x 2 pooled values, the 4 x 4
/// convolved ones under them, and the pixels under those. Less where a map is smaller. Throws Error(kUsage) for a place
/// that is not on the maps.
struct NumberTables {
  TablePlace place;
  ValueMap picture, kernel, convolved, pooled;
};
NumberTables number_tables(const FilterSteps& steps, const FilterKernel& kernel, const TablePlace& place);

/// The tables one below the other, and the sum behind the first convolved number.
std::string tables_text(const NumberTables& tables, PoolingKind pooling, const FilterWords& words);
/// {"row", "column", "picture", "kernel", "convolved", "pooled"}, rows of numbers.
nlohmann::ordered_json tables_json(const NumberTables& tables);

}  // namespace xrai
