// Small trainings run as a user runs them: a drawn data set, a network of a few hundred parameters, one thread.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/train/checkpoint.h"
#include "runtime/train/history.h"
#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"

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

/// True as soon as `condition` is, false when half a minute has passed.
inline bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 30000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// A program that runs beside the test. Its errors go to a file.
class StartedProgram {
 public:
  /// `largest_file`: bytes; a longer file cannot be written.
  StartedProgram(const std::vector<std::string>& words, std::filesystem::path errors,
                 rlim_t largest_file = RLIM_INFINITY)
      : errors_(std::move(errors)) {
    std::vector<std::string> arguments = words;
    arguments[0] = std::string(XRAI_BIN) + "/" + words[0];
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    id_ = ::fork();
    if (id_ != 0) return;
    const int file = ::open(errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    const rlimit limit{largest_file, largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  StartedProgram(const StartedProgram&) = delete;
  StartedProgram& operator=(const StartedProgram&) = delete;
  ~StartedProgram() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  void send(int signal) const { ::kill(id_, signal); }
  /// Waits for its end.
  int exit_code() {
    int status = 0;
    rusage used{};
    ::wait4(id_, &status, 0, &used);
    id_ = -1;
    peak_bytes_ = static_cast<double>(used.ru_maxrss) * 1024;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// Most memory that it held at a time; after exit_code().
  [[nodiscard]] double peak_bytes() const { return peak_bytes_; }
  [[nodiscard]] std::string errors() const { return text_of(errors_); }

 private:
  std::filesystem::path errors_;
  pid_t id_ = -1;
  double peak_bytes_ = 0;
};

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
