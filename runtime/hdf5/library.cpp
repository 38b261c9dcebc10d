// The lock, the owners, and what the library's error stack means to a person.
#include "runtime/hdf5/library.h"

#include <array>

#include "runtime/core/log.h"
#include "runtime/hdf5/lzf_filter.h"

namespace xrai::hdf5 {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;  // the one exception to "nothing global": what it guards is global inside the library
  return mutex;
}

// The innermost entry of the stack is the cause; the outer ones say where it passed through.
herr_t keep_innermost(unsigned depth, const H5E_error2_t* entry, void* text) {
  if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

// The drivers put errno's text into theirs: "... errno = 28, error message = 'No space left on device', ...".
std::string system_reason(const std::string& text) {
  constexpr std::string_view kMarker = "error message = '";
  const auto begin = text.find(kMarker);
  if (begin == std::string::npos) return "";
  const auto first = begin + kMarker.size();
  const auto end = text.find('\'', first);
  return end == std::string::npos ? "" : text.substr(first, end - first);
}

struct Translation {
  std::string_view library;  // part of the library's text
  std::string_view reason;
  std::string_view advice = kCopyAgain;
};
constexpr std::array kTranslations{
    Translation{"unable to lock file", "its folder refuses file locks, or another program holds one",
                "set HDF5_USE_FILE_LOCKING=FALSE, or copy the file to a local disk"},
    Translation{"already open for write", "a program has it open for writing, or ended without closing it",
                "close it there; if nobody has it open, h5clear -s FILE clears the mark"},
    Translation{"file signature not found", kNotHdf5},
    Translation{"unable to find a valid file signature", kNotHdf5},
    Translation{"truncated file", "it is truncated, as after a copy or download that stopped half-way"},
    Translation{"addr overflow", "it is truncated or damaged (an address lies past the end of the file)"},
    Translation{"incorrect metadata checksum", "it is damaged (a checksum does not match)"},
    Translation{"Fletcher32", "its values are damaged (a checksum does not match)"},
    Translation{"inflate() failed", "its compressed values are damaged"},
    Translation{"memory allocation failed", "there is not enough memory, or the file is damaged"},
};

}  // namespace

LibraryLock::LibraryLock() : guard_(library_mutex()) {
  // Before the library's first call: its handler at exit would write again what a full disk refused, and crashes.
  static const herr_t no_exit_handler = H5dont_atexit();
  static_cast<void>(no_exit_handler);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  static const bool has_lzf = (register_lzf_filter(), true);
  static_cast<void>(has_lzf);
}

Handle& Handle::operator=(Handle&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(closer_, other.closer_);
  return *this;
}

Handle::~Handle() {
  if (close() >= 0) return;
  try {
    log::warning("closing an HDF5 object failed: " + reason_from_library());
  } catch (...) {  // a destructor has nobody to tell
    H5Eclear2(H5E_DEFAULT);
  }
}

herr_t Handle::close() {
  const hid_t id = std::exchange(id_, H5I_INVALID_HID);
  return id < 0 ? 0 : closer_(id);
}

Cause cause_of(const std::string& text) {
  for (const auto& [library, reason, advice] : kTranslations) {
    if (text.find(library) != std::string::npos) return {std::string(reason), advice};
  }
  if (std::string reason = system_reason(text); !reason.empty()) return {std::move(reason)};
  return {text.empty() ? "the HDF5 library gives no reason" : "the HDF5 library says '" + text + "'"};
}

Cause cause_from_library() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &text);
  H5Eclear2(H5E_DEFAULT);
  return cause_of(text);
}

void fail(const Task& task, const std::string& reason, std::string_view advice) {
  const std::string what =
      task.object.empty() ? task.file.string() : fmt::format("{} of {}", task.object, task.file.string());
  throw Error(task.code, fmt::format("{} {} failed: {}; {}", task.verb, what, reason, advice));
}

void fail_in_library(const Task& task) {
  const Cause cause = cause_from_library();
  const bool writes = task.code == ExitCode::kStorage;
  fail(task, cause.reason, writes ? kCheckSpace : cause.advice);
}

std::string trimmed(const char* text, std::size_t length, bool space_padded) {
  std::string_view view(text, length);
  view = view.substr(0, view.find('\0'));
  if (space_padded) view = view.substr(0, view.find_last_not_of(' ') + 1);
  return std::string(view);
}

std::string library_version() {
  const LibraryLock lock;
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace xrai::hdf5
