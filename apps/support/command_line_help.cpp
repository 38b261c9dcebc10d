// The --help page.
#include <fmt/format.h>

#include "apps/support/command_line_state.h"

namespace xrai {
namespace {

constexpr std::size_t kHelpColumn = 30, kPageWidth = 100;

constexpr std::string_view kFooter =
    "Exit codes: 0 done, 1 unforeseen failure, 2 usage, 3 bad data, 4 no such device, 5 out of memory,\n"
    "  6 training diverged, 7 cannot write, 130 interrupted (Ctrl-C), 143 terminated.\n"
    "A research and teaching tool, not a medical device.\n";

std::string value_name(const Option& option) {
  if (!option.value_name.empty()) return option.value_name;
  switch (kind_of(option)) {
    case ValueKind::kFlag:
      return "";
    case ValueKind::kInteger:
      return "N";
    case ValueKind::kNumber:
      return "X";
    case ValueKind::kText:
      return option.allowed.empty() ? "TEXT" : "NAME";
    case ValueKind::kTextList:
      return "TEXT...";
  }
  return "";
}

std::string left_column(const Option& option) {
  if (option.positional) return "  " + value_name(option);
  std::string left = option.short_name.empty() ? "  " : fmt::format("  -{}, ", option.short_name);
  if (kind_of(option) == ValueKind::kFlag) return left + (option.in_config ? "--[no-]" : "--") + option.name;
  return fmt::format("{}--{} {}", left, option.name, value_name(option));
}

std::string right_column(const RegisteredOption& entry) {
  std::string facts = allowed_text(entry.option);
  const bool plain_flag = kind_of(entry.option) == ValueKind::kFlag && !entry.option.in_config;
  if (entry.option.required) {
    facts += facts.empty() ? "required" : "; required";
  } else if (!entry.default_text.empty() && !plain_flag) {
    facts += fmt::format("{}default {}", facts.empty() ? "" : "; ", entry.default_text);
  }
  return facts.empty() ? entry.option.help : fmt::format("{} ({})", entry.option.help, facts);
}

/// Breaks at spaces; every line after the first is indented by `indent`, and so is the first from `start` on.
std::string wrapped(std::string_view text, std::size_t start, std::size_t indent) {
  std::string page;
  std::size_t column = start;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.find(' ', begin);
    if (end == std::string_view::npos) end = text.size();
    const std::string_view word = text.substr(begin, end - begin);
    if (column > indent && column + 1 + word.size() > kPageWidth) {
      page += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (begin > 0) {
      page += ' ';
      ++column;
    }
    page += word;
    column += word.size();
    begin = end + 1;
  }
  return page + "\n";
}

std::string option_lines(const RegisteredOption& entry) {
  std::string left = left_column(entry.option);
  left += left.size() + 2 <= kHelpColumn ? std::string(kHelpColumn - left.size(), ' ')
                                         : "\n" + std::string(kHelpColumn, ' ');
  return left + wrapped(right_column(entry), kHelpColumn, kHelpColumn);
}

}  // namespace

std::string CommandLine::help_text() const {
  const State& state = *state_;
  std::string usage = fmt::format("usage: {}", state.program);
  if (!state.commands.empty()) usage += " COMMAND";
  usage += " [options]";
  for (const RegisteredOption& entry : state.options)
    if (entry.option.positional) usage += " " + value_name(entry.option);
  std::string text = wrapped(state.purpose, 0, 0) + "\n" + usage + "\n";
  if (!state.commands.empty()) text += "\nCommands (each has its own --help):\n";
  for (std::size_t i = 0; i < state.commands.size(); ++i) {
    const std::string left = fmt::format("  {:<{}}", state.command_names[i], kHelpColumn - 2);
    text += left + wrapped(state.commands[i].state_->purpose, kHelpColumn, kHelpColumn);
  }
  for (const std::string& group : state.group_names()) {
    text += fmt::format("\n{}:\n", group);
    for (const RegisteredOption& entry : state.options)
      if (entry.option.group == group) text += option_lines(entry);
  }
  text += "\nHelp:\n";
  text += fmt::format("{:<{}}this page\n", "  -h, --help", kHelpColumn);
  text += fmt::format("{:<{}}version of the program and of what it is linked with\n\n", "  --version", kHelpColumn);
  if (!state.examples.empty()) text += "Examples:\n" + state.examples + "\n";
  return text + std::string(kFooter);
}

}  // namespace xrai
