// Reads around the buffers of <cstdio>: small pictures by the thousand cost as many calls of the system as bytes.
#include "loaders/file_reading.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "loaders/pixel_hash.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  /// As the system tells it; 0 for what has none, such as a pipe or a file of /proc.
  [[nodiscard]] std::size_t size() const {
    struct stat status {};
    return ::fstat(fd_, &status) == 0 && status.st_size > 0 ? static_cast<std::size_t>(status.st_size) : 0;
  }
  /// Bytes read, 0 at the end, -1 with errno.
  [[nodiscard]] ssize_t read(std::span<std::uint8_t> into) const {
    while (true) {
      const ssize_t got = ::read(fd_, into.data(), into.size());
      if (got >= 0 || errno != EINTR) return got;
    }
  }
  /// The same from a place of its own.
  [[nodiscard]] ssize_t read_at(std::span<std::uint8_t> into, std::size_t offset) const {
    return ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
  }

 private:
  int fd_;
};

}  // namespace

std::vector<std::uint8_t> read_file_bytes(const std::filesystem::path& path) {
  const OpenFile file(path);
  if (!file.is_open()) throw Error(ExitCode::kBadData, fmt::format("it cannot be opened: {}", std::strerror(errno)));
  constexpr std::size_t kFewest = 4096;
  const std::size_t size = file.size();
  std::vector<std::uint8_t> bytes(size > 0 ? size + 1 : kFewest);  // one more, so that the end is seen without growing
  std::size_t filled = 0;
  while (true) {
    const std::span room = std::span(bytes).subspan(filled);
    const ssize_t got = file.read(room);
    if (got < 0) throw Error(ExitCode::kBadData, fmt::format("it cannot be read: {}", std::strerror(errno)));
    filled += static_cast<std::size_t>(got);
    if (got == 0 || (filled == size && room.size() > size)) break;  // one that has a size and room left has ended
    if (filled == bytes.size()) bytes.resize(bytes.size() * 2);
  }
  bytes.resize(filled);
  return bytes;
}

std::optional<std::uint64_t> middle_hash(const std::filesystem::path& path) {
  std::array<std::uint8_t, 512> bytes;
  const OpenFile file(path);
  if (!file.is_open()) return std::nullopt;
  const std::size_t size = file.size();
  const ssize_t got = file.read_at(bytes, size > bytes.size() ? (size - bytes.size()) / 2 : 0);
  if (got <= 0) return std::nullopt;
  return content_hash(std::span(bytes).first(static_cast<std::size_t>(got)));
}

}  // namespace xrai
