// Bytes of files that are read whole: pictures, tables, archives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace xrai {

/// Whole file; Error(kBadData, reason) with the reason as the sentence, without the file's name.
std::vector<std::uint8_t> read_file_bytes(const std::filesystem::path& path);

/// content_hash of at most 512 bytes in the middle of the file; nothing when they cannot be read.
std::optional<std::uint64_t> middle_hash(const std::filesystem::path& path);

}  // namespace xrai
