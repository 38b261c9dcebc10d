#include "loaders/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "loaders/cached_reader.h"
#include "loaders/dataset_summary.h"
#include "runtime/core/error.h"
#include "tests/support/picture_files.h"

namespace xrai {
namespace import_test {

namespace fs = std::filesystem;
using testing::Bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::smooth_grey;
using testing::TemporaryFolder;
using testing::write_bytes;

Bytes picture(int seed) {
  Bytes pixels = smooth_grey(30, 20, seed % 200);
  pixels[0] = static_cast<std::uint8_t>(seed), pixels[1] = static_cast<std::uint8_t>(seed / 256);
  return testing::png_bytes(pixels, 30, 20);
}

/// 60 patients with 2 pictures each in two classes; returns the folder filled.
void add_pictures(const fs::path& folder, int first = 0, int n_patients = 60) {
  for (int i = 0; i < 2 * n_patients; ++i) {
    const int patient = first + i / 2;
    const std::string kind = patient % 2 == 0 ? "NORMAL/IM-" : "PNEUMONIA/person";
    write_bytes(folder / fmt::format("{}{:04}-{}.png", kind, patient, i), picture(2 * first + i));
  }
}

ImportOptions options_for(const TemporaryFolder& folder, const std::string& data = "data") {
  ImportOptions options;
  options.folder = folder / data;
  options.output = folder / "out.h5";
  options.target.size = 16;
  options.n_threads = 3;
  return options;
}

ImportReport run(const ImportOptions& options) {
  return import_folder(options, [](std::int64_t, std::int64_t) {});
}

ExitCode failure_of(const ImportOptions& options) {
  try {
    run(options);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kDone;
}

TEST(Import, WritesWhatTheDecoderSaw) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  const ImportReport report = run(options_for(folder));
  EXPECT_EQ(report.n_pictures, 120);
  const auto file = hdf5::File::open(folder / "out.h5");
  std::int64_t n = 0;
  for (const char* split : {"train", "val"}) {
    const auto sources = file.read_strings(fmt::format("/{}/source", split));
    const auto labels = file.read<std::uint8_t>(fmt::format("/{}/labels", split));
    const auto pixels = file.read<std::uint8_t>(fmt::format("/{}/images", split));
    ASSERT_EQ(pixels.size(), sources.size() * 256);
    for (std::size_t i = 0; i < sources.size(); ++i, ++n) {
      const auto expected = load_square_picture(folder / ("data/" + sources[i]), {16, Fit::kSquash}).image.pixels;
      EXPECT_EQ(Bytes(pixels.begin() + static_cast<std::ptrdiff_t>(256 * i),
                      pixels.begin() + static_cast<std::ptrdiff_t>(256 * (i + 1))),
                expected);
      EXPECT_EQ(labels[i], sources[i].starts_with("NORMAL") ? 0 : 1);
    }
  }
  EXPECT_EQ(n, 120);
}

TEST(Import, KeepsTheSizeThatEachPictureHad) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  write_bytes(folder / "data" / "NORMAL" / "a_first.png", testing::png_bytes(smooth_grey(50, 40), 50, 40));
  run(options_for(folder));
  const std::shared_ptr<DatasetReader> reader = open_dataset(folder / "out.h5");
  const auto kept = keep_in_memory(reader);
  int n_larger = 0;
  for (const char* split : {"train", "val"}) {
    const auto sources = reader->sources(split);
    const auto sizes = kept->original_sizes(split);
    ASSERT_EQ(sizes.size(), sources.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const bool larger = sources[i] == "NORMAL/a_first.png";
      n_larger += larger ? 1 : 0;
      EXPECT_EQ(sizes[i].width, larger ? 50 : 30) << sources[i];
      EXPECT_EQ(sizes[i].height, larger ? 40 : 20) << sources[i];
    }
  }
  EXPECT_EQ(n_larger, 1);
}

TEST(Import, GroupsNeverStraddleAndBothClassesAreEverywhere) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  ImportOptions options = options_for(folder);
  options.plan.fractions = parse_splits("train=0.6,val=0.2,test=0.2");
  const ImportReport report = run(options);
  const auto file = hdf5::File::open(folder / "out.h5");
  std::map<std::string, std::set<std::string>> splits_of_group;
  for (const char* split : {"train", "val", "test"})
    for (const std::string& group : file.read_strings(fmt::format("/{}/group", split)))
      splits_of_group[group].insert(split);
  EXPECT_EQ(splits_of_group.size(), 60U);
  for (const auto& [group, splits] : splits_of_group) EXPECT_EQ(splits.size(), 1U) << group;
  EXPECT_THAT(report.splits.at("val").of_class, ElementsAre(12, 12));
  EXPECT_THAT(report.splits.at("test").of_class, ElementsAre(12, 12));
}

TEST(Import, TheNumberOfThreadsChangesNothing) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  std::vector<Bytes> pixels;
  for (const int threads : {1, 4}) {
    ImportOptions options = options_for(folder);
    options.n_threads = threads;
    options.force = true;
    run(options);
    pixels.push_back(hdf5::File::open(folder / "out.h5").read<std::uint8_t>("/train/images"));
  }
  EXPECT_EQ(pixels[0], pixels[1]);
}

TEST(Import, TheUsersTestFolderStaysTest) {
  const TemporaryFolder folder;
  add_pictures(folder / "data/train");
  add_pictures(folder / "data/test", 1000, 10);
  const ImportReport report = run(options_for(folder));
  EXPECT_EQ(report.splits.at("test").n_pictures, 20);
  for (const std::string& source : hdf5::File::open(folder / "out.h5").read_strings("/test/source"))
    EXPECT_TRUE(source.starts_with("test/")) << source;
}

TEST(Import, AUselessValFolderJoinsTrainAndSaysSo) {
  const TemporaryFolder folder;
  add_pictures(folder / "data/train");
  add_pictures(folder / "data/val", 1000, 8);
  ImportOptions options = options_for(folder);
  const ImportReport folded = run(options);
  EXPECT_EQ(folded.splits.at("train").n_pictures + folded.splits.at("val").n_pictures, 136);
  EXPECT_NE(folded.splits.at("val").n_pictures, 16);
  ASSERT_FALSE(folded.notes.empty());
  EXPECT_THAT(folded.notes[0], HasSubstr("too few"));
  options.plan.keep_val = options.force = true;
  EXPECT_EQ(run(options).splits.at("val").n_pictures, 16);
}

TEST(Import, UnreadablePicturesAreListedAndDoNotStopTheOthers) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  const Bytes whole = picture(1);
  write_bytes(folder / "data/NORMAL/truncated.png", Bytes(whole.begin(), whole.begin() + 60));
  write_bytes(folder / "data/NORMAL/empty.jpeg", {});
  write_bytes(folder / "data/PNEUMONIA/text.png", {'h', 'i'});
  ImportOptions options = options_for(folder);
  const ImportReport report = run(options);
  EXPECT_EQ(report.n_pictures, 120);
  ASSERT_EQ(report.unreadable.size(), 3U);
  EXPECT_EQ(report.unreadable[0].path, "NORMAL/empty.jpeg");
  EXPECT_THAT(report.unreadable[0].reason, HasSubstr("empty"));
  EXPECT_THAT(report.unreadable[1].reason, HasSubstr("truncated"));
  options.strict = options.force = true;
  EXPECT_EQ(failure_of(options), ExitCode::kBadData);
}

TEST(Import, DuplicatesAreReportedAndNeverStraddle) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  for (int i = 0; i < 30; ++i) {
    write_bytes(folder / fmt::format("data/NORMAL/IM-{:04}-a.png", 2000 + i), picture(5000 + i));
    write_bytes(folder / fmt::format("data/NORMAL/IM-{:04}-b.png", 3000 + i), picture(5000 + i));
  }
  const ImportReport report = run(options_for(folder));
  EXPECT_EQ(report.duplicates.size(), 30U);
  for (const DuplicateSet& set : report.duplicates) EXPECT_FALSE(set.across_splits) << set.paths[0];
}

// The middle of a file is only the first question: bytes behind the end of a PNG make two files of one size and one
// middle, and two patients.
TEST(Import, FilesThatDifferOutsideTheirMiddleKeepTheirPatientsApart) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  for (const auto& [name, last] : {std::pair("IM-2000-a", 1), std::pair("IM-3000-b", 2), std::pair("IM-4000-c", 2)}) {
    Bytes bytes = picture(5000);
    bytes.resize(bytes.size() + 2000, 7);
    bytes.back() = static_cast<std::uint8_t>(last);
    write_bytes(folder / fmt::format("data/NORMAL/{}.png", name), bytes);
  }
  const ImportPlan plan = plan_import(scan_folder(folder / "data"), {}, 2);
  std::map<std::string, std::string> group_of;
  for (const PlannedPicture& planned : plan.pictures) group_of[fs::path(planned.path).stem()] = planned.group;
  EXPECT_EQ(group_of["IM-2000-a"], "IM-2000");
  EXPECT_EQ(group_of["IM-3000-b"], "IM-3000");
  EXPECT_EQ(group_of["IM-4000-c"], "IM-3000");
}

TEST(Import, DuplicatesAcrossTheUsersOwnSplitsAndClassesAreWarnedOf) {
  const TemporaryFolder folder;
  add_pictures(folder / "data/train");
  add_pictures(folder / "data/test", 1000, 10);
  write_bytes(folder / "data/train/NORMAL/x.png", picture(9000));
  write_bytes(folder / "data/test/PNEUMONIA/y.png", picture(9000));
  const ImportReport report = run(options_for(folder));
  ASSERT_EQ(report.duplicates.size(), 1U);
  EXPECT_TRUE(report.duplicates[0].across_splits);
  EXPECT_TRUE(report.duplicates[0].across_classes);
  EXPECT_THAT(report.warnings, ::testing::Contains(HasSubstr("more than one split")));
  EXPECT_THAT(report.warnings, ::testing::Contains(HasSubstr("more than one class")));
}

TEST(Import, NothingIsOverwrittenWithoutForceAndNothingIsLeftBehind) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  write_bytes(folder / "out.h5", {'o', 'l', 'd'});
  ImportOptions options = options_for(folder);
  EXPECT_EQ(failure_of(options), ExitCode::kStorage);
  write_bytes(folder / "data/NORMAL/bad.png", {});
  options.force = options.strict = true;
  EXPECT_EQ(failure_of(options), ExitCode::kBadData);
  EXPECT_EQ(fs::file_size(folder / "out.h5"), 3U);
  int n_entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder.path())) ++n_entries;
  EXPECT_EQ(n_entries, 2);  // data and out.h5
}

TEST(Import, NothingReadableIsAnError) {
  const TemporaryFolder folder;
  write_bytes(folder / "data/A/x.png", {});
  write_bytes(folder / "data/B/y.png", {});
  EXPECT_EQ(failure_of(options_for(folder)), ExitCode::kBadData);
  EXPECT_FALSE(fs::exists(folder / "out.h5"));
}

TEST(DatasetSummary, CountsWhatIsThere) {
  const TemporaryFolder folder;
  add_pictures(folder / "data");
  run(options_for(folder));
  const DatasetSummary summary = summarise_dataset(*open_dataset(folder / "out.h5"), [](std::int64_t, std::int64_t) {});
  ASSERT_EQ(summary.splits.size(), 2U);
  EXPECT_EQ(summary.splits[0].n_pictures + summary.splits[1].n_pictures, 120);
  EXPECT_THAT(summary.classes, ElementsAre("NORMAL", "PNEUMONIA"));
  const auto pixels = hdf5::File::open(folder / "out.h5").read<std::uint8_t>("/train/images");
  double mean = 0.0;
  for (const std::uint8_t pixel : pixels) mean += pixel;
  EXPECT_NEAR(summary.splits[0].pixels.mean, mean / static_cast<double>(pixels.size()), 1e-9);
  EXPECT_THAT(summary.warnings, ::testing::Contains(HasSubstr("no test split")));
}

}  // namespace import_test
}  // namespace xrai
