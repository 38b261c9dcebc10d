// One field of a line of comma-separated values.
#pragma once

#include <string>

namespace xrai {

/// As RFC 4180 quotes it, where it must be.
std::string csv_field(const std::string& text);

}  // namespace xrai
