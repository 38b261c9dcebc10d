// Files of every known layout, damaged: opening and reading them gives an Error for bad data or pictures, never a
// crash, a hang or memory without bound. Meant for the sanitizers too.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "loaders/reader.h"
#include "runtime/core/error.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/random.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace damaged_layout_test {

using testing::Random;

/// Whether everything of the file could be read.
bool is_read(const std::filesystem::path& path) {
  try {
    const auto reader = open_dataset(path);
    for (const std::string& split : reader->splits()) {
      std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min<std::int64_t>(reader->n_images(split), 64)));
      std::iota(rows.begin(), rows.end(), std::int64_t{0});
      std::vector<std::uint8_t> picture(static_cast<std::size_t>(reader->height(split) * reader->width(split)));
      for (const std::int64_t row : rows) reader->read_rows(split, {&row, 1}, picture.data());
      (void)reader->groups(split);
      (void)reader->sources(split);
    }
    return true;
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ExitCode::kBadData || error.code() == ExitCode::kOutOfMemory) << error.what();
    EXPECT_NE(std::string(error.what()), "");
    return false;
  }
}

class DamagedLayouts : public ::testing::TestWithParam<testing::KnownLayout> {};

TEST_P(DamagedLayouts, AreRefusedOrRead) {
  const testing::TemporaryFolder folder;
  const auto path = GetParam().write(folder.path());
  const std::string whole = testing::text_of(path);
  ASSERT_TRUE(is_read(path));
  const auto store = [&](const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; };
  for (std::size_t i = 0; i < 12; ++i) {
    const std::size_t length = whole.size() * i / 12;
    store(whole.substr(0, length));
    EXPECT_FALSE(is_read(path)) << "cut to " << length << " of " << whole.size() << " bytes";
  }
  Random random(GetParam().name.size());
  for (int round = 0; round < 40; ++round) {
    std::string damaged = whole;
    // Three in four in the first headers, where they can do most.
    const std::size_t range = round % 4 == 0 ? damaged.size() : std::min<std::size_t>(damaged.size(), 2048);
    for (int flip = 0; flip <= round % 3; ++flip) {
      const auto at = static_cast<std::size_t>(random.whole(0, static_cast<std::int64_t>(range) - 1));
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.whole(0, 7)));
    }
    store(damaged);
    (void)is_read(path);
  }
}

INSTANTIATE_TEST_SUITE_P(Layout, DamagedLayouts, ::testing::ValuesIn(testing::known_layouts()),
                         [](const auto& layout) { return layout.param.name; });

}  // namespace damaged_layout_test
}  // namespace xrai
