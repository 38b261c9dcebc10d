// A program's command line and configuration file: each option is registered once and from that come its parsing, its
// line in --help, its key in --config and its line in the resolved configuration. CLI11 takes the arguments apart and
// toml++ the file; neither shows outside.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/support/option.h"
#include "apps/support/run_program.h"

namespace xrai {

/// Where an option's value came from. A later source does not overwrite an earlier, stronger one.
enum class ValueSource { kDefault, kConfigFile, kCommandLine };

class CommandLine {
 public:
  /// `purpose`: one or two sentences at the top of --help. --help and --version are there by themselves.
  CommandLine(std::string program, std::string purpose);
  CommandLine(CommandLine&&) noexcept;
  ~CommandLine();

  /// Registers an option. The target must outlive the command line. A bool becomes a pair --name / --no-name.
  void add(Option option);
  /// Adds --config FILE.toml: keys are the long names (with - or _), at the top or in a table named like their group.
  /// The command line beats the file, the file beats the defaults.
  void accept_config();
  /// Adds a command ("import" of "xrai_dataset import"); the reference stays valid. Exactly one must then be given.
  CommandLine& command(const std::string& name, std::string purpose);
  /// Lines for the end of --help, before the exit codes: examples.
  void set_examples(std::string text);

  /// Fills the targets. False when --help, --version or --completion bash|zsh (which --help does not show) was answered
  /// on standard output and the program is done.
  /// Throws Error(kUsage): unknown flag or key (naming the nearest), wrong value, missing option.
  [[nodiscard]] bool parse(int argc, const char* const* argv);
  /// Reads another configuration file for the options that are still at their defaults (a resumed run's own one).
  /// Returns those that are in it and that a file before has set otherwise.
  std::vector<std::string> apply_config_file(const std::filesystem::path& path);
  /// The same with the text of one; `source` names it in errors.
  std::vector<std::string> apply_config_text(std::string_view toml, const std::string& source);

  [[nodiscard]] ValueSource source_of(std::string_view name) const;
  [[nodiscard]] bool given(std::string_view name) const { return source_of(name) != ValueSource::kDefault; }
  /// An option's present value as people read it; empty when it is not set.
  [[nodiscard]] std::string value_text(std::string_view name) const;
  /// The command that was given; empty when the program has none.
  [[nodiscard]] const std::string& selected_command() const;

  /// Every option with in_config and in_resolved, in groups, as a file that --config reads back to the same values.
  [[nodiscard]] std::string resolved_toml() const;
  [[nodiscard]] std::string help_text() const;

 private:
  struct State;

  [[nodiscard]] std::string bash_completion() const;
  [[nodiscard]] std::string zsh_completion() const;
  void print_completion(std::string_view what) const;

  void take_arguments();
  void refuse_leftovers();
  void refuse_flag_as_value(const Option& option, const std::string& value);

  std::unique_ptr<State> state_;
};

}  // namespace xrai
