// Strings of variable length lie in a heap of the file that their object is in, wherever a link to it stands.
#include "runtime/hdf5/strings.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace strings_test {

using Words = std::vector<std::string>;

/// Files of the same words have them at the same places.
void write(const std::filesystem::path& path, const Words& words, const char* linked_file) {
  File file = File::create(path);
  file.write_strings("/words", words);
  file.set_attribute("/words", "first", words.front());
  file.close();
  if (linked_file == nullptr) return;
  const hid_t writable = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(H5Lcreate_external(linked_file, "/words", writable, "others", H5P_DEFAULT, H5P_DEFAULT), 0);
  H5Fclose(writable);
}

TEST(Strings, BehindALinkAreThoseOfTheOtherFile) {
  const testing::TemporaryFolder folder;
  write(folder / "a.h5", {"NORMAL", "NORMAL", "PNEUMONIA"}, "b.h5");
  write(folder / "b.h5", {"BACTERIA", "VIRUS", "BACTERIA"}, nullptr);
  const File file = File::open(folder / "a.h5");
  EXPECT_EQ(file.read_strings("/words"), (Words{"NORMAL", "NORMAL", "PNEUMONIA"}));
  EXPECT_EQ(file.read_strings("/others"), (Words{"BACTERIA", "VIRUS", "BACTERIA"}));
  EXPECT_EQ(std::get<std::string>(file.attribute("/others", "first").value()), "BACTERIA");
}

}  // namespace strings_test
}  // namespace xrai::hdf5
