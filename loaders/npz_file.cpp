// ZIP: PKWARE's APPNOTE.TXT 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16. NPY: NumPy Enhancement Proposal 1.
#include "loaders/npz_file.h"

#include <libdeflate.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>

#include "loaders/file_reading.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t kInflateLimit = 1100;  // deflate reaches at most 1032 : 1

class Npz {
 public:
  explicit Npz(const std::filesystem::path& path) : path_(path) {
    try {
      bytes_ = read_file_bytes(path);
    } catch (const Error& error) {
      refuse(error.what());
    }
  }
  [[nodiscard]] std::map<std::string, NpyArray> arrays() const;

 private:
  struct Member {
    std::string name;
    std::uint64_t method = 0, stored_bytes = 0, bytes = 0, header_at = 0;
  };
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ExitCode::kBadData, fmt::format("{} cannot be used: {}", path_.string(), why));
  }
  [[noreturn]] void refuse_damage() const { refuse("it is cut or damaged; copy or make it again"); }

  [[nodiscard]] Bytes at(std::uint64_t first, std::uint64_t n) const {
    if (first > bytes_.size() || n > bytes_.size() - first) refuse_damage();
    return Bytes(bytes_).subspan(first, n);
  }
  /// Little-endian.
  [[nodiscard]] std::uint64_t number(std::uint64_t first, std::uint64_t n) const {
    std::uint64_t value = 0;
    const Bytes bytes = at(first, n);
    for (std::size_t i = n; i-- > 0;) value = value << 8 | bytes[i];
    return value;
  }
  [[nodiscard]] std::vector<Member> members() const;
  [[nodiscard]] std::vector<std::uint8_t> content(const Member& member) const;
  [[nodiscard]] std::optional<NpyArray> array(const Member& member) const;

  std::filesystem::path path_;
  std::vector<std::uint8_t> bytes_;
};

std::vector<Npz::Member> Npz::members() const {
  constexpr std::uint64_t kEndBytes = 22, kLongestComment = 65535;
  constexpr char kEnd[] = {'P', 'K', 5, 6}, kEntry[] = {'P', 'K', 1, 2};
  if (bytes_.size() < kEndBytes || std::memcmp(bytes_.data(), "PK", 2) != 0) refuse("it is no .npz file of NumPy");
  const std::uint64_t last = bytes_.size() - kEndBytes;
  std::uint64_t end = last;
  while (std::memcmp(bytes_.data() + end, kEnd, sizeof kEnd) != 0) {
    if (end == 0 || last - end == kLongestComment) refuse_damage();
    --end;
  }
  std::uint64_t place = number(end + 16, 4);
  std::vector<Member> members;
  for (std::uint64_t left = number(end + 10, 2); left > 0; --left) {
    if (std::memcmp(at(place, 46).data(), kEntry, sizeof kEntry) != 0) refuse_damage();
    const std::uint64_t name_bytes = number(place + 28, 2);
    const Bytes name = at(place + 46, name_bytes);
    members.push_back({std::string(name.begin(), name.end()), number(place + 10, 2), number(place + 20, 4),
                       number(place + 24, 4), number(place + 42, 4)});
    place += 46 + name_bytes + number(place + 30, 2) + number(place + 32, 2);
  }
  return members;
}

std::vector<std::uint8_t> Npz::content(const Member& member) const {
  constexpr std::uint64_t kStored = 0, kDeflated = 8, kIn64Bits = 0xFFFFFFFF;
  if (member.stored_bytes == kIn64Bits || member.bytes == kIn64Bits || member.header_at == kIn64Bits) {
    refuse(fmt::format("{} has more than 4 GiB; write it to an HDF5 file with h5py", member.name));
  }
  const std::uint64_t first =
      member.header_at + 30 + number(member.header_at + 26, 2) + number(member.header_at + 28, 2);
  const Bytes stored = at(first, member.stored_bytes);
  if (member.method == kStored) return {stored.begin(), stored.end()};
  if (member.method != kDeflated) refuse(fmt::format("{} is compressed by method {}", member.name, member.method));
  if (member.bytes > stored.size() * kInflateLimit) refuse_damage();
  std::vector<std::uint8_t> content(member.bytes);
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflate(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (!inflate) throw std::bad_alloc();
  const libdeflate_result result = libdeflate_deflate_decompress(inflate.get(), stored.data(), stored.size(),
                                                                 content.data(), content.size(), nullptr);
  if (result != LIBDEFLATE_SUCCESS) refuse_damage();
  return content;
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

std::optional<NpyArray> Npz::array(const Member& member) const {
  const std::vector<std::uint8_t> content = this->content(member);
  if (content.size() < 12 || std::memcmp(content.data(), "\x93NUMPY", 6) != 0) return std::nullopt;
  const bool first_version = content[6] == 1;
  const std::size_t begin = first_version ? 10 : 12;
  std::size_t header_bytes = content[8] | content[9] << 8;
  if (!first_version)
    header_bytes |= static_cast<std::size_t>(content[10]) << 16 | static_cast<std::size_t>(content[11]) << 24;
  if (header_bytes > content.size() - begin) refuse_damage();
  const std::string_view header(reinterpret_cast<const char*>(content.data()) + begin, header_bytes);
  NpyArray array;
  read_type(value_of(header, "descr"), array.info);
  array.info.shape = read_shape(value_of(header, "shape"));
  if (array.info.type == hdf5::Type::kOther || array.info.shape.empty()) return std::nullopt;
  if (value_of(header, "fortran_order").starts_with("True")) {
    refuse(fmt::format("{} is in Fortran's order; write it with numpy.ascontiguousarray", member.name));
  }
  std::uint64_t left = (content.size() - begin - header_bytes) / array.info.element_bytes;
  for (const std::uint64_t axis : array.info.shape) left = axis == 0 ? 0 : left / axis;
  if (left == 0)
    refuse(fmt::format("{} has fewer values than its shape ({}) says", member.name, fmt::join(array.info.shape, ", ")));
  const auto* const values = reinterpret_cast<const std::byte*>(content.data()) + begin + header_bytes;
  array.values.assign(values, values + array.info.row_bytes() * array.info.shape[0]);
  array.info.stored_bytes = array.values.size();
  return array;
}

std::map<std::string, NpyArray> Npz::arrays() const {
  std::map<std::string, NpyArray> arrays;
  for (const Member& member : members()) {
    if (!member.name.ends_with(".npy")) continue;
    if (auto found = array(member)) arrays.emplace(member.name.substr(0, member.name.size() - 4), std::move(*found));
  }
  return arrays;
}

}  // namespace

std::map<std::string, NpyArray> read_npz(const std::filesystem::path& path) {
  return Npz(path).arrays();
}

}  // namespace xrai
