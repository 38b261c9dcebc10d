#include "apps/support/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "apps/support/command_line_state.h"
#include "apps/support/nearest.h"
#include "apps/support/version.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

std::string flag_names(const Option& option) {
  if (option.positional) return option.name;
  std::string names = "--" + option.name;
  if (!option.short_name.empty()) names += ",-" + option.short_name;
  if (kind_of(option) == ValueKind::kFlag) names += ",!--no-" + option.name;
  return names;
}

[[noreturn]] void refuse_usage(const std::string& program, const std::string& sentence) {
  throw Error(ExitCode::kUsage, fmt::format("{}; {} --help lists everything", sentence, program));
}

std::string given_as(const Option& option) {
  return option.positional ? option.value_name : "--" + option.name;
}

}  // namespace

RegisteredOption* CommandLine::State::find(std::string_view name) {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& entry) { return entry.option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

CommandLine::CommandLine(std::string program, std::string purpose) : state_(std::make_unique<State>()) {
  state_->program = std::move(program);
  state_->purpose = std::move(purpose);
  state_->owned_app = std::make_unique<CLI::App>();
  state_->app = state_->owned_app.get();
  // The answers to --help, to unknown flags and to wrong values are ours: CLI11 only takes the arguments apart.
  state_->app->set_help_flag("");
  state_->app->allow_extras();
}

CommandLine::CommandLine(CommandLine&&) noexcept = default;
CommandLine::~CommandLine() = default;

void CommandLine::add(Option option) {
  RegisteredOption entry{.option = std::move(option), .default_text = {}, .parsed = nullptr};
  const Option& added = entry.option;
  entry.default_text = added.default_text.empty() ? plain_value(added) : added.default_text;
  const ValueKind kind = kind_of(added);
  if (kind == ValueKind::kFlag) {
    entry.parsed = state_->app->add_flag(flag_names(added));
  } else {
    entry.parsed =
        state_->app->add_option(flag_names(added), CLI::callback_t([](const CLI::results_t&) { return true; }));
    if (kind == ValueKind::kTextList) {
      entry.parsed->expected(1, -1)->allow_extra_args();
    } else {
      entry.parsed->expected(1);
    }
  }
  entry.parsed->multi_option_policy(kind == ValueKind::kTextList ? CLI::MultiOptionPolicy::TakeAll
                                                                 : CLI::MultiOptionPolicy::TakeLast);
  state_->options.push_back(std::move(entry));
}

void CommandLine::accept_config() {
  add({.group = "General",
       .name = "config",
       .short_name = "",
       .target = &state_->config_path,
       .help = "read options from this file; what is given here beats it",
       .value_name = "FILE.toml",
       .in_config = false});
}

CommandLine& CommandLine::command(const std::string& name, std::string purpose) {
  CommandLine child(state_->program + " " + name, std::move(purpose));
  child.state_->app = state_->app->add_subcommand(name);
  child.state_->app->set_help_flag("");
  child.state_->owned_app.reset();
  state_->commands.push_back(std::move(child));
  state_->command_names.push_back(name);
  return state_->commands.back();
}

void CommandLine::set_examples(std::string text) {
  state_->examples = std::move(text);
}

bool CommandLine::parse(int argc, const char* const* argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--completion") {
    print_completion(argv[2]);
    return false;
  }
  CommandLine* asked = this;
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view argument = argv[i];
    const auto& names = state_->command_names;
    if (const auto found = std::find(names.begin(), names.end(), argument); found != names.end() && asked == this)
      asked = &state_->commands[static_cast<std::size_t>(found - names.begin())];
    if (argument == "--help" || argument == "-h") {
      std::fputs(asked->help_text().c_str(), stdout);
      return false;
    }
    if (argument == "--version") {
      std::fputs(version_text(state_->program).c_str(), stdout);
      return false;
    }
  }
  try {
    state_->app->parse(argc, argv);
  } catch (const CLI::ArgumentMismatch& mismatch) {
    const std::string_view text = mismatch.what();
    refuse_usage(asked->state_->program, fmt::format("{} needs a value", text.substr(0, text.find(':'))));
  } catch (const CLI::ParseError& failure) {
    refuse_usage(asked->state_->program, failure.what());
  }
  for (std::size_t i = 0; i < state_->commands.size(); ++i)
    if (state_->commands[i].state_->app->parsed()) state_->selected = state_->command_names[i];
  if (state_->selected.empty() || asked == this) {
    take_arguments();
  } else {
    asked->take_arguments();
  }
  return true;
}

void CommandLine::take_arguments() {
  State& state = *state_;
  refuse_leftovers();
  for (RegisteredOption& entry : state.options) {
    if (entry.parsed->count() == 0) continue;
    const std::vector<std::string>& texts = entry.parsed->results();
    refuse_flag_as_value(entry.option, texts.back());
    set_from_text(entry.option, texts, given_as(entry.option));
    entry.source = ValueSource::kCommandLine;
  }
  if (state.config_path) apply_config_file(*state.config_path);
  for (const RegisteredOption& entry : state.options)
    if (entry.option.required && entry.source == ValueSource::kDefault)
      refuse_usage(state.program, fmt::format("{} is missing: {}", given_as(entry.option), entry.option.help));
}

void CommandLine::refuse_flag_as_value(const Option& option, const std::string& value) {
  if (kind_of(option) == ValueKind::kFlag || !value.starts_with("--")) return;
  if (state_->find(value.substr(2)) != nullptr)
    refuse_usage(state_->program, fmt::format("{} needs a value, but {} follows", given_as(option), value));
}

void CommandLine::refuse_leftovers() {
  const std::vector<std::string> leftovers = state_->app->remaining();
  std::vector<std::string> known{"--help", "--version"};
  for (const RegisteredOption& entry : state_->options) {
    if (entry.option.positional) continue;
    known.push_back("--" + entry.option.name);
    if (kind_of(entry.option) == ValueKind::kFlag) known.push_back("--no-" + entry.option.name);
  }
  for (const std::string& leftover : leftovers) {
    if (!leftover.starts_with('-') || leftover == "-" || leftover == "--") continue;
    const std::string flag = leftover.substr(0, leftover.find('='));
    const auto meant = nearest(flag, known);
    refuse_usage(state_->program, fmt::format("there is no option {}{}", shortened(flag),
                                              meant ? fmt::format("; did you mean {}?", *meant) : ""));
  }
  const auto& names = state_->command_names;
  if (!names.empty()) {
    const std::vector<std::string> commands(names.begin(), names.end());
    if (leftovers.empty()) refuse_usage(state_->program, fmt::format("say what to do: {}", one_of(commands)));
    const auto meant = nearest(leftovers.front(), commands);
    refuse_usage(state_->program, fmt::format("there is no command \"{}\"; {}", leftovers.front(),
                                              meant ? fmt::format("did you mean {}?", *meant)
                                                    : fmt::format("there are {}", fmt::join(commands, ", "))));
  }
  const auto missing = std::find_if(state_->options.begin(), state_->options.end(), [](const RegisteredOption& entry) {
    return entry.option.required && !entry.option.positional && entry.parsed->count() == 0;
  });
  for (const std::string& leftover : leftovers)
    if (leftover != "--")
      refuse_usage(state_->program,
                   fmt::format("there is no place for the argument \"{}\"{}", shortened(leftover),
                               missing == state_->options.end()
                                   ? ""
                                   : fmt::format("; does it belong behind {}?", given_as(missing->option))));
}

ValueSource CommandLine::source_of(std::string_view name) const {
  const RegisteredOption* entry = state_->find(name);
  if (entry == nullptr) throw std::logic_error(fmt::format("no option is called {}", name));
  return entry->source;
}

std::string CommandLine::value_text(std::string_view name) const {
  const RegisteredOption* entry = state_->find(name);
  if (entry == nullptr) throw std::logic_error(fmt::format("no option is called {}", name));
  return plain_value(entry->option);
}

const std::string& CommandLine::selected_command() const {
  return state_->selected;
}

}  // namespace xrai
