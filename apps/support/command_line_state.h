// What the files command_line*.cpp share. Nobody else includes this.
#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "apps/support/command_line.h"

namespace xrai {

struct RegisteredOption {
  Option option;
  std::string default_text;  // for --help, taken at registration
  CLI::Option* parsed = nullptr;
  ValueSource source = ValueSource::kDefault;
};

struct CommandLine::State {
  std::string program, purpose, examples;
  std::unique_ptr<CLI::App> owned_app;  // of the top; a command's belongs to its parent
  CLI::App* app = nullptr;
  std::deque<RegisteredOption> options;
  std::deque<CommandLine> commands;
  std::deque<std::string> command_names;
  std::string selected;
  std::optional<std::filesystem::path> config_path;

  [[nodiscard]] RegisteredOption* find(std::string_view name);
  [[nodiscard]] std::vector<std::string> group_names() const;  // in order of first use
};

/// "Input and output" -> "input_and_output": the table of a group in a configuration file.
std::string group_key(std::string_view group);

}  // namespace xrai
