// Runs a program beside the test, which watches what it does and sends it signals.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/run_command.h"

namespace xrai::testing {

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

}  // namespace xrai::testing
