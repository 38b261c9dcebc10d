// What is written comes back, in every type, layout and order of calls that the programs use.
#include "runtime/hdf5/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <thread>

#include "runtime/core/error.h"

namespace xrai::hdf5 {
namespace file_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Hdf5File : public ::testing::Test {
 protected:
  void SetUp() override {
    // Tests of a full disk end their process, and what other tests have asked the library before would end it
    // otherwise.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("xrai-hdf5-{}-{}", getpid(), ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::filesystem::path path(const char* name = "file.h5") const { return folder_ / name; }

  std::filesystem::path folder_;
};

/// The sentence of the Error that `call` throws, after its exit code: "3: reading ...".
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return fmt::format("{}: {}", static_cast<int>(error.code()), error.what());
  }
  return "nothing was thrown";
}

std::vector<float> ramp(std::size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 0.5f);
  return values;
}

template <class T>
void expect_extremes_return(const std::filesystem::path& path, const char* name) {
  const std::vector<T> values{std::numeric_limits<T>::lowest(), T{0}, T{1}, std::numeric_limits<T>::max()};
  {
    File file = File::create(path);
    file.write<T>(name, {2, 2}, values.data());
    file.close();
  }
  const File file = File::open(path);
  EXPECT_EQ(file.read<T>(name), values) << name;
  EXPECT_EQ(file.info(name).type, type_of<T>()) << name;
  EXPECT_THAT(file.info(name).shape, ElementsAre(2, 2)) << name;
}

TEST_F(Hdf5File, ExtremesOfEveryTypeReturn) {
  expect_extremes_return<std::int8_t>(path("i8"), "/a/b/i8");
  expect_extremes_return<std::uint8_t>(path("u8"), "/a/b/u8");
  expect_extremes_return<std::int16_t>(path("i16"), "/i16");
  expect_extremes_return<std::uint16_t>(path("u16"), "/u16");
  expect_extremes_return<std::int32_t>(path("i32"), "/i32");
  expect_extremes_return<std::uint32_t>(path("u32"), "/u32");
  expect_extremes_return<std::int64_t>(path("i64"), "/i64");
  expect_extremes_return<std::uint64_t>(path("u64"), "/u64");
  expect_extremes_return<float>(path("f32"), "/f32");
  expect_extremes_return<double>(path("f64"), "/f64");
}

TEST_F(Hdf5File, RowsReturnFromEveryLayout) {
  const auto values = ramp(10 * 6);
  const CreateOptions layouts[] = {{}, {{3, 6}, 0, false}, {{3, 6}, 4, false}, {{4, 5}, 1, true}};
  int number = 0;
  for (const CreateOptions& layout : layouts) {
    const auto place = path(fmt::format("{}.h5", number++).c_str());
    File file = File::create(place);
    file.create_dataset<float>("/x", {10, 6}, layout);
    file.write_rows("/x", 4, 6, values.data() + 24);
    file.write_rows("/x", 0, 4, values.data());
    file.close();
    const File read = File::open(place);
    EXPECT_EQ(read.read<float>("/x"), values);
    std::vector<float> rows(12);
    read.read_rows("/x", 3, 2, rows.data());
    EXPECT_EQ(rows, std::vector<float>(values.begin() + 18, values.begin() + 30));
    EXPECT_EQ(read.info("/x").filters.empty(), layout.deflate_level == 0);
  }
}

TEST_F(Hdf5File, AppendedRowsFollowEachOther) {
  const auto values = ramp(9 * 2);
  File file = File::create(path());
  file.create_dataset<float>("/grown", {0, 2}, {.chunk_shape = {4, 2}, .growable = true});
  for (std::uint64_t row = 0; row < 9; row += 3) file.append_rows("/grown", 3, values.data() + row * 2);
  file.close();
  EXPECT_EQ(File::open(path()).read<float>("/grown"), values);
}

/// Pointers to the rows of (n, row) values, each of which lies somewhere of its own.
std::vector<const float*> rows_apart(const std::vector<std::vector<float>>& rows) {
  std::vector<const float*> pointers;
  for (const auto& row : rows) pointers.push_back(row.data());
  return pointers;
}

// Whole chunks, parts of one, several at once, and what the library alone can write, in every order.
TEST_F(Hdf5File, RowsThatLieApartFollowEachOther) {
  const auto values = ramp(23 * 6);
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < 23; ++i) rows.emplace_back(values.begin() + i * 6, values.begin() + (i + 1) * 6);
  const std::vector<const float*> pointers = rows_apart(rows);
  const std::vector<CreateOptions> kinds{{.chunk_shape = {4, 2, 3}, .growable = true},
                                         {.chunk_shape = {4, 2, 2}, .growable = true},
                                         {.chunk_shape = {4, 2, 3}, .deflate_level = 1, .growable = true}};
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const std::string name = fmt::format("{}.h5", kind);
    File file = File::create(path(name.c_str()));
    file.create_dataset<float>("/grown", {0, 2, 3}, kinds[kind]);
    std::size_t first = 0;
    for (const std::size_t count : {4, 4, 3, 1, 8, 2, 1}) {
      file.append_rows<float>("/grown", std::span(pointers).subspan(first, count));
      first += count;
    }
    file.close();
    const File read = File::open(path(name.c_str()));
    EXPECT_EQ(read.info("/grown").shape, (std::vector<std::uint64_t>{23, 2, 3}));
    EXPECT_EQ(read.read<float>("/grown"), values) << kind;
  }
}

// The system takes 1024 pieces in a call at most.
TEST_F(Hdf5File, ThousandsOfRowsThatLieApartFillOneChunk) {
  const auto values = ramp(3000);
  std::vector<const float*> pointers;
  for (const float& value : values) pointers.push_back(&value);
  File file = File::create(path());
  file.create_dataset<float>("/grown", {0, 1}, {.chunk_shape = {3000, 1}, .growable = true});
  file.append_rows<float>("/grown", pointers);
  file.append_rows<float>("/grown", std::span(pointers).first(5));
  file.close();
  std::vector<float> expected = values;
  expected.insert(expected.end(), values.begin(), values.begin() + 5);
  EXPECT_EQ(File::open(path()).read<float>("/grown"), expected);
}

TEST_F(Hdf5File, ScalarsAndEmptyArraysAreData) {
  const double pi = 3.14159;
  File file = File::create(path());
  file.write<double>("/scalar", {}, &pi);
  file.write<double>("/empty", {0, 7}, nullptr);
  file.write_strings("/no_names", {});
  file.close();
  const File read = File::open(path());
  EXPECT_THAT(read.read<double>("/scalar"), ElementsAre(pi));
  EXPECT_THAT(read.read<double>("/empty"), ElementsAre());
  EXPECT_THAT(read.read_strings("/no_names"), ElementsAre());
}

TEST_F(Hdf5File, NumbersAreConvertedToTheTypeAskedFor) {
  const std::int64_t labels[] = {0, 1, 300, -5};
  File file = File::create(path());
  file.write<std::int64_t>("/labels", {4}, labels);
  file.close();
  EXPECT_THAT(File::open(path()).read<std::int32_t>("/labels"), ElementsAre(0, 1, 300, -5));
  EXPECT_THAT(File::open(path()).read<std::uint8_t>("/labels"), ElementsAre(0, 1, 255, 0));
}

TEST_F(Hdf5File, StringsAndAttributesReturnWithTheirAccents) {
  const std::string long_text(200'000, 'x');  // past the 64 KiB that an object header holds
  File file = File::create(path());
  file.write_strings("/train/source", {"é_1.jpeg", "", "b c.png"});
  file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
  file.set_attribute("/", "config", long_text);
  file.set_attribute("/", "size", std::int64_t{224});
  file.set_attribute("/", "size", std::int64_t{128});
  file.set_attribute("/train", "mean", 0.25);
  file.set_attribute("/", "none", std::vector<std::string>{});
  file.close();
  const File read = File::open(path());
  EXPECT_THAT(read.read_strings("/train/source"), ElementsAre("é_1.jpeg", "", "b c.png"));
  EXPECT_EQ(read.attribute("/", "classes"), Attribute(std::vector<std::string>{"NORMAL", "PNEUMONIA"}));
  EXPECT_EQ(read.attribute("/", "config"), Attribute(long_text));
  EXPECT_EQ(read.attribute("/", "size"), Attribute(std::int64_t{128}));
  EXPECT_EQ(read.attribute("/train", "mean"), Attribute(0.25));
  EXPECT_EQ(read.attribute("/", "none"), Attribute(std::vector<std::string>{}));
  EXPECT_EQ(read.attribute("/", "absent"), std::nullopt);
}

TEST_F(Hdf5File, NamesAreListedInOrder) {
  File file = File::create(path());
  for (const char* name : {"/val/labels", "/test/labels", "/train/labels", "/train/images"}) {
    file.write_strings(name, {"x"});
  }
  EXPECT_THAT(file.names_in("/"), ElementsAre("test", "train", "val"));
  EXPECT_THAT(file.names_in("/train"), ElementsAre("images", "labels"));
  EXPECT_TRUE(file.has("/train/images"));
  EXPECT_FALSE(file.has("/train/images/x"));
  EXPECT_FALSE(file.has("/absent/images"));
  EXPECT_TRUE(file.is_dataset("/train/images"));
  EXPECT_FALSE(file.is_dataset("/train"));
}

TEST_F(Hdf5File, MistakesAreSentencesWithFileAndObject) {
  File file = File::create(path());
  file.write_strings("/g/names", {"x"});
  const float value = 1;
  file.write<float>("/value", {1, 1}, &value);
  float out = 0;
  EXPECT_THAT(
      error_of([&] { (void)file.read<float>("/absent"); }),
      ::testing::AllOf(HasSubstr("3: reading /absent of "), HasSubstr("file.h5"), HasSubstr("no such data set")));
  EXPECT_THAT(error_of([&] { (void)file.read<float>("/g"); }), HasSubstr("it is a group"));
  EXPECT_THAT(error_of([&] { (void)file.read<float>("/g/names"); }), HasSubstr("not numbers"));
  EXPECT_THAT(error_of([&] { (void)file.read_strings("/value"); }), HasSubstr("not strings"));
  EXPECT_THAT(error_of([&] { file.read_rows("/value", 1, 1, &out); }), HasSubstr("rows 1 to 2 were asked for"));
  EXPECT_THAT(error_of([&] { file.read_rows("/value", ~std::uint64_t{0}, 2, &out); }), HasSubstr("were asked for"));
  EXPECT_THAT(error_of([&] { file.write<float>("/value", {1}, &value); }), HasSubstr("7: writing /value of "));
  EXPECT_THAT(error_of([&] { (void)File::create(path()); }), HasSubstr("already there"));
  EXPECT_THAT(error_of([&] { (void)File::create(path("no/such/folder.h5")); }), HasSubstr("No such file or directory"));
  EXPECT_THAT(error_of([&] { (void)File::open(path("absent.h5")); }), HasSubstr("3: opening "));
  EXPECT_THAT(error_of([&] { (void)File::open(folder_); }), HasSubstr("it is not a file"));
  std::ofstream(path("text.h5")) << "not an HDF5 file, though its name says so";
  EXPECT_THAT(error_of([&] { (void)File::open(path("text.h5")); }), HasSubstr("it is not an HDF5 file"));
  file.close();
  EXPECT_THAT(error_of([&] { (void)file.has("/"); }), HasSubstr("after it had been closed"));
}

TEST_F(Hdf5File, ShapeThatTheFileCannotHoldIsRefusedBeforeAllocation) {
  File file = File::create(path());
  file.create_dataset<std::uint8_t>("/huge", {std::uint64_t{1} << 45, 224, 224}, {.chunk_shape = {1, 224, 224}});
  file.create_dataset<std::uint8_t>("/unwritten", {8, 8});
  EXPECT_THAT(error_of([&] { (void)file.read<std::uint8_t>("/huge"); }), HasSubstr("stored bytes cannot hold"));
  EXPECT_EQ(file.read<std::uint8_t>("/unwritten"), std::vector<std::uint8_t>(64, 0));
}

TEST_F(Hdf5File, ThreadsMayUseTheirFilesAtTheSameTime) {
  const auto work = [this](const char* name) {
    for (int round = 0; round < 20; ++round) {
      std::filesystem::remove(path(name));
      File file = File::create(path(name));
      const auto values = ramp(2000);
      file.write<float>("/values", {2000}, values.data());
      file.set_attribute("/", "round", std::int64_t{round});
      file.close();
      EXPECT_EQ(File::open(path(name)).read<float>("/values"), values);
      EXPECT_THROW((void)File::open(path("absent.h5")), Error);
    }
  };
  std::thread first(work, "first.h5"), second(work, "second.h5");
  first.join();
  second.join();
}

// Runs in a child process: the limit on file sizes cannot be taken back for a whole process safely.
TEST_F(Hdf5File, FullDiskIsOneSentenceAndNotAHang) {
  const auto write_too_much = [this] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string sentence = error_of([this] {
      File file = File::create(path());
      const std::vector<float> values(1'000'000, 1.0f);
      file.write<float>("/weights", {values.size()}, values.data());
      file.close();
    });
    std::fprintf(stderr, "%s\n", sentence.c_str());
    std::exit(sentence.starts_with("7: ") ? 7 : 1);
  };
  EXPECT_EXIT(write_too_much(), ::testing::ExitedWithCode(7), "^7: [^\n]*/weights of [^\n]*File too large[^\n]*\n$");
}

TEST_F(Hdf5File, FullDiskUnderRowsThatLieApartIsTheSameSentence) {
  const auto write_too_much = [this] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};  // ends inside the first chunk
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::vector<float> row(1000, 1.0f);
    const std::vector<const float*> rows(50, row.data());
    const std::string sentence = error_of([&] {
      File file = File::create(path());
      file.create_dataset<float>("/images", {0, 1000}, {.chunk_shape = {50, 1000}, .growable = true});
      file.append_rows<float>("/images", rows);
      file.close();
    });
    std::fprintf(stderr, "%s\n", sentence.c_str());
    std::exit(sentence.starts_with("7: ") ? 7 : 1);
  };
  EXPECT_EXIT(write_too_much(), ::testing::ExitedWithCode(7),
              "^7: writing /images of [^\n]*File too large; check the folder's free space[^\n]*\n$");
}

TEST_F(Hdf5File, WriteThatFailsOnlyAtTheEndIsReportedByClose) {
  const auto write_small = [this] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{600, 600};  // the headers alone are larger, and they stay in memory until the end
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::string sentence = error_of([this] {
      File file = File::create(path());
      for (int i = 0; i < 40; ++i) file.set_attribute("/", fmt::format("note {}", i), std::int64_t{i});
      file.close();
    });
    std::fprintf(stderr, "%s\n", sentence.c_str());
    std::exit(sentence.starts_with("7: closing") ? 7 : 1);
  };
  EXPECT_EXIT(write_small(), ::testing::ExitedWithCode(7), "closing .*File too large");
}

/// What python prints, or nothing where it has no h5py.
std::optional<std::string> python(const std::string& program, const std::filesystem::path& argument) {
  if (std::system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0) return std::nullopt;
  const std::string command = fmt::format("/usr/bin/python3 -c \"{}\" {}", program, argument.string());
  std::string printed;
  FILE* pipe = popen(command.c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) printed += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return printed;
}

TEST_F(Hdf5File, H5pyReadsWhatWeWrite) {
  File file = File::create(path());
  const std::uint8_t pixels[] = {1, 2, 3, 255};
  file.write<std::uint8_t>("/train/images", {1, 2, 2}, pixels, {.chunk_shape = {1, 2, 2}, .deflate_level = 1});
  file.write_strings("/train/source", {"é.png"});
  file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
  file.set_attribute("/", "fit", std::string("pad"));
  file.set_attribute("/", "size", std::int64_t{2});
  file.close();
  const auto printed = python(
      "import h5py, sys\n"
      "f = h5py.File(sys.argv[1], 'r')\n"
      "x = f['train/images']\n"
      "print(x.shape, x.dtype, x[0].tolist(), x.compression)\n"
      "print(ascii(f['train/source'].asstr()[0]), list(f.attrs['classes']), f.attrs['fit'], f.attrs['size'])\n",
      path());
  if (!printed) GTEST_SKIP() << "h5py is not installed (apt-get install python3-h5py)";
  EXPECT_EQ(*printed,
            "(1, 2, 2) uint8 [[1, 2], [3, 255]] gzip\n"
            "'\\xe9.png' ['NORMAL', 'PNEUMONIA'] pad 2\n");
}

TEST_F(Hdf5File, WhatH5pyWritesIsRead) {
  const auto printed = python(
      "import h5py, numpy as np, sys\n"
      "f = h5py.File(sys.argv[1], 'w', libver='latest')\n"
      "f['flags'] = np.array([True, False, True])\n"
      "f['big'] = np.arange(4, dtype='>u2')\n"
      "f['fixed'] = np.array([b'NORMAL', b'VIRUS'])\n"
      "f['half'] = np.array([0.5, 2], dtype='f2')\n"
      "f.create_dataset('packed', data=np.arange(100).reshape(50, 2), compression='gzip', shuffle=True, "
      "fletcher32=True, chunks=(7, 2))\n"
      "f.attrs['synthetic'] = True\n"
      "f.attrs['names'] = ['a', 'b']\n"
      "f.attrs['bytes'] = np.bytes_('raw')\n"
      "f.attrs['mean'] = np.float32(0.5)\n"
      "f['alias'] = h5py.SoftLink('/big')\n"
      "f['nowhere'] = h5py.SoftLink('/gone')\n",
      path());
  if (!printed) GTEST_SKIP() << "h5py is not installed (apt-get install python3-h5py)";
  const File file = File::open(path());
  EXPECT_THAT(file.read<std::uint8_t>("/flags"), ElementsAre(1, 0, 1));
  EXPECT_THAT(file.read<std::int64_t>("/flags"), ElementsAre(1, 0, 1));
  EXPECT_THAT(file.read<std::int32_t>("/alias"), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(file.read<float>("/half"), ElementsAre(0.5f, 2.0f));
  EXPECT_THAT(file.read_strings("/fixed"), ElementsAre("NORMAL", "VIRUS"));
  EXPECT_THAT(file.info("/packed").filters, ElementsAre("shuffle", "deflate(4)", "fletcher32"));
  EXPECT_EQ(file.read<int>("/packed")[99], 99);
  EXPECT_FALSE(file.has("/nowhere"));
  EXPECT_EQ(file.attribute("/", "synthetic"), Attribute(std::int64_t{1}));
  EXPECT_EQ(file.attribute("/", "names"), Attribute(std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.attribute("/", "bytes"), Attribute(std::string("raw")));
  EXPECT_EQ(file.attribute("/", "mean"), Attribute(0.5));
}

}  // namespace file_test
}  // namespace xrai::hdf5
