// Completion of a program's options in bash and zsh, made from the options themselves, so that it knows what --help
// knows. `PROGRAM --completion bash|zsh` prints it; `--completion commands` lists the commands, for whoever makes a
// page or a file for each. The build calls these; --help does not mention them.
#include <fmt/format.h>

#include <cstdio>

#include "apps/support/command_line_state.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

bool takes_files(const Option& option) {
  return std::holds_alternative<std::filesystem::path*>(option.target) ||
         std::holds_alternative<std::optional<std::filesystem::path>*>(option.target) ||
         std::holds_alternative<std::vector<std::filesystem::path>*>(option.target) ||
         option.value_name.find("FILE") != std::string::npos;  // "NAME|FILE.toml"
}

// Every way to write the option: "--json", "--no-json", "-q".
std::vector<std::string> spellings(const Option& option) {
  std::vector<std::string> all{"--" + option.name};
  if (kind_of(option) == ValueKind::kFlag && option.in_config) all.push_back("--no-" + option.name);
  if (!option.short_name.empty()) all.push_back("-" + option.short_name);
  return all;
}

std::string function_name(std::string program) {
  for (char& character : program)
    if (character == ' ' || character == '-') character = '_';
  return "_" + program;
}

// ---- bash ----

// What follows an option that takes a value: its words, files (by falling through to bash), or nothing.
std::string bash_values(const std::deque<RegisteredOption>& options) {
  std::string cases;
  for (const auto& [option, text, parsed, source] : options) {
    if (option.positional || kind_of(option) == ValueKind::kFlag) continue;
    std::vector<std::string> names{"--" + option.name};
    if (!option.short_name.empty()) names.push_back("-" + option.short_name);
    const std::string then = !option.allowed.empty() ? fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))",
                                                                   fmt::join(option.allowed, " "))
                             : takes_files(option)   ? std::string("COMPREPLY=()")
                                                     : std::string("compopt +o default; COMPREPLY=()");
    cases += fmt::format("    {}) {}; return ;;\n", fmt::join(names, "|"), then);
  }
  return cases.empty() ? "" : "  case $previous in\n" + cases + "  esac\n";
}

std::string bash_body(const std::deque<RegisteredOption>& options) {
  std::vector<std::string> words;
  for (const RegisteredOption& entry : options)
    if (!entry.option.positional)
      for (const std::string& spelling : spellings(entry.option)) words.push_back(spelling);
  words.insert(words.end(), {"--help", "--version"});
  return bash_values(options) +
         fmt::format("  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); fi\n",
                     fmt::join(words, " "));
}

constexpr std::string_view kBashHead =
    "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n";

// ---- zsh ----

// Inside '...' and of an _arguments specification, where [ ] : have meanings.
std::string zsh_words(std::string_view text) {
  std::string escaped;
  for (const char character : text) {
    if (character == '\'') {
      escaped += "'\\''";
      continue;
    }
    if (character == '[' || character == ']' || character == ':' || character == '\\') escaped += '\\';
    escaped += character;
  }
  return escaped;
}

std::string zsh_action(const Option& option) {
  if (!option.allowed.empty()) return fmt::format(":{}:({})", zsh_words(option.name), fmt::join(option.allowed, " "));
  return fmt::format(":{}:{}", zsh_words(option.name), takes_files(option) ? "_files" : " ");
}

std::string zsh_arguments(const std::deque<RegisteredOption>& options) {
  std::string specs = "  _arguments";
  for (const RegisteredOption& entry : options) {
    const Option& option = entry.option;
    if (option.positional) continue;
    for (const std::string& spelling : spellings(option))
      specs += fmt::format(" \\\n    '{}[{}]{}'", spelling, zsh_words(option.help),
                           kind_of(option) == ValueKind::kFlag ? "" : zsh_action(option));
  }
  return specs + " \\\n    '--help[help]' '--version[version]' '*:file:_files'\n";
}

}  // namespace

std::string CommandLine::bash_completion() const {
  const State& state = *state_;
  const std::string function = function_name(state.program);
  std::string text = fmt::format("# bash completion of {}\n", state.program);
  if (state.commands.empty()) {
    text += fmt::format("{}() {{\n{}{}}}\n", function, kBashHead, bash_body(state.options));
  } else {
    for (const CommandLine& command : state.commands)
      text += fmt::format("{}() {{\n{}{}}}\n", function_name(command.state_->program), kBashHead,
                          bash_body(command.state_->options));
    std::string cases;
    for (std::size_t i = 0; i < state.commands.size(); ++i)
      cases += fmt::format("    {}) {} ;;\n", state.command_names[i], function_name(state.commands[i].state_->program));
    const std::vector<std::string> names(state.command_names.begin(), state.command_names.end());
    text += fmt::format(
        "{}() {{\n{}  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"{} --help --version\" -- "
        "\"$current\")); return; fi\n  case ${{COMP_WORDS[1]}} in\n{}  esac\n}}\n",
        function, kBashHead, fmt::join(names, " "), cases);
  }
  return text + fmt::format("complete -o default -F {} {}\n", function, state.program);
}

std::string CommandLine::zsh_completion() const {
  const State& state = *state_;
  const std::string function = function_name(state.program);
  std::string text = fmt::format("#compdef {}\n", state.program);
  if (state.commands.empty()) {
    text += fmt::format("{}() {{\n{}}}\n", function, zsh_arguments(state.options));
  } else {
    std::string described, cases;
    for (std::size_t i = 0; i < state.commands.size(); ++i) {
      const State& command = *state.commands[i].state_;
      text += fmt::format("{}() {{\n{}}}\n", function_name(command.program), zsh_arguments(command.options));
      described += fmt::format(" '{}:{}'", state.command_names[i], zsh_words(command.purpose));
      cases += fmt::format("    {}) {} ;;\n", state.command_names[i], function_name(command.program));
    }
    text += fmt::format(
        "{}() {{\n  local -a commands=({} )\n  if ((CURRENT == 2)); then _describe command commands; return; "
        "fi\n  shift words; ((CURRENT--))\n  case $words[1] in\n{}  esac\n}}\n",
        function, described, cases);
  }
  return text + fmt::format("{} \"$@\"\n", function);
}

void CommandLine::print_completion(std::string_view what) const {
  std::string text;
  if (what == "bash") {
    text = bash_completion();
  } else if (what == "zsh") {
    text = zsh_completion();
  } else if (what == "commands") {
    for (const std::string& name : state_->command_names) text += name + "\n";
  } else {
    throw Error(ExitCode::kUsage, fmt::format("--completion {}: there are bash and zsh", what));
  }
  std::fputs(text.c_str(), stdout);
}

}  // namespace xrai
