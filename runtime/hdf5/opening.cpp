// Opening a file for reading, and in words why one cannot be opened: rights, programs that are writing to it, and
// things that only look like HDF5 files.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/hdf5/file_bytes.h"
#include "runtime/hdf5/state.h"
#include "runtime/hdf5/superblock_check.h"

namespace xrai::hdf5 {
namespace {

/// What people have under the name of an HDF5 file, by its first bytes.
struct Lookalike {
  std::string_view begins;
  const char* reason;
  const char* advice;
};
constexpr const char* kImportAdvice = "pictures become a data set with xrai_dataset import FOLDER OUT.h5";
constexpr std::array kLookalikes{
    Lookalike{"\x1f\x8b", "it is compressed with gzip", "unpack it first: gunzip FILE"},
    Lookalike{"BZh", "it is compressed with bzip2", "unpack it first: bunzip2 FILE"},
    Lookalike{"\xfd"
              "7zXZ",
              "it is compressed with xz", "unpack it first: unxz FILE"},
    Lookalike{"\x28\xb5\x2f\xfd", "it is compressed with zstd", "unpack it first: unzstd FILE"},
    Lookalike{"PK\x03\x04", "it is a zip archive",
              "unpack it first; an .npz file becomes a data set with xrai_dataset import FILE.npz OUT.h5, and a .keras "
              "file is a model, not pictures"},
    Lookalike{"\xff\xd8\xff", "it is a JPEG picture", kImportAdvice},
    Lookalike{"\x89PNG", "it is a PNG picture", kImportAdvice},
    Lookalike{"version https://git-lfs", "it is only the note by which Git LFS finds the file",
              "git lfs pull fetches it"},
    Lookalike{"<", "it is a web page or another text", "a page was saved in its place: download the file again"},
    Lookalike{"\x0e\x03\x13\x01", "it is a file of HDF4, another format", "convert it with h4toh5"},
    Lookalike{"MATLAB 5.0", "it is a MATLAB file of an older format", "save it in MATLAB with the option '-v7.3'"},
};

[[noreturn]] void fail_as_no_hdf5_file(int descriptor, const std::string& reason, const Task& task) {
  std::array<char, 32> first{};
  const ssize_t n = pread(descriptor, first.data(), first.size(), 0);
  const std::string_view begins(first.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  for (const Lookalike& known : kLookalikes) {
    if (begins.starts_with(known.begins)) fail(task, known.reason, known.advice);
  }
  fail(task, begins.empty() ? "it is empty" : reason, kCopyAgain);
}

bool locking_is_switched_off() {
  const char* const word = std::getenv("HDF5_USE_FILE_LOCKING");  // the library's own
  return word != nullptr && (std::strcmp(word, "FALSE") == 0 || std::strcmp(word, "0") == 0);
}

// The library holds such a lock on what it writes, and half of that is still in its memory. Only asked for and given
// back: data sets are read for hours, and nobody should wait for that. Mounts without locks answer otherwise.
void require_no_writer(int descriptor, const Task& task) {
  if (locking_is_switched_off()) return;
  if (flock(descriptor, LOCK_SH | LOCK_NB) == 0) {
    flock(descriptor, LOCK_UN);
  } else if (errno == EWOULDBLOCK) {
    fail(task, "another program has it open for writing",
         "close it there (file.close() in h5py); HDF5_USE_FILE_LOCKING=FALSE reads it all the same");
  }
}

void require_regular_file(const std::filesystem::path& path, const Task& task) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) fail(task, "there is no such file", "check the path");
  if (error) fail(task, error.message(), "check the path and the rights of its folders");
  if (!std::filesystem::is_regular_file(status)) fail(task, "it is not a file", "give the path of an HDF5 file");
}

/// Open for as long as it takes to look at it.
class Glance {
 public:
  Glance(const std::filesystem::path& path, const Task& task)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (descriptor_ < 0) {
      fail(task, std::strerror(errno),
           "chmod u+r gives its owner the right to read it; else copy it as somebody who may");
    }
  }
  Glance(const Glance&) = delete;
  Glance& operator=(const Glance&) = delete;
  ~Glance() { ::close(descriptor_); }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

/// `block`: "its first block", or that of another file.
void require_sound_start(const Glance& glance, const std::string& block, const Task& task) {
  try {
    require_sound_superblock(glance.descriptor());
  } catch (const Damaged&) {
    fail(task, block + " is damaged", kCopyAgain);
  } catch (const NotUnderstood& kind) {
    fail(task, fmt::format("{} cannot be checked, because {}", block, kind.reason), "write it again with h5repack");
  }
}

}  // namespace

Handle file_access(const Task& task) {
  Handle access = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, task);
  // Data sets that are read are never written to again, and files are written aside and renamed, so a lock protects
  // nothing here; many network mounts refuse it.
  check(H5Pset_file_locking(access.get(), false, true), task);
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG), task);
  // Readable by every library since 1.8, with checksums on headers and attributes of any length.
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110), task);
  // By default 64 KiB are read for each row of a contiguous data set that is smaller than that.
  check(H5Pset_sieve_buf_size(access.get(), 4096), task);
  return access;
}

bool is_sound_file(const std::filesystem::path& path, const Task& task) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;  // opening a pipe would wait for a writer
  const Glance glance(path, task);
  require_sound_start(glance, fmt::format("the first block of {}", path.string()), task);
  return true;
}

File File::open(const std::filesystem::path& path, Links links) {
  const Task task{"opening", "", path, ExitCode::kBadData};
  require_regular_file(path, task);
  const Glance glance(path, task);
  require_no_writer(glance.descriptor(), task);
  require_sound_start(glance, "its first block", task);
  const LibraryLock lock;
  auto state = std::make_unique<State>();
  state->path = path;
  state->links = links;
  const Handle access = file_access(task);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get());
  if (file < 0) {
    const Cause cause = cause_from_library();
    if (cause.reason == kNotHdf5) fail_as_no_hdf5_file(glance.descriptor(), cause.reason, task);
    fail(task, cause.reason, cause.advice);
  }
  state->file = Handle(file, H5Fclose);
  struct stat status_now {};
  if (stat(path.c_str(), &status_now) == 0) state->opened_as = status_now;
  return File(std::move(state));
}

}  // namespace xrai::hdf5
