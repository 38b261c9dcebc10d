// NPY: NumPy Enhancement Proposal 1.
#include "loaders/npz_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr std::uint64_t kLongestHeader = 10000;  // NumPy itself refuses longer ones

[[noreturn]] void refuse_array(const std::string& why) {
  throw Error(ExitCode::kBadData, why);
}

/// The text behind "'key': " in a header, which is a Python dictionary; empty when it has no such key.
std::string_view value_of(std::string_view header, std::string_view key) {
  const std::size_t found = header.find(fmt::format("'{}':", key));
  if (found == std::string_view::npos) return {};
  header.remove_prefix(found + key.size() + 3);
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

/// "'<f4', ..." is little-endian float32. Strings, structures and others are kOther.
void read_type(std::string_view descr, hdf5::DatasetInfo& info) {
  struct Code {
    std::string_view text;
    hdf5::Type type;
  };
  using enum hdf5::Type;
  static constexpr Code kCodes[] = {{"b1", kUint8},  {"i1", kInt8},    {"u1", kUint8},   {"i2", kInt16},
                                    {"u2", kUint16}, {"i4", kInt32},   {"u4", kUint32},  {"i8", kInt64},
                                    {"u8", kUint64}, {"f2", kFloat16}, {"f4", kFloat32}, {"f8", kFloat64}};
  if (descr.size() < 5 || descr[0] != '\'') return;
  info.big_endian = descr[1] == '>';
  for (const Code& code : kCodes) {
    if (descr.substr(2, 3) == std::string(code.text) + "'") info.type = code.type;
  }
  info.element_bytes = hdf5::element_bytes(info.type);
}

std::vector<std::uint64_t> read_shape(std::string_view text) {
  std::vector<std::uint64_t> shape;
  for (std::size_t i = 1; i < text.size() && text[0] == '(' && text[i] != ')'; ++i) {
    std::uint64_t axis = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), axis);
    if (error != std::errc()) continue;  // a comma or a space
    shape.push_back(axis);
    i = static_cast<std::size_t>(end - text.data()) - 1;
  }
  return shape;
}

}  // namespace

NpyArray::NpyArray(std::unique_ptr<ZipMember> member) : member_(std::move(member)) {
  std::array<std::byte, 12> start{};
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint64_t>(start[i]); };
  if (member_->size() >= start.size()) member_->read(0, start);
  if (std::memcmp(start.data(), "\x93NUMPY", 6) != 0) refuse_array("it is not in NumPy's format");
  const bool first_version = byte(6) == 1;
  std::uint64_t header_bytes = byte(8) | byte(9) << 8;
  if (!first_version) header_bytes |= byte(10) << 16 | byte(11) << 24;
  if (header_bytes > kLongestHeader) refuse_array("its header is damaged");
  std::string header(header_bytes, '\0');
  const std::uint64_t header_at = first_version ? 10 : 12;
  values_at_ = header_at + header_bytes;
  member_->read(header_at, std::as_writable_bytes(std::span(header)));

  read_type(value_of(header, "descr"), info_);
  info_.shape = read_shape(value_of(header, "shape"));
  if (info_.type == hdf5::Type::kOther || info_.shape.empty()) refuse_array("it is not an array of numbers");
  if (value_of(header, "fortran_order").starts_with("True")) {
    refuse_array("it is in Fortran's order; write it with numpy.ascontiguousarray");
  }
  std::uint64_t left = (member_->size() - values_at_) / info_.element_bytes;
  for (const std::uint64_t axis : info_.shape) left = axis == 0 ? 0 : left / axis;
  if (left == 0)
    refuse_array(fmt::format("it has fewer values than its shape ({}) says", fmt::join(info_.shape, ", ")));
  info_.stored_bytes = info_.shape[0] * info_.row_bytes();
}

void NpyArray::read_rows(std::uint64_t first, std::uint64_t count, std::byte* out) {
  const std::uint64_t row_bytes = info_.row_bytes();
  member_->read(values_at_ + first * row_bytes, {out, count * row_bytes});
}

NpzFile::NpzFile(std::filesystem::path path) : path_(std::move(path)) {
  for (ZipEntry& entry : zip_entries(path_)) {
    if (!entry.name.ends_with(kSuffix)) continue;
    std::string name = entry.name.substr(0, entry.name.size() - kSuffix.size());
    entries_.insert_or_assign(std::move(name), std::move(entry));  // of two the last one, as NumPy does
  }
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

NpyArray NpzFile::open(const std::string& name) const {
  try {
    return NpyArray(std::make_unique<ZipMember>(path_, entries_.at(name)));
  } catch (const Error& error) {
    refuse_array(fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace xrai
