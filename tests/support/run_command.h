// Runs a program as a user would: through the shell, with its two outputs and its exit code.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/picture_files.h"

namespace xrai::testing {

struct CommandResult {
  int exit_code = -1;
  std::string output, errors;
};

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Anything a shell takes.
inline CommandResult run_shell(const std::string& commands) {
  const TemporaryFolder folder;
  const std::string line =
      "(" + commands + "\n) > '" + (folder / "out").string() + "' 2> '" + (folder / "err").string() + "' < /dev/null";
  const int status = std::system(line.c_str());  // NOLINT: the shell is what users have
  CommandResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.output = text_of(folder / "out");
  result.errors = text_of(folder / "err");
  return result;
}

/// `command` begins with the program's name in the folder of built programs.
inline CommandResult run_command(const std::string& command) {
  return run_shell(std::string(XRAI_BIN) + "/" + command);
}

}  // namespace xrai::testing
