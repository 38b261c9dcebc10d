// "Did you mean": the known word closest to a mistyped one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xrai {

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string
/// alignment distance).
int edit_distance(std::string_view from, std::string_view to);

/// The closest of `known`; nothing when all are so far that naming one would puzzle more than help.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

/// "a, b or c"; for sentences.
std::string one_of(const std::vector<std::string>& words);

}  // namespace xrai
