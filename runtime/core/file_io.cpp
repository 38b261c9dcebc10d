#include "runtime/core/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/core/error.h"

namespace xrai {
namespace {

[[noreturn]] void fail(std::string_view what, const std::filesystem::path& path) {
  const char* reason = std::strerror(errno);
  throw Error(ExitCode::kStorage, fmt::format("cannot {} {}: {}", what, path.string(), reason));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

void flush_to_disk(const std::filesystem::path& path, int flags) {
  const Descriptor file(path, flags);
  if (file.get() < 0) fail("open", path);
  // Some network file systems refuse fsync on folders; the rename itself is still atomic there.
  if (::fsync(file.get()) != 0 && errno != EINVAL) fail("flush to disk", path);
}

// Something is there that is neither a file nor a folder. What lies in /dev or is one's own open file counts, too:
// /dev/stdout names a file where the shell redirects there.
bool is_a_stream(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status) || std::filesystem::is_directory(status)) return false;
  const std::string folder = std::filesystem::absolute(path, ignored).parent_path().string();
  return !std::filesystem::is_regular_file(status) || folder == "/dev" || folder.starts_with("/dev/fd") ||
         folder.starts_with("/proc/");
}

// Where a link leads, also to a file that is not there yet.
std::filesystem::path behind_links(std::filesystem::path path) {
  std::error_code reason;
  for (int steps = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path, reason)); ++steps) {
    const std::filesystem::path target = std::filesystem::read_symlink(path, reason);
    if (reason || steps == 40)
      throw Error(ExitCode::kStorage, fmt::format("cannot write {}: it is a link that leads nowhere", path.string()));
    path = path.parent_path() / target;
  }
  return path;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

void write_all(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void write_aside_and_rename(const std::filesystem::path& name,
                            const std::function<void(const std::filesystem::path&)>& write) {
  if (is_a_stream(name))
    throw Error(ExitCode::kStorage,
                fmt::format("cannot write {}: it is a device or a pipe; give the name of a file", name.string()));
  const std::filesystem::path path = behind_links(name), folder = folder_of(path);
  std::filesystem::path aside = path;
  aside += fmt::format(".{}.partial", ::getpid());
  try {
    write(aside);
    flush_to_disk(aside, O_RDONLY);
    if (::rename(aside.c_str(), path.c_str()) != 0) fail("rename a new file to", path);
    flush_to_disk(folder, O_RDONLY | O_DIRECTORY);
  } catch (...) {
    ::unlink(aside.c_str());
    throw;
  }
}

void start_flushing(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() >= 0) ::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
}

void set_room_aside(const std::filesystem::path& path, std::uint64_t n_bytes) {
  const Descriptor file(path, O_WRONLY);
  if (file.get() < 0 || n_bytes == 0) return;
  // What is there of too little room is needed by whoever writes the file.
  if (::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(n_bytes)) != 0) return_spare_room(path);
}

void return_spare_room(const std::filesystem::path& path) {
  std::error_code failure;
  const std::uintmax_t size = std::filesystem::file_size(path, failure);
  if (!failure) std::filesystem::resize_file(path, size, failure);
}

void write_text_file(const std::filesystem::path& path, std::string_view text) {
  if (is_a_stream(path)) {
    const Descriptor stream(path, O_WRONLY | O_APPEND);
    if (stream.get() < 0) fail("open", path);
    return write_all(stream.get(), text, path);
  }
  write_aside_and_rename(path, [&](const std::filesystem::path& aside) {
    const Descriptor file(aside, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (file.get() < 0) fail("create", aside);
    write_all(file.get(), text, aside);
  });
}

void require_writable(const std::filesystem::path& name) {
  if (is_a_stream(name)) return;
  const std::filesystem::path path = behind_links(name);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw Error(ExitCode::kStorage,
                fmt::format("cannot write {}: it is a folder; give the name of a file", name.string()));
  const std::filesystem::path folder = folder_of(path);
  if (!std::filesystem::is_directory(folder, ignored))
    throw Error(ExitCode::kStorage,
                fmt::format("cannot write {}: there is no folder {}", name.string(), folder.string()));
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail("write into the folder", folder);
}

}  // namespace xrai
