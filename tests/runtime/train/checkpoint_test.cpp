// Checkpoints come back to the bit, read as one expects from outside, and are either whole or refused.
#include "runtime/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

// The HDF5 library loses memory when it gives up on damaged metadata; what xrai itself loses is still reported.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace xrai {
namespace checkpoint_test {

using ::testing::HasSubstr;
using testing::refused;
using testing::TemporaryFolder;
using testing::Values;

using Bytes = std::vector<char>;

Bytes bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void write(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    model_.parameters().initialise(5);
    // State as it is in the middle of a run: nothing is zero, nothing is like anything else.
    std::uint64_t stream = 70;
    for (const Optimiser::State& state : optimiser_.states()) fill(state.values, model_.parameters().count(), ++stream);
    fill(model_.parameters().statistics(), model_.parameters().statistics_count(), 80);
    state_ = {123456789012, 7, 1024, 0.1, 17, 0.123456789, 6};
    save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  }
  static void fill(float* values, std::int64_t n, std::uint64_t stream) {
    const Values random = testing::random_values(n, stream);
    std::copy(random.begin(), random.end(), values);
  }
  [[nodiscard]] std::vector<Values> arenas(Model& model, const Optimiser& optimiser) const {
    std::vector<Values> all;
    const auto add = [&](const float* arena) {
      for (const ParameterSpec& spec : model.parameters().specs())
        all.emplace_back(arena + spec.offset, arena + spec.offset + spec.count());
    };
    add(model.parameters().values());
    for (const Optimiser::State& state : optimiser.states()) add(state.values);
    for (const StatisticsSpec& spec : model.parameters().statistics_specs())
      for (const std::int64_t offset : {spec.mean_offset, spec.variance_offset}) {
        const float* first = model.parameters().statistics() + offset;
        all.emplace_back(first, first + spec.channels);
      }
    return all;
  }

  static constexpr Shape kPictureShape{1, 12, 12, 1};
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "last.h5";
  std::unique_ptr<Device> device_ = make_cpu_device(1);
  Model model_{*device_, testing::toy_network(), kPictureShape, 2};
  TrainSettings settings_ = testing::toy_settings();
  Optimiser optimiser_{*device_, model_.parameters(), settings_.optimiser};
  CheckpointFacts facts_ = testing::toy_facts(settings_);
  TrainingState state_;
};

TEST_F(CheckpointTest, EverythingComesBackToTheBit) {
  facts_.seed = 0xFFFFFFFFFFFFFFF0ull;
  facts_.synthetic_data = true;
  facts_.input.view = {0.9f, 0.1f, 0.3f, true};
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  const Checkpoint read = read_checkpoint(path_);
  EXPECT_EQ(read.state, state_);
  EXPECT_EQ(to_toml(read.model), to_toml(model_.spec()));
  EXPECT_EQ(read.facts.config_toml, facts_.config_toml);
  EXPECT_EQ(read.facts.classes, facts_.classes);
  EXPECT_EQ(read.facts.preprocessing.stored_size, facts_.preprocessing.stored_size);
  EXPECT_EQ(read.facts.preprocessing.fit, facts_.preprocessing.fit);
  EXPECT_EQ(read.facts.preprocessing.decoder, facts_.preprocessing.decoder);
  EXPECT_EQ(read.facts.input.image_size, facts_.input.image_size);
  EXPECT_EQ(read.facts.input.view.crop, 0.9f);
  EXPECT_EQ(read.facts.input.view.mean, 0.1f);
  EXPECT_EQ(read.facts.input.view.deviation, 0.3f);
  EXPECT_TRUE(read.facts.input.view.standardise);
  EXPECT_EQ(read.facts.seed, facts_.seed);
  EXPECT_EQ(read.facts.threshold, facts_.threshold);
  EXPECT_EQ(read.facts.threshold_rule, facts_.threshold_rule);
  EXPECT_TRUE(read.facts.synthetic_data);

  Model other(*device_, read.model, kPictureShape, 2);
  Optimiser optimiser(*device_, other.parameters(), settings_.optimiser);
  restore(read, other, &optimiser);
  EXPECT_EQ(arenas(model_, optimiser_), arenas(other, optimiser));
}

TEST_F(CheckpointTest, WhatIsFittedAfterwardsIsWrittenBesideWeightsThatStay) {
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  const Checkpoint before = read_checkpoint(path_);
  EXPECT_FALSE(before.facts.temperature);
  EXPECT_TRUE(before.facts.validation.labels.empty());
  const auto change = [](CheckpointFacts& facts) {
    facts.temperature = 1.25;
    facts.temperature_note = "1.1 to 1.4";
    facts.threshold = 0.37;
    facts.threshold_note = "3 validation pictures";
    facts.validation = {{0, 1, 1}, {0.9f, 0.1f, 0.25f, 0.75f, 0.5f, 0.5f}};
  };
  rewrite_facts(path_, change);
  const Checkpoint after = read_checkpoint(path_);
  EXPECT_EQ(after.facts.temperature, 1.25);
  EXPECT_EQ(after.facts.temperature_note, "1.1 to 1.4");
  EXPECT_EQ(after.facts.threshold, 0.37);
  EXPECT_EQ(after.facts.threshold_note, "3 validation pictures");
  EXPECT_EQ(after.facts.validation.labels, (std::vector<std::int32_t>{0, 1, 1}));
  EXPECT_EQ(after.facts.validation.probabilities[3], 0.75f);
  EXPECT_EQ(after.tensors, before.tensors);
  EXPECT_EQ(after.state, before.state);
  EXPECT_NE(after.checksum, before.checksum);
  const std::string once = after.checksum;
  rewrite_facts(path_, change);
  EXPECT_EQ(read_checkpoint(path_).checksum, once);
}

TEST_F(CheckpointTest, FactsThatCannotBeAreRefused) {
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  const auto with = [&](const std::function<void(CheckpointFacts&)>& change) {
    rewrite_facts(path_, change);
    const std::string sentence = refused(ExitCode::kBadData, [&] { (void)read_checkpoint(path_); });
    save_checkpoint(path_, model_, &optimiser_, facts_, state_);
    return sentence;
  };
  EXPECT_THAT(with([](CheckpointFacts& f) { f.temperature = 0.0; }), HasSubstr("temperature"));
  EXPECT_THAT(with([](CheckpointFacts& f) {
                f.validation = {{0, 2}, {0.5f, 0.5f, 0.5f, 0.5f}};
              }),
              HasSubstr("validation scores"));
  EXPECT_THAT(with([](CheckpointFacts& f) { f.validation = {{0}, {0.5f}}; }), HasSubstr("validation scores"));
}

TEST_F(CheckpointTest, NoBestScoreYetIsNotAScoreOfZero) {
  state_.best_score.reset();
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  EXPECT_FALSE(read_checkpoint(path_).state.best_score.has_value());
}

TEST_F(CheckpointTest, TheSameStateGivesTheSameChecksumAndAnyChangeAnother) {
  const std::string first = read_checkpoint(path_).checksum;
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  EXPECT_EQ(first, read_checkpoint(path_).checksum);
  ++state_.position;
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  EXPECT_NE(first, read_checkpoint(path_).checksum);
  --state_.position;
  model_.parameters().values()[3] = std::nextafter(model_.parameters().values()[3], 2.0f);
  save_checkpoint(path_, model_, &optimiser_, facts_, state_);
  EXPECT_NE(first, read_checkpoint(path_).checksum);
}

TEST_F(CheckpointTest, WeightsLieInTheFileAsOutputsInputsHeightWidth) {
  const hdf5::File file = hdf5::File::open(path_);
  const char* name = "/parameters/convolution5.weight";
  EXPECT_EQ(file.info(name).shape, (std::vector<std::uint64_t>{17, 6, 3, 3}));
  const Values canonical = file.read<float>(name);
  for (const ParameterSpec& spec : model_.parameters().specs()) {
    if (spec.name != "convolution5.weight") continue;
    const float* stored = model_.parameters().values() + spec.offset;
    for (std::size_t o = 0; o < 17; ++o)
      for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t place = 0; place < 9; ++place)
          ASSERT_EQ(canonical[(o * 6 + i) * 9 + place], stored[(o * 9 + place) * 6 + i]);
  }
}

TEST_F(CheckpointTest, H5pyReadsTheSameNumbers) {
  if (std::system("/usr/bin/python3 -c 'import h5py' 2> /dev/null") != 0)
    GTEST_SKIP() << "python3-h5py is not installed";
  const std::string command = "/usr/bin/python3 -c \"import h5py; f = h5py.File('" + path_.string() +
                              "'); w = f['parameters/convolution5.weight']; print(w.shape, w.dtype, "
                              "repr(float(w[16, 5, 2, 1])), list(f.attrs['classes']), f.attrs['step'])\"";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char line[512] = {};
  EXPECT_NE(std::fgets(line, sizeof line, pipe), nullptr);
  EXPECT_EQ(::pclose(pipe), 0);
  const double weight = read_checkpoint(path_).tensors.at("/parameters/convolution5.weight")[(16 * 6 + 5) * 9 + 7];
  EXPECT_THAT(line, HasSubstr(fmt::format("(17, 6, 3, 3) float32 {}", weight)));
  EXPECT_THAT(line, HasSubstr("'NORMAL', 'PNEUMONIA'"));
  EXPECT_THAT(line, HasSubstr("123456789012"));
}

TEST_F(CheckpointTest, AFlippedByteIsFoundOrDoesNotMatter) {
  const Bytes whole = bytes_of(path_);
  const Checkpoint good = read_checkpoint(path_);
  const std::filesystem::path damaged = folder_ / "damaged.h5";
  int n_found = 0, n_tried = 0;
  // A stride that is prime to every structure in the file, and all of its beginning.
  for (std::size_t at = 0; at < whole.size(); at += at < 256 ? 1 : 149, ++n_tried) {
    Bytes bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (at % 2 == 0 ? 0xFF : 0x10));
    write(damaged, bytes);
    try {
      const Checkpoint read = read_checkpoint(damaged);
      EXPECT_EQ(read.tensors, good.tensors) << "byte " << at;
      EXPECT_EQ(read.state, good.state) << "byte " << at;
      EXPECT_EQ(to_toml(read.model), to_toml(good.model)) << "byte " << at;
      EXPECT_EQ(read.facts.classes, good.facts.classes) << "byte " << at;
      EXPECT_EQ(read.facts.config_toml, good.facts.config_toml) << "byte " << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData) << "byte " << at << ": " << error.what();
      EXPECT_THAT(error.what(), HasSubstr("damaged.h5"));
      ++n_found;
    }
  }
  EXPECT_GT(n_found, n_tried / 10);
}

TEST_F(CheckpointTest, AFlippedBitOfAWeightIsFound) {
  // The first weight's bytes, found in the file by their values.
  const float* weights = model_.parameters().values();
  const auto* pattern = reinterpret_cast<const char*>(weights);
  Bytes bytes = bytes_of(path_);
  const auto at = std::search(bytes.begin(), bytes.end(), pattern, pattern + 36);  // one channel in: layouts agree
  ASSERT_NE(at, bytes.end());
  *at = static_cast<char>(*at ^ 1);
  write(path_, bytes);
  const std::string said = refused(ExitCode::kBadData, [&] { (void)read_checkpoint(path_); });
  EXPECT_THAT(said, HasSubstr("checksum does not match"));
  EXPECT_THAT(said, HasSubstr(path_.string()));
}

TEST_F(CheckpointTest, ATruncatedFileIsRefused) {
  const Bytes whole = bytes_of(path_);
  for (const double part : {0.0, 0.001, 0.1, 0.5, 0.9, 0.999}) {
    write(path_,
          Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(whole.size()))));
    EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)read_checkpoint(path_); }), HasSubstr("last.h5"));
  }
}

TEST_F(CheckpointTest, OtherFilesAreToldApart) {
  const std::filesystem::path data = folder_ / "data.h5", newer = folder_ / "newer.h5";
  hdf5::File::create(data).close();
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)read_checkpoint(data); }), HasSubstr("--data"));
  {
    hdf5::File file = hdf5::File::create(newer);
    file.set_attribute("/", "xrai_checkpoint", std::int64_t{3});
    file.close();
  }
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)read_checkpoint(newer); }), HasSubstr("format version 3"));
  refused(ExitCode::kBadData, [&] { (void)read_checkpoint(folder_ / "missing.h5"); });
}

TEST_F(CheckpointTest, AnotherModelIsRefusedByName) {
  ModelSpec wider = testing::toy_network();
  std::get<ConvolutionLayer>(wider.layers[4].kind).filters = 18;
  Model other(*device_, wider, kPictureShape, 2);
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { restore(read_checkpoint(path_), other, nullptr); }),
              HasSubstr("/parameters/convolution5.weight"));
}

TEST_F(CheckpointTest, AnotherOptimisersStateIsRefusedByName) {
  OptimiserSettings sgd;
  sgd.kind = OptimiserKind::kSgd;
  Optimiser other(*device_, model_.parameters(), sgd);
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { restore(read_checkpoint(path_), model_, &other); }),
              HasSubstr("/optimiser/velocity/"));
}

TEST_F(CheckpointTest, WeightsAloneCanBeSaved) {
  save_checkpoint(path_, model_, nullptr, facts_, state_);
  const Checkpoint read = read_checkpoint(path_);
  restore(read, model_, nullptr);
  refused(ExitCode::kBadData, [&] { restore(read, model_, &optimiser_); });
}

TEST_F(CheckpointTest, AMissingFolderIsAStorageError) {
  EXPECT_THAT(refused(ExitCode::kStorage,
                      [&] { save_checkpoint(folder_ / "no" / "last.h5", model_, &optimiser_, facts_, state_); }),
              HasSubstr("last.h5"));
}

// What a full disk is to the program, without one: no file may grow beyond a few kilobytes.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(CheckpointTest, AWriteThatFailsLeavesTheOldFileAndNothingElse) {
  const Bytes before = bytes_of(path_);
  ++state_.step;
  for (const rlim_t limit : {0, 3000, 12000}) {
    const FileSizeLimit full(limit);
    refused(ExitCode::kStorage, [&] { save_checkpoint(path_, model_, &optimiser_, facts_, state_); });
  }
  EXPECT_EQ(before, bytes_of(path_));
  const std::filesystem::directory_iterator files(folder_.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(CheckpointTest, ARunFolderMeansItsBestElseItsLast) {
  const std::filesystem::path run = folder_ / "run";
  refused(ExitCode::kBadData, [&] { (void)find_checkpoint(run); });
  std::filesystem::create_directories(run / "checkpoints");
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)find_checkpoint(run); }), HasSubstr("checkpoints/best.h5"));
  std::filesystem::copy_file(path_, run / "checkpoints" / "last.h5");
  EXPECT_EQ(find_checkpoint(run), run / "checkpoints" / "last.h5");
  std::filesystem::copy_file(path_, run / "checkpoints" / "best.h5");
  EXPECT_EQ(find_checkpoint(run), run / "checkpoints" / "best.h5");
  EXPECT_EQ(find_checkpoint(path_), path_);
}

}  // namespace checkpoint_test
}  // namespace xrai
