// Results for scripts: one JSON document on standard output, and nothing else there.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace xrai {

/// The same document with every NaN and infinity replaced by null: JSON knows neither, and Python's reader would take
/// words that no other reader takes.
nlohmann::ordered_json finite_json(nlohmann::ordered_json value);

/// Text with two spaces of indentation. Bytes that are not UTF-8 (file names may hold any) become U+FFFD.
std::string json_text(const nlohmann::ordered_json& value);

/// Writes json_text and a newline to standard output.
void print_json(const nlohmann::ordered_json& value);

}  // namespace xrai
