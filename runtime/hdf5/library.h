// Owners of HDF5 identifiers, the lock around the library, and its error stack as a reason in words. For the files of
// this folder only: nobody else includes hdf5.h. Every function here expects its caller to hold a LibraryLock.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/core/error.h"
#include "runtime/hdf5/file.h"

namespace xrai::hdf5 {

/// Held by every public method from its first library call to its last. One lock for the whole process, not one per
/// file: the library keeps its caches and identifiers in globals, so two files in two threads still collide when it
/// was built without thread safety, and nothing is gained by a finer lock when it was built with it.
class LibraryLock {
 public:
  /// Also stops the library from printing its error stack, which is a setting per thread.
  LibraryLock();

 private:
  std::lock_guard<std::mutex> guard_;
};

/// Move-only owner of one identifier. A failing close in the destructor is only logged; who must know calls close().
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();

  [[nodiscard]] hid_t get() const { return id_; }
  /// Negative when the library reports a failure; the handle is empty either way.
  herr_t close();

 private:
  hid_t id_ = H5I_INVALID_HID;
  Closer closer_ = nullptr;
};

/// What is being done, for the sentence of an error.
struct Task {
  const char* verb;         // "reading"
  std::string_view object;  // path inside the file; empty: the file itself
  const std::filesystem::path& file;
  ExitCode code;
};

inline constexpr std::string_view kCopyAgain = "copy or make the file again";
inline constexpr std::string_view kWriteOlder =
    "write it again with h5py's libver=('earliest', 'v110'), or with h5repack";
inline constexpr std::string_view kCheckSpace = "check the folder's free space, permissions and quota";
inline constexpr std::string_view kNotHdf5 = "it is not an HDF5 file";
inline constexpr std::string_view kLookInside = "h5ls -r lists what it holds";

/// Throws Error "<verb> <object> of <file> failed: <reason>; <what to try>".
[[noreturn]] void fail(const Task& task, const std::string& reason, std::string_view advice = kLookInside);
/// The same for what the library reports: reason and advice come from its error stack.
[[noreturn]] void fail_in_library(const Task& task);

/// Why the library failed, in words, and what to try. `text`: the innermost entry of its error stack.
struct Cause {
  std::string reason;
  std::string_view advice = kCopyAgain;
};
Cause cause_of(const std::string& text);
/// The cause that the library's error stack of this thread gives; clears the stack.
Cause cause_from_library();
inline std::string reason_from_library() {
  return cause_from_library().reason;
}

/// The value of a library call, or an Error with the library's reason when it is negative.
template <class Status>
Status check(Status status, const Task& task) {
  if (status < 0) fail_in_library(task);
  return status;
}

/// An identifier put into its owner, or an Error.
inline Handle own(hid_t id, Handle::Closer closer, const Task& task) {
  return Handle(check(id, task), closer);
}

// From 1.12 on what has no addresses has the name.
#if H5_VERSION_GE(1, 12, 0)
using ObjectInfo = H5O_info1_t;
#else
using ObjectInfo = H5O_info_t;
#endif

/// Type of numbers in memory; not owned by the caller.
hid_t memory_type(Type type);
/// The same type in a file: little endian everywhere.
hid_t stored_type(Type type);
/// What a type in a file is to us. Enumerations (such as h5py's bool) are their integers.
Type classify(hid_t type);
/// Whether numbers, or the integers of an enumeration, have their highest byte first in the file.
bool is_big_endian(hid_t type);
/// Whether values lie elsewhere in the file, as those of variable length do.
bool holds_references(hid_t type);
/// Variable-length UTF-8, as h5py writes str.
Handle string_type(const Task& task);

/// One string of those bytes: ends at the first NUL, or loses its padding of spaces.
std::string trimmed(const char* text, std::size_t length, bool space_padded);

}  // namespace xrai::hdf5
