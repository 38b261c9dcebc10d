// Text and bytes made safe to stand in HTML or SVG.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace xrai {

/// For text and for attribute values in either kind of quotes. Bytes that are not UTF-8 and control characters, which
/// file names may hold and documents may not, become U+FFFD.
std::string html_escape(std::string_view text);

/// RFC 4648, section 4, with padding.
std::string base64(std::span<const std::uint8_t> bytes);

}  // namespace xrai
