// A damaged file is an Error or its values, never a crash, a hang or a huge allocation. Meant for the sanitizers too.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "runtime/core/error.h"
#include "runtime/hdf5/file.h"

// The leak checker asks for this by name. On its way out of a damaged file the library itself forgets memory.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace xrai::hdf5 {
namespace damage_test {

class DamagedFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ =
        std::filesystem::temp_directory_path() /
        fmt::format("xrai-damage-{}-{}.h5", getpid(), ::testing::UnitTest::GetInstance()->current_test_info()->name());
    File file = File::create(path_);
    std::vector<std::uint8_t> pixels(12 * 16 * 16);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 7);
    file.write<std::uint8_t>("/train/images", {12, 16, 16}, pixels.data(), {.chunk_shape = {5, 16, 16}});
    file.write<std::uint8_t>("/val/images", {12, 16, 16}, pixels.data(),
                             {.chunk_shape = {5, 16, 16}, .deflate_level = 4});
    file.write<std::uint8_t>("/train/labels", {12}, pixels.data());
    file.write_strings("/train/source", {"one", "two", "three"});
    file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
    file.set_attribute("/", "size", std::int64_t{16});
    file.close();
    std::ifstream stream(path_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(stream), {});
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void store(const std::vector<char>& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  std::filesystem::path path_;
  std::vector<char> bytes_;
};

/// Reads everything that the file says it has; throws Error.
void read_everything(const File& file, const std::string& group, int depth) {
  for (const std::string& name : file.names_in(group)) {
    const std::string object = (group == "/" ? "" : group) + "/" + name;
    if (!file.is_dataset(object)) {
      if (depth < 8) read_everything(file, object, depth + 1);
      continue;
    }
    const DatasetInfo info = file.info(object);
    if (info.type == Type::kString)
      (void)file.read_strings(object);
    else
      (void)file.read<float>(object);
  }
}

bool is_whole(const std::filesystem::path& path) {
  try {
    const File file = File::open(path);
    for (const char* name : {"classes", "size"}) (void)file.attribute("/", name);
    read_everything(file, "/", 0);
    return true;
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ExitCode::kBadData || error.code() == ExitCode::kOutOfMemory) << error.what();
    return false;
  }
}

TEST_F(DamagedFile, TruncatedAnywhereIsAnError) {
  ASSERT_TRUE(is_whole(path_));
  for (std::size_t length = 0; length < bytes_.size(); length += length < 256 ? 1 : 61) {
    store({bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(length)});
    EXPECT_FALSE(is_whole(path_)) << "cut to " << length << " of " << bytes_.size() << " bytes";
  }
}

TEST_F(DamagedFile, FlippedBytesAreAnErrorOrValues) {
  std::mt19937 random(7);
  int n_refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::vector<char> damaged = bytes_;
    const int n_flips = 1 + round % 3;
    for (int flip = 0; flip < n_flips; ++flip) {
      // Half of them in the headers at the front, where they can do most.
      const std::size_t range = round % 2 == 0 ? damaged.size() : std::min<std::size_t>(damaged.size(), 2048);
      damaged[random() % range] = static_cast<char>(random());
    }
    store(damaged);
    n_refused += is_whole(path_) ? 0 : 1;
  }
  EXPECT_GT(n_refused, 500) << "the damage must have reached the headers";
}

}  // namespace damage_test
}  // namespace xrai::hdf5
