// Holds every include against the arrows of docs/architecture.md: which room may use which, who may open the doors to
// HDF5, oneDNN and CUDA, and that no source file asks the preprocessor for a device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace xrai {
namespace include_arrows_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Room -> the other rooms that it may include. kernels knows nobody; backends know no layers; loaders know no training.
const std::map<std::string, std::set<std::string>> kArrows{
    {"kernels", {}},
    {"runtime/core", {"kernels"}},
    {"runtime/hdf5", {"runtime/core", "kernels"}},
    {"runtime/cpu", {"runtime/core", "kernels"}},
    {"runtime/cuda", {"runtime/core", "kernels"}},
    {"runtime/nn", {"runtime/core", "kernels"}},
    {"runtime/train", {"runtime/nn", "runtime/core", "runtime/hdf5", "kernels"}},
    {"loaders", {"runtime/core", "runtime/hdf5", "kernels"}},
    {"apps", {"runtime/train", "runtime/nn", "runtime/core", "runtime/hdf5", "loaders"}},
};

struct Exception {
  const char* file;
  const char* room;
};
// One place makes devices by name, so one place knows the backends; and one holds a step against the bare machine.
constexpr Exception kExceptions[] = {{"apps/support/devices.cpp", "runtime/cpu"},
                                     {"apps/support/devices.cpp", "runtime/cuda"},
                                     {"apps/bench/step_limits.cpp", "runtime/cpu"}};

struct Door {
  const char* headers;                   // regular expression
  std::vector<const char*> may_include;  // beginnings of paths
};
// apps/support/version.cpp asks the linked libraries for their versions.
const std::vector<Door> kDoors{
    {"hdf5(_hl)?\\.h|H5.*\\.h", {"runtime/hdf5/"}},
    {"(oneapi/dnnl/)?dnnl.*", {"runtime/cpu/", "apps/support/version.cpp"}},
    {"(cuda|cudnn|cublas|curand|cusolver|nvrtc|nvml|nccl|nvtx|nvToolsExt).*|mma\\.h",
     {"runtime/cuda/", "kernels/launch.h"}},
};

std::string room_of(const std::string& path) {
  for (const auto& [room, others] : kArrows) {
    if (path.starts_with(room + "/")) return room;
  }
  return "";
}

bool may_include_room(const std::string& file, const std::string& target) {
  const std::string room = room_of(file);
  if (room == target || kArrows.at(room).contains(target)) return true;
  return std::any_of(std::begin(kExceptions), std::end(kExceptions),
                     [&](const Exception& exception) { return file == exception.file && target == exception.room; });
}

/// Why this include is wrong, or nothing.
std::string complaint_about(const std::string& file, const std::string& header, bool quoted) {
  for (const Door& door : kDoors) {
    if (!std::regex_match(header, std::regex(door.headers))) continue;
    const bool allowed = std::any_of(door.may_include.begin(), door.may_include.end(),
                                     [&file](const char* beginning) { return file.starts_with(beginning); });
    return allowed ? "" : "only " + std::string(door.may_include.front()) + " may include " + header;
  }
  if (!quoted) return "";
  const std::string target = room_of(header);
  if (target.empty()) return "\"" + header + "\" is not a path from the source root into a room";
  return may_include_room(file, target) ? "" : room_of(file) + " may not include " + target + " (" + header + ")";
}

/// A directive that asks which device is compiled for. In kernels the compiler's own mark is fine: one header serves
/// both compilers there.
bool asks_for_a_device(const std::string& file, const std::string& line) {
  static const std::regex directive("\\s*#\\s*(if|ifdef|ifndef|elif)\\b.*(CUDA|CUDNN|GPU|NVCC|CPU_ONLY|WITH_CPU).*");
  static const std::regex compiler_mark(".*(__(CUDACC|CUDA_ARCH)__|CUDART_VERSION).*");
  if (!std::regex_match(line, directive)) return false;
  return !(file.starts_with("kernels/") && std::regex_match(line, compiler_mark));
}

/// "file:line: what is wrong", for each violation in a file's text.
std::vector<std::string> violations(const std::string& file, const std::string& text) {
  static const std::regex include("\\s*#\\s*include\\s*([<\"])([^>\"]+)[>\"].*");
  std::vector<std::string> found;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch parts;
    std::string complaint;
    if (std::regex_match(line, parts, include)) complaint = complaint_about(file, parts[2], parts[1] == "\"");
    if (asks_for_a_device(file, line)) complaint = "devices are chosen by CMake's source lists, not by " + line;
    if (!complaint.empty()) found.push_back(file + ":" + std::to_string(number) + ": " + complaint);
  }
  return found;
}

TEST(IncludeArrows, HoldInEveryFile) {
  const std::filesystem::path root = XRAI_SOURCE;
  int n_files = 0;
  for (const char* folder : {"kernels", "runtime", "loaders", "apps"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      static const std::set<std::string> sources{".h", ".cpp", ".cu", ".cuh"};
      if (!entry.is_regular_file() || !sources.contains(entry.path().extension())) continue;
      const std::string file = std::filesystem::relative(entry.path(), root).generic_string();
      ASSERT_NE(room_of(file), "") << file << " lies in no room";
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      EXPECT_THAT(violations(file, text.str()), IsEmpty());
      ++n_files;
    }
  }
  EXPECT_GT(n_files, 50) << "the folders were not found";
}

TEST(IncludeArrows, PlantedViolationsAreFound) {
  EXPECT_THAT(violations("loaders/a.cpp", "#include <vector>\n#include \"runtime/train/trainer.h\"\n"),
              ElementsAre(HasSubstr("loaders/a.cpp:2: loaders may not include runtime/train")));
  EXPECT_THAT(violations("kernels/a.cpp", "#include \"runtime/core/error.h\""), ElementsAre(HasSubstr("may not")));
  EXPECT_THAT(violations("runtime/nn/a.cpp", "#include \"runtime/cpu/cpu_device.h\""),
              ElementsAre(HasSubstr("may not")));
  EXPECT_THAT(violations("runtime/core/a.h", "  #  include \"apps/x.h\"  // why"), ElementsAre(HasSubstr("may not")));
  EXPECT_THAT(violations("apps/a.cpp", "#include \"runtime/cpu/cpu_device.h\""), ElementsAre(HasSubstr("may not")));
  EXPECT_THAT(violations("loaders/a.cpp", "#include \"ring.h\""), ElementsAre(HasSubstr("source root")));
  EXPECT_THAT(violations("loaders/a.cpp", "#include <hdf5.h>"), ElementsAre(HasSubstr("runtime/hdf5/")));
  EXPECT_THAT(violations("runtime/train/a.cpp", "#include <H5Dpublic.h>"), ElementsAre(HasSubstr("runtime/hdf5/")));
  EXPECT_THAT(violations("runtime/nn/a.cpp", "#include <oneapi/dnnl/dnnl.hpp>"),
              ElementsAre(HasSubstr("runtime/cpu/")));
  EXPECT_THAT(violations("runtime/cpu/a.cpp", "#include <cuda_runtime.h>"), ElementsAre(HasSubstr("runtime/cuda/")));
  EXPECT_THAT(violations("runtime/nn/a.cpp", "#ifdef XRAI_CUDA"), ElementsAre(HasSubstr("CMake")));
  EXPECT_THAT(violations("runtime/nn/a.cpp", "#if defined(__CUDACC__)"), ElementsAre(HasSubstr("CMake")));
}

TEST(IncludeArrows, WhatIsAllowedIsNotComplainedAbout) {
  EXPECT_THAT(violations("apps/a.cpp", "#include \"loaders/reader.h\"\n#include \"apps/support/x.h\"\n"), IsEmpty());
  EXPECT_THAT(violations("runtime/hdf5/library.h", "#include <hdf5.h>"), IsEmpty());
  EXPECT_THAT(violations("apps/support/devices.cpp", "#include \"runtime/cpu/cpu_device.h\""), IsEmpty());
  EXPECT_THAT(violations("apps/support/version.cpp", "#include <oneapi/dnnl/dnnl.h>"), IsEmpty());
  EXPECT_THAT(violations("kernels/philox.h", "#if defined(__CUDACC__)"), IsEmpty());
  EXPECT_THAT(violations("runtime/cuda/a.cpp", "#include <cudnn.h>\n#include \"kernels/loss.h\""), IsEmpty());
}

}  // namespace include_arrows_test
}  // namespace xrai
