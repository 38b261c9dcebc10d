// What other people's files have that nobody thinks of: findings in a group, labels turned, tables of other countries,
// values of other kinds. Each was a file that was read wrongly or refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <functional>

#include "loaders/csv_table.h"
#include "loaders/reader.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"

namespace xrai {
namespace foreign_layout_test {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kPictures;
using testing::LayoutFile;
using testing::pictures;

const std::vector<double> kOthers{1, 0, 1, 0, 1, 0};

class Foreign : public ::testing::Test {
 protected:
  std::unique_ptr<DatasetReader> made(const std::function<void(const LayoutFile&)>& add, const LayoutOptions& o = {}) {
    {
      const LayoutFile file(path_);
      add(file);
    }
    return open_dataset(path_, o);
  }
  static void add_images(const LayoutFile& file) { file.numbers("/images", testing::kNHW, pictures()); }

  const testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "a.h5";
};

TEST_F(Foreign, OfSeveralFindingsInAGroupPneumoniaIsTaken) {
  for (const std::string group : {"labels/", "targets/", "y/", "labels_", "findings/"}) {
    const auto reader = made([&](const LayoutFile& file) {
      add_images(file);
      for (const char* finding : {"Edema", "Mass"}) file.numbers(group + finding, {kPictures}, kOthers, H5T_STD_I64LE);
      file.labels(group + "Pneumonia");
    });
    EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1)) << group;
  }
}

TEST_F(Foreign, LabelsThatMayBeEitherAreRefusedWithTheFlag) {
  for (const auto& [first, second] : {std::pair{"label_a", "label_b"}, std::pair{"class", "label"},
                                      std::pair{"targets/Cardiomegaly", "targets/Edema"}}) {
    const auto add = [&, one = first, two = second](const LayoutFile& file) {
      add_images(file);
      file.labels(one);
      file.numbers(two, {kPictures}, kOthers, H5T_STD_I64LE);
    };
    EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)made(add); }),
                AllOf(HasSubstr("may be the labels"), HasSubstr("--labels-key")));
    EXPECT_THAT(made(add, {.labels_key = first})->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
  }
}

TEST_F(Foreign, PatientsHaveIds) {
  for (const char* name : {"patient_id", "patient_ids", "patientId", "subject_id", "group"}) {
    const auto reader = made([&](const LayoutFile& file) {
      add_images(file);
      file.labels("/labels");
      file.words(name, {"a", "a", "b", "b", "c", "c"});
    });
    EXPECT_THAT(reader->groups("train"), ElementsAre("a", "a", "b", "b", "c", "c")) << name;
  }
}

TEST_F(Foreign, WhatMayMeanLabelsDoesWhereNothingIsCalledSo) {
  for (const char* name : {"diagnosis", "gt", "ground_truth", "cls", "category", "outcome"}) {
    const auto add = [&](const LayoutFile& file) {
      add_images(file);
      file.labels(name);
    };
    EXPECT_THAT(made(add)->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1)) << name;
    const auto with_labels = [&](const LayoutFile& file) {
      add(file);
      file.numbers("/labels", {kPictures}, kOthers, H5T_STD_I64LE);
    };
    EXPECT_THAT(made(with_labels)->labels("train"), ElementsAre(1, 0, 1, 0, 1, 0)) << name;
  }
}

TEST_F(Foreign, OneHotLabelsMayHaveAxesOfLengthOne) {
  for (const LayoutFile::Shape& shape : {LayoutFile::Shape{kPictures, 1, 2}, {kPictures, 2, 1}}) {
    const auto reader = made([&](const LayoutFile& file) {
      add_images(file);
      file.numbers("/labels", shape, {1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1}, H5T_IEEE_F32LE);
    });
    EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
    EXPECT_EQ(reader->layout().splits.front().label_form, "one-hot");
  }
}

TEST_F(Foreign, WordsThatDifferInCaseAreOneClass) {
  const auto reader = made([](const LayoutFile& file) {
    for (const char* split : {"/train", "/test"})
      file.numbers(split + std::string("/images"), testing::kNHW, pictures());
    file.words("/train/labels", {"NORMAL", "Pneumonia", "Normal", "PNEUMONIA", "NORMAL", "PNEUMONIA"});
    file.words("/test/labels", {"normal", "pneumonia", "normal", "pneumonia", "normal", "pneumonia"});
  });
  EXPECT_THAT(reader->classes(), ElementsAre("NORMAL", "Pneumonia"));
  for (const char* split : {"train", "test"}) EXPECT_THAT(reader->labels(split), ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST_F(Foreign, LabelsSayWhatTheirNumbersMean) {
  const auto reader = made([](const LayoutFile& file) {
    add_images(file);
    file.labels("/labels");
    const hid_t labels = H5Dopen2(file.id(), "/labels", H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    const hsize_t n = 2;
    const hid_t space = H5Screate_simple(1, &n, nullptr);
    const hid_t names = H5Acreate2(labels, "classes", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(names, type, "healthy\0sick\0\0\0\0");
    for (const auto close : {H5Aclose(names), H5Sclose(space), H5Tclose(type), H5Dclose(labels)}) EXPECT_GE(close, 0);
  });
  EXPECT_THAT(reader->classes(), ElementsAre("healthy", "sick"));
}

TEST_F(Foreign, PatientsAndNamesMayStandInTheTableOfLabels) {
  for (const char* header : {"patient", "Patient ID", "subject_id"}) {
    std::ofstream(folder_ / "a.csv") << header
                                     << ",filename,label,patient_age\np1,a,0,3\np1,b,1,4\np2,c,0,5\np2,d,1,6\n"
                                     << "p3,e,0,7\np3,f,1,8\n";
    const auto reader = made(add_images);
    EXPECT_THAT(reader->groups("train"), ElementsAre("p1", "p1", "p2", "p2", "p3", "p3")) << header;
    EXPECT_THAT(reader->sources("train"), ElementsAre("a", "b", "c", "d", "e", "f")) << header;
  }
}

TEST_F(Foreign, SplitsThatStandInATableAreSaidToBeUnused) {
  const auto warnings = [&](const std::string& last) {
    std::ofstream(folder_ / "a.csv") << "label,split\n0,train\n1,train\n0,train\n1,train\n0,train\n1," << last << "\n";
    return made(add_images)->layout().warnings;
  };
  EXPECT_THAT(warnings("test"), ElementsAre(AllOf(HasSubstr("a.csv"), HasSubstr("split, which is not used"))));
  EXPECT_THAT(warnings("train"), ::testing::IsEmpty());
}

TEST_F(Foreign, PicturesOfZerosAndOnesAreBlackAndWhite) {
  std::vector<double> values = pictures();
  for (double& value : values) value = value >= 128 ? 1 : 0;
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I8LE}) {
    const auto reader = made([&](const LayoutFile& file) {
      file.numbers("/images", testing::kNHW, values, type);
      file.labels("/labels");
    });
    std::vector<std::uint8_t> pixels(testing::kPixels);
    const std::int64_t row = 1;
    reader->read_rows("train", {&row, 1}, pixels.data());
    for (std::int64_t i = 0; i < testing::kPixels; ++i) {
      EXPECT_EQ(pixels[static_cast<std::size_t>(i)], 255 * values[static_cast<std::size_t>(testing::kPixels + i)]);
    }
  }
}

TEST_F(Foreign, SplitsThatAreScaledDifferentlyAreRefused) {
  const auto sentence = [&](double of_train, double of_test) {
    return testing::refused(ExitCode::kBadData, [&] {
      (void)made([&](const LayoutFile& file) {
        file.numbers("/x_train", testing::kNHW, pictures(0, of_train), H5T_IEEE_F32LE);
        file.labels("/y_train");
        file.numbers("/x_test", testing::kNHW, pictures(0, of_test), H5T_IEEE_F32LE);
        file.labels("/y_test");
      });
    });
  };
  EXPECT_THAT(sentence(1, 255), AllOf(HasSubstr("/x_test"),
                                      HasSubstr("lie between 0 and 255, those of split 'train' are "
                                                "read as 0 to 1"),
                                      HasSubstr("--range")));
  EXPECT_THAT(sentence(255, 1), HasSubstr("lie between 0 and 1, those of split 'train' are read as 0 to 255"));
}

TEST_F(Foreign, OneHotLabelsMayBeTurned) {
  const auto reader = made([](const LayoutFile& file) {
    add_images(file);
    file.numbers("/labels", {2, kPictures}, {1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1});
  });
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST_F(Foreign, BitsAreLabels) {
  const auto reader = made([](const LayoutFile& file) {
    add_images(file);
    const hsize_t n = kPictures;
    const hid_t space = H5Screate_simple(1, &n, nullptr);
    const hid_t labels = H5Dcreate2(file.id(), "labels", H5T_STD_B8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const std::array<std::uint8_t, 6> values{0, 1, 0, 1, 0, 1};
    H5Dwrite(labels, H5T_NATIVE_B8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(labels);
    H5Sclose(space);
  });
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST_F(Foreign, ATestSplitWithoutAnswersIsLeftOut) {
  const auto reader = made([](const LayoutFile& file) {
    file.numbers("/X_train", testing::kNHW, pictures());
    file.labels("/y_train");
    file.numbers("/X_test", testing::kNHW, pictures());
  });
  EXPECT_THAT(reader->splits(), ElementsAre("train"));
  EXPECT_THAT(reader->layout().warnings, Contains(AllOf(HasSubstr("split test is left out"), HasSubstr("no labels"))));
}

TEST_F(Foreign, AStrayNumberMakesNoHundredsOfClasses) {
  EXPECT_THAT(testing::refused(ExitCode::kBadData,
                               [&] {
                                 (void)made([](const LayoutFile& file) {
                                   add_images(file);
                                   file.numbers("/labels", {kPictures}, {0, 1, 0, 255, 0, 1}, H5T_STD_I64LE);
                                 });
                               }),
              AllOf(HasSubstr("label 255 of picture 3"), HasSubstr("256 classes")));
}

TEST_F(Foreign, NamesOfClassesDoNotReachTheTerminalRaw) {
  const auto reader = made([](const LayoutFile& file) {
    add_images(file);
    file.words("/labels", {"a\x1b[31m", "b", "a\x1b[31m", "b", "b", "b"});
  });
  EXPECT_THAT(reader->classes(), ElementsAre("a?[31m", "b"));
}

TEST_F(Foreign, AYesOrNoAPixelIsBlackOrWhite) {
  const auto reader = made([](const LayoutFile& file) {
    const hid_t yes_or_no = H5Tcreate(H5T_ENUM, 1);
    for (std::int8_t value = 0; value < 2; ++value) H5Tenum_insert(yes_or_no, value == 0 ? "FALSE" : "TRUE", &value);
    const LayoutFile::Shape shape = testing::kNHW;
    const hid_t space = H5Screate_simple(3, shape.data(), nullptr);
    const hid_t images = H5Dcreate2(file.id(), "images", yes_or_no, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<std::int8_t> values(static_cast<std::size_t>(kPictures * testing::kPixels));
    for (std::size_t i = 0; i < values.size(); i += 3) values[i] = 1;
    H5Dwrite(images, yes_or_no, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(images), H5Sclose(space), H5Tclose(yes_or_no);
    file.labels("/labels");
  });
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(testing::kPixels));
  const std::int64_t row = 0;
  reader->read_rows("train", {&row, 1}, pixels.data());
  EXPECT_EQ(pixels[0], 255);
  EXPECT_EQ(pixels[1], 0);
}

TEST_F(Foreign, RangesAreThoseOfDetectorsOrAsked) {
  const auto with = [&](double low, double high, hid_t type) {
    return made([&](const LayoutFile& file) {
      file.numbers("/images", testing::kNHW, pictures(low, high), type);
      file.labels("/labels");
    });
  };
  EXPECT_EQ(with(0, 1023, H5T_IEEE_F32LE)->layout().splits[0].range, "0 to 1023");
  EXPECT_EQ(with(-1024, 1000, H5T_IEEE_F32LE)->layout().splits[0].range, "-1024 to 1024");
  EXPECT_EQ(with(-128, 127, H5T_STD_I32LE)->layout().splits[0].range, "-128 to 127");
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)with(0, 1e6, H5T_IEEE_F32LE); }),
              HasSubstr("--range LOW-HIGH"));
}

TEST_F(Foreign, ALinkThatLeadsNowhereIsNamed) {
  EXPECT_THAT(testing::refused(ExitCode::kBadData,
                               [&] {
                                 (void)made([](const LayoutFile& file) {
                                   H5Lcreate_soft("/gone", file.id(), "images", H5P_DEFAULT, H5P_DEFAULT);
                                   file.labels("/labels");
                                 });
                               }),
              HasSubstr("its link /images leads nowhere"));
}

TEST_F(Foreign, TablesHaveSemicolonsTabsBlanksAndPaths) {
  for (const char* text : {"id;label\np0;a\np1;b\n", "id\tlabel\np0\ta\np1\tb\n", "id, label\np0, a\np1, b\n",
                           "id,label\ntrain/p0.jpg,a\nimages/p1.png,b\n", "\"id\" , label\n\"p0\", a\n\"p1\" ,b\n"}) {
    std::ofstream(folder_ / "t.csv") << text;
    const CsvTable table = read_csv_table(folder_ / "t.csv");
    ASSERT_TRUE(table.column("label")) << text;
    for (const std::vector<std::string>& ids : {std::vector<std::string>{"p1", "p0"}, {"p1.jpg", "x/p0.jpeg"}})
      EXPECT_THAT(table.values(*table.column("label"), ids, 2), ElementsAre("b", "a")) << text;
  }
  // Parts of a number of DICOM's are no extension.
  std::ofstream(folder_ / "t.csv") << "id,label\n1.2.3,a\n1.2.4,b\n";
  const CsvTable table = read_csv_table(folder_ / "t.csv");
  const std::vector<std::string> ids{"1.2.4", "1.2.5"};
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)table.values(1, ids, 2); }),
              HasSubstr("no row for 1.2.5"));
}

}  // namespace foreign_layout_test
}  // namespace xrai
