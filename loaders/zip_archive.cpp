// PKWARE's APPNOTE.TXT 6.3.3: sections 4.3.7 (what stands before a member), 4.3.12 (the directory), 4.3.14 to 4.3.16
// (its end, and that of archives with 64-bit numbers) and 4.5.3 (such numbers of a member).
#include "loaders/zip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::uint64_t kStored = 0, kDeflated = 8;
constexpr std::uint64_t kElsewhere16 = 0xFFFF, kElsewhere32 = 0xFFFFFFFF;  // the number stands in a 64-bit field
constexpr std::uint64_t kMostInflation = 1033;                             // deflate reaches at most 1032 : 1
constexpr std::uint64_t kLargestDirectory = std::uint64_t{64} << 20;       // half a million arrays
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

[[noreturn]] void refuse_archive(const std::string& why) {
  throw Error(ExitCode::kBadData, why);
}

[[noreturn]] void refuse_damaged_archive() {
  refuse_archive("it is cut or damaged; copy or make it again");
}

using ZipBytes = std::span<const std::byte>;

ZipBytes part(ZipBytes bytes, std::uint64_t first, std::uint64_t n) {
  if (first > bytes.size() || n > bytes.size() - first) refuse_damaged_archive();
  return bytes.subspan(first, n);
}

/// Little-endian, of `n` bytes.
std::uint64_t number(ZipBytes bytes, std::uint64_t first, std::uint64_t n) {
  std::uint64_t value = 0;
  const ZipBytes digits = part(bytes, first, n);
  for (std::size_t i = n; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(digits[i]);
  return value;
}

bool has_mark(ZipBytes bytes, std::uint64_t at, const char (&mark)[5]) {
  return std::memcmp(part(bytes, at, 4).data(), mark, 4) == 0;
}

class ZipFile {
 public:
  explicit ZipFile(const std::filesystem::path& path) : stream_(path, std::ios::binary) {
    std::error_code error;
    if (stream_.is_open() && std::filesystem::is_regular_file(path, error)) {
      size_ = std::filesystem::file_size(path, error);
    } else {
      refuse_archive(
          fmt::format("it cannot be opened: {}", stream_.is_open() ? "it is not a file" : std::strerror(errno)));
    }
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::vector<std::byte> at(std::uint64_t first, std::uint64_t n) {
    if (first > size_ || n > size_ - first) refuse_damaged_archive();
    std::vector<std::byte> bytes(n);
    stream_.seekg(static_cast<std::streamoff>(first));
    if (!stream_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(n))) refuse_damaged_archive();
    return bytes;
  }
  [[nodiscard]] std::ifstream take() { return std::move(stream_); }

 private:
  std::ifstream stream_;
  std::uint64_t size_ = 0;
};

/// Where the directory lies, and of how many entries it is.
struct Directory {
  std::uint64_t n, n_bytes, begin;
};

Directory find_directory(ZipFile& file) {
  constexpr std::uint64_t kEndBytes = 22, kLongestComment = 65535, kLocatorBytes = 20;
  if (file.size() < kEndBytes || std::memcmp(file.at(0, 2).data(), "PK", 2) != 0)
    refuse_archive("it is no .npz file of NumPy");
  const std::uint64_t tail_bytes = std::min(file.size(), kEndBytes + kLongestComment + kLocatorBytes);
  const std::vector<std::byte> tail = file.at(file.size() - tail_bytes, tail_bytes);
  std::uint64_t end = tail.size() - kEndBytes;
  while (!has_mark(tail, end, "PK\5\6")) {
    if (end-- == 0) refuse_damaged_archive();
  }
  Directory found{number(tail, end + 10, 2), number(tail, end + 12, 4), number(tail, end + 16, 4)};
  const bool is_large = found.n == kElsewhere16 || found.n_bytes == kElsewhere32 || found.begin == kElsewhere32;
  if (!is_large || end < kLocatorBytes || !has_mark(tail, end - kLocatorBytes, "PK\6\7")) return found;
  const std::vector<std::byte> large = file.at(number(tail, end - kLocatorBytes + 8, 8), 56);
  if (!has_mark(large, 0, "PK\6\6")) refuse_damaged_archive();
  return {number(large, 32, 8), number(large, 40, 8), number(large, 48, 8)};
}

/// Numbers that did not fit stand in a field of their own, in this order, those alone.
void read_large_numbers(ZipBytes fields, ZipEntry& entry) {
  constexpr std::uint64_t kLargeNumbers = 1;
  while (fields.size() >= 4) {
    const ZipBytes field = part(fields, 4, number(fields, 2, 2));
    if (number(fields, 0, 2) == kLargeNumbers) {
      std::uint64_t at = 0;
      for (std::uint64_t* const value : {&entry.bytes, &entry.stored_bytes, &entry.header_at}) {
        if (*value != kElsewhere32) continue;
        *value = number(field, at, 8);
        at += 8;
      }
    }
    fields = fields.subspan(4 + field.size());
  }
}

}  // namespace

std::vector<ZipEntry> zip_entries(const std::filesystem::path& path) {
  ZipFile file(path);
  const Directory directory = find_directory(file);
  if (directory.n_bytes > kLargestDirectory) refuse_archive("its directory is larger than 64 MiB");
  const std::vector<std::byte> bytes = file.at(directory.begin, directory.n_bytes);
  std::vector<ZipEntry> entries;
  std::uint64_t place = 0;
  for (std::uint64_t left = directory.n; left > 0; --left) {
    if (!has_mark(bytes, place, "PK\1\2")) refuse_damaged_archive();
    const std::uint64_t name_bytes = number(bytes, place + 28, 2), field_bytes = number(bytes, place + 30, 2);
    const ZipBytes name = part(bytes, place + 46, name_bytes);
    ZipEntry entry{std::string(reinterpret_cast<const char*>(name.data()), name.size()),
                   number(bytes, place + 10, 2),
                   number(bytes, place + 20, 4),
                   number(bytes, place + 24, 4),
                   number(bytes, place + 42, 4),
                   static_cast<std::uint32_t>(number(bytes, place + 16, 4))};
    read_large_numbers(part(bytes, place + 46 + name_bytes, field_bytes), entry);
    entries.push_back(std::move(entry));
    place += 46 + name_bytes + field_bytes + number(bytes, place + 32, 2);
  }
  return entries;
}

struct ZipMember::Inflation {
  z_stream stream{};
  Inflation() {
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();  // negative: no header of zlib's own
  }
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;
  ~Inflation() { inflateEnd(&stream); }
};

ZipMember::ZipMember(const std::filesystem::path& path, const ZipEntry& entry) : entry_(entry) {
  ZipFile file(path);
  const std::vector<std::byte> header = file.at(entry.header_at, 30);
  begin_ = entry.header_at + 30 + number(header, 26, 2) + number(header, 28, 2);
  if (begin_ > file.size() || entry.stored_bytes > file.size() - begin_) refuse_damaged_archive();
  if (entry.method != kStored && entry.method != kDeflated) {
    refuse_archive(fmt::format("{} is compressed by method {}; write it again with numpy.savez_compressed", entry.name,
                               entry.method));
  }
  if (entry.method == kStored && entry.stored_bytes != entry.bytes) refuse_damaged_archive();
  if (entry.bytes / kMostInflation > entry.stored_bytes) refuse_damaged_archive();
  file_ = file.take();
  rewind();
}

ZipMember::~ZipMember() = default;

void ZipMember::rewind() {
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(begin_));
  taken_ = position_ = 0;
  crc_ = crc32(0, nullptr, 0);
  inflation_ = entry_.method == kDeflated ? std::make_unique<Inflation>() : nullptr;
}

std::size_t ZipMember::next_stored(std::span<std::byte> out) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), entry_.stored_bytes - taken_));
  if (!file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(n))) refuse_damaged_archive();
  taken_ += n;
  return n;
}

void ZipMember::next(std::span<std::byte> out) {
  if (!inflation_) {
    if (next_stored(out) != out.size()) refuse_damaged_archive();
  } else {
    z_stream& stream = inflation_->stream;
    read_.resize(kReadBytes);
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    while (stream.avail_out > 0) {
      if (stream.avail_in == 0) {
        stream.next_in = reinterpret_cast<Bytef*>(read_.data());
        stream.avail_in = static_cast<uInt>(next_stored(read_));
      }
      const int status = inflate(&stream, Z_NO_FLUSH);
      const bool is_done = stream.avail_out == 0 && (status == Z_OK || status == Z_STREAM_END);
      if (!is_done && (status != Z_OK || (stream.avail_in == 0 && taken_ == entry_.stored_bytes)))
        refuse_damaged_archive();
    }
  }
  position_ += out.size();
  crc_ = crc32(crc_, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size()));
  if (position_ == entry_.bytes && crc_ != entry_.crc) {
    refuse_archive(fmt::format("the checksum of {} is wrong; copy or make the file again", entry_.name));
  }
}

void ZipMember::read(std::uint64_t offset, std::span<std::byte> out) {
  if (offset > entry_.bytes || out.size() > entry_.bytes - offset) refuse_damaged_archive();
  if (offset < position_) rewind();
  std::vector<std::byte> passed(static_cast<std::size_t>(std::min<std::uint64_t>(offset - position_, kReadBytes)));
  while (position_ < offset) {
    next(std::span(passed).first(static_cast<std::size_t>(std::min<std::uint64_t>(offset - position_, passed.size()))));
  }
  while (!out.empty()) {  // zlib counts in 32 bits
    const std::size_t n = std::min(out.size(), std::size_t{1} << 30);
    next(out.first(n));
    out = out.subspan(n);
  }
}

}  // namespace xrai
