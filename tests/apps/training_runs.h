// Small trainings run as a user runs them: a drawn data set, a network of a few hundred parameters, one thread.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/train/checkpoint.h"
#include "runtime/train/history.h"
#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"
#include "tests/support/started_program.h"

namespace xrai::testing {

/// Batch norm and dropout are there because they have state and random numbers of their own.
inline constexpr const char* kTinyModel = R"(name = "tiny"
[[layer]]
type = "convolution"
name = "conv1"
filters = 4
kernel = 3
padding = "same"
bias = false
[[layer]]
type = "batch_norm"
name = "norm1"
[[layer]]
type = "relu"
name = "relu1"
[[layer]]
type = "max_pool"
name = "pool1"
kernel = 4
[[layer]]
type = "global_average_pool"
name = "average"
[[layer]]
type = "dropout"
name = "dropout"
probability = 0.2
[[layer]]
type = "dense"
name = "dense"
)";

inline std::string quoted(const std::filesystem::path& path) {
  return "'" + path.string() + "'";
}

class TrainingRuns : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto drawn = run_command("xrai_dataset synth " + quoted(data()) + " --images 60 --size 32");
    ASSERT_EQ(drawn.exit_code, 0) << drawn.errors;
    std::ofstream(folder_ / "tiny.toml") << kTinyModel;
  }
  [[nodiscard]] std::filesystem::path data() const { return folder_ / "d.h5"; }
  [[nodiscard]] std::filesystem::path run(const std::string& name) const { return folder_ / name; }

  /// One thread: on a busy machine more of them wait for each other.
  [[nodiscard]] std::string command(const std::string& name, const std::string& more) const {
    return "xrai_gpu_train --data " + quoted(data()) + " --out " + quoted(run(name)) + " --threads 1 " + more;
  }
  [[nodiscard]] std::string new_run(const std::string& name, const std::string& more) const {
    return command(name, "--members 1 --model " + quoted(folder_ / "tiny.toml") + " " + more);
  }
  [[nodiscard]] std::vector<std::string> words(const std::string& name, const std::vector<std::string>& more) const {
    std::vector<std::string> all{"xrai_gpu_train",
                                 "--data",
                                 data().string(),
                                 "--out",
                                 run(name).string(),
                                 "--threads",
                                 "1",
                                 "--members",
                                 "1",
                                 "--model",
                                 (folder_ / "tiny.toml").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] std::string checksum(const std::string& name, const std::string& file = "last.h5") const {
    return read_checkpoint(run(name) / "checkpoints" / file).checksum;
  }
  [[nodiscard]] bool has_step_line(const std::string& name) const {
    return text_of(run(name) / "metrics.jsonl").find("\"kind\":\"step\"") != std::string::npos;
  }

  TemporaryFolder folder_;
};

}  // namespace xrai::testing
