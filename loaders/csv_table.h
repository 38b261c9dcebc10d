// A CSV file (RFC 4180) with a header, whole in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/object_name.h"

namespace xrai {

struct CsvTable {
  std::filesystem::path path;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // as many fields as the header has

  /// Place of a column; the case of its name does not matter.
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
  /// The first whose name says that it is of this role: "Patient ID" of groups.
  [[nodiscard]] std::optional<std::size_t> column(Role role) const;
  /// Values of a column: in the order of `ids`, which some other column holds, either with or without folders and the
  /// extension of a picture; without ids, of all rows, which must be n. Throws Error(kBadData) for what is missing.
  [[nodiscard]] std::vector<std::string> values(std::size_t column, std::span<const std::string> ids,
                                                std::int64_t n) const;
};

/// Fields are separated by commas, semicolons or tabs, whichever the header has most of; blanks around them are left
/// out. Throws Error(kBadData) when it cannot be read, is larger than 256 MiB, or a row has more or fewer fields than
/// the header.
CsvTable read_csv_table(const std::filesystem::path& path);

}  // namespace xrai
