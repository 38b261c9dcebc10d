#include "loaders/csv_table.h"

#include <algorithm>
#include <array>
#include <map>

#include "loaders/file_reading.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::uintmax_t kMostBytes = std::uintmax_t{256} << 20;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Error(ExitCode::kBadData, fmt::format("{} cannot be used: {}", path.string(), why));
}

/// Blanks around a field that has no quotes say nothing.
void trim(std::string& field) {
  field.erase(std::min(field.find_last_not_of(" \t") + 1, field.size()));
  field.erase(0, std::min(field.find_first_not_of(" \t"), field.size()));
}

/// Fields of the row that begins at `at`, which moves behind it.
std::vector<std::string> next_row(std::string_view text, char separator, std::size_t& at) {
  std::vector<std::string> fields(1);
  bool quoted = false, was_quoted = false;
  const auto end_field = [&] {
    if (!was_quoted) trim(fields.back());
    was_quoted = false;
  };
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        fields.back() += text[at++];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      trim(fields.back());
      quoted = was_quoted = true;
    } else if (c == separator) {
      end_field();
      fields.emplace_back();
    } else if (c == '\n') {
      ++at;
      break;
    } else if (c != '\r' && !(was_quoted && (c == ' ' || c == '\t'))) {
      fields.back() += c;
    }
  }
  end_field();
  return fields;
}

/// What most often stands in the first line: a comma, a semicolon where that is the decimal point, or a tab.
char separator_of(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const auto count = [&](char c) { return std::count(line.begin(), line.end(), c); };
  if (count(';') > count(',') && count(';') >= count('\t')) return ';';
  return count('\t') > count(',') ? '\t' : ',';
}

/// "p0" of "train/p0.jpg"; what stands behind the points of other names (1.2.840.10008) is no extension.
std::string stem(std::string_view name) {
  constexpr std::array<std::string_view, 9> kPictures{".jpg", ".jpeg", ".png", ".dcm", ".dicom",
                                                      ".tif", ".tiff", ".bmp", ".gif"};
  const std::filesystem::path path(name);
  const std::string extension = lower_case(path.extension().string());
  const bool is_picture = std::find(kPictures.begin(), kPictures.end(), extension) != kPictures.end();
  return (is_picture ? path.stem() : path.filename()).string();
}

}  // namespace

std::optional<std::size_t> CsvTable::column(std::string_view name) const {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (lower_case(header[i]) == lower_case(name)) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> CsvTable::column(Role role) const {
  for (std::size_t i = 0; i < header.size(); ++i) {
    const ObjectName name = parse_object_name(header[i]);
    if (name.role == role && name.rest_without_id().empty()) return i;
  }
  return std::nullopt;
}

std::vector<std::string> CsvTable::values(std::size_t column, std::span<const std::string> ids, std::int64_t n) const {
  std::vector<std::string> found;
  if (ids.empty()) {
    if (static_cast<std::int64_t>(rows.size()) != n) {
      refuse(path, fmt::format("it has {} rows for {} pictures", rows.size(), n));
    }
    for (const auto& row : rows) found.push_back(row[column]);
    return found;
  }
  const auto same = [&](const std::string& field) { return field == ids[0] || stem(field) == stem(ids[0]); };
  std::size_t id_column = 0;
  while (id_column < header.size() &&
         std::none_of(rows.begin(), rows.end(), [&](const auto& row) { return same(row[id_column]); })) {
    ++id_column;
  }
  if (id_column == header.size()) refuse(path, fmt::format("no column has the picture {}", ids[0]));
  std::map<std::string_view, std::size_t> row_of;
  for (std::size_t row = 0; row < rows.size(); ++row) row_of.emplace(rows[row][id_column], row);
  std::map<std::string, std::size_t> row_of_stem;
  for (const auto& [id, row] : row_of) row_of_stem.emplace(stem(id), row);
  for (const std::string& id : ids) {
    const auto exact = row_of.find(id);
    const auto by_stem = row_of_stem.find(stem(id));
    if (exact == row_of.end() && by_stem == row_of_stem.end()) refuse(path, fmt::format("it has no row for {}", id));
    found.push_back(rows[exact != row_of.end() ? exact->second : by_stem->second][column]);
  }
  return found;
}

CsvTable read_csv_table(const std::filesystem::path& path) {
  std::error_code unknown;
  if (std::filesystem::file_size(path, unknown) > kMostBytes && !unknown) refuse(path, "it has more than 256 MiB");
  CsvTable table;
  table.path = path;
  std::vector<std::uint8_t> bytes;
  try {
    bytes = read_file_bytes(path);
  } catch (const Error& error) {
    refuse(path, error.what());
  }
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::size_t at = 0;
  const char separator = separator_of(text);
  table.header = next_row(text, separator, at);
  while (at < text.size()) {
    std::vector<std::string> row = next_row(text, separator, at);
    if (row.size() == 1 && row[0].empty()) continue;
    if (row.size() != table.header.size()) {
      refuse(path, fmt::format("row {} has {} fields, the header {}", table.rows.size() + 1, row.size(),
                               table.header.size()));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace xrai
