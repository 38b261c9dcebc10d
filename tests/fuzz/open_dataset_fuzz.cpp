// libFuzzer target: any bytes as a data set, opened and read by every path of the readers. An Error is an answer; a
// crash, a hang or memory without bound is not. scripts/fuzz builds it and makes the seeds. What libFuzzer is told does
// not depend on where the program, its data or the file lie, nor on the time: one build and one seed try the same files
// everywhere.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "loaders/layout_reader.h"
#include "loaders/mat_pictures.h"
#include "runtime/core/error.h"
#include "runtime/hdf5/library.h"

namespace {

constexpr std::int64_t kMostRows = 4;
constexpr std::size_t kCounters = 1 << 16;

// libFuzzer looks at what stands in this section as at counters of its own.
[[gnu::section("__libfuzzer_extra_counters")]] std::uint8_t counters[kCounters];

[[gnu::no_sanitize_coverage]] bool looks_like_address(std::uint64_t value) {
  return value >> 44 != 0 && value >> 47 == 0;
}

[[gnu::no_sanitize_coverage]] bool worth_telling(std::uint64_t a, std::uint64_t b) {
  return a != b && !looks_like_address(a) && !looks_like_address(b);
}

/// The bytes as a file in memory, in a folder of its own: files beside it would be looked at. scripts/fuzz removes it.
const std::string& file_of(const std::uint8_t* bytes, std::size_t n) {
  static const std::string path = [] {
    const char* const asked = getenv("XRAI_FUZZ_FOLDER");
    std::string folder = std::string(asked != nullptr ? asked : "/dev/shm") + "/xrai-fuzz-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) abort();
    return folder + "/data.h5";
  }();
  static const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const auto size = static_cast<off_t>(n);
  if (file < 0 || pwrite(file, bytes, n, 0) != size || ftruncate(file, size) != 0) abort();
  return path;
}

// A file that the library opens takes half a megabyte, which its lists of free memory are too short for: new pages for
// each file would cost a fifth of all. What is smaller they keep in any case.
void keep_what_each_file_takes() {
  constexpr int kMostOfAKind = 1 << 20, kMost = 16 << 20;
  const xrai::hdf5::LibraryLock lock;
  H5set_free_list_limits(kMost, kMostOfAKind, kMost, kMostOfAKind, kMost, kMostOfAKind);
}

void read_pictures(xrai::DatasetReader& reader) {
  for (const std::string& split : reader.splits()) {
    std::vector<std::uint8_t> picture(static_cast<std::size_t>(reader.height(split) * reader.width(split)));
    for (std::int64_t row = 0; row < std::min(reader.n_images(split), kMostRows); ++row) {
      reader.read_rows(split, {&row, 1}, picture.data());
    }
    (void)reader.groups(split);
    (void)reader.sources(split);
  }
}

/// Whether the library might read it otherwise: false where it has read all pictures already.
bool read_some(const xrai::Layout& layout, const xrai::OpenFiles& files, bool through_library) {
  try {
    xrai::LayoutReader reader(layout, files, {}, {.n_threads = 1, .through_library = through_library});
    read_pictures(reader);
    const auto& splits = reader.layout().splits;
    return std::any_of(splits.begin(), splits.end(),
                       [](const xrai::SplitLayout& split) { return split.reading.starts_with("outside"); });
  } catch (const xrai::Error&) {
    return true;
  }
}

/// As a picture and its label that MATLAB saved.
void read_as_struct(const std::string& path) {
  try {
    (void)xrai::load_mat_picture(path, {.size = 16}, {.type = xrai::hdf5::Type::kInt16});
  } catch (const xrai::Error&) {
  }
}

}  // namespace

extern "C" const char __executable_start;  // NOLINT: the linker's name of where the program begins

// GCC calls this at every edge; the place it comes from, seen from the program's begin, chooses a counter.
extern "C" [[gnu::no_sanitize_coverage, gnu::no_sanitize_address, gnu::no_sanitize_undefined]] void
__sanitizer_cov_trace_pc() {  // NOLINT: the compiler's name
  const auto place = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)) -
                     reinterpret_cast<std::uintptr_t>(&__executable_start);
  ++counters[(place ^ place >> 16) % kCounters];
}

// What is compared is written into later files. Between equal values there is nothing to learn, and the file's own
// times and number are compared with themselves; addresses would make the files depend on where memory was given. The
// linker puts these two in front of libFuzzer's (tests/fuzz/CMakeLists.txt).
extern "C" void __real___sanitizer_cov_trace_cmp8(std::uint64_t a, std::uint64_t b);  // NOLINT: the linker's names
extern "C" void __real___sanitizer_cov_trace_const_cmp8(std::uint64_t a, std::uint64_t b);  // NOLINT

extern "C" [[gnu::no_sanitize_coverage]] void __wrap___sanitizer_cov_trace_cmp8(std::uint64_t a,
                                                                                std::uint64_t b) {  // NOLINT
  if (worth_telling(a, b)) __real___sanitizer_cov_trace_cmp8(a, b);
}

extern "C" [[gnu::no_sanitize_coverage]] void __wrap___sanitizer_cov_trace_const_cmp8(std::uint64_t a,  // NOLINT
                                                                                      std::uint64_t b) {
  if (worth_telling(a, b)) __real___sanitizer_cov_trace_const_cmp8(a, b);
}

// GCC tells of comparisons of floats as well, which libFuzzer does not ask for.
extern "C" void __sanitizer_cov_trace_cmpf(float, float) {}    // NOLINT: the compiler's names
extern "C" void __sanitizer_cov_trace_cmpd(double, double) {}  // NOLINT

extern "C" int LLVMFuzzerInitialize(int* /*n_arguments*/, char*** /*arguments*/) {
  close_range(3, ~0U, 0);  // numbers of files are compared, too, and whoever called may have some open
  keep_what_each_file_takes();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n) {
  const std::string& path = file_of(bytes, n);
  xrai::OpenFiles files;
  xrai::Layout layout;
  try {
    layout = xrai::decide_layout(path, {}, files);
  } catch (const xrai::Error&) {
    read_as_struct(path);
    return 0;
  }
  if (read_some(layout, files, false)) read_some(layout, files, true);
  return 0;
}
