// Configuration files: reading them into options and writing the resolved one.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <sstream>

#include "apps/support/command_line_state.h"
#include "apps/support/nearest.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || std::filesystem::is_directory(path))
    throw Error(ExitCode::kUsage,
                fmt::format("cannot read the configuration {}: is it there, and a text file?", path.string()));
  return text.str();
}

toml::table parse_toml(std::string_view text, const std::string& source) {
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& failure) {
    throw Error(ExitCode::kUsage, fmt::format("cannot read the configuration {}: line {}: {}", source,
                                              failure.source().begin.line, failure.description()));
  }
}

std::string kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::kFlag:
      return "true or false";
    case ValueKind::kInteger:
      return "a whole number";
    case ValueKind::kNumber:
      return "a number";
    case ValueKind::kText:
      return "a text in quotes";
    case ValueKind::kTextList:
      return "a list of texts, [\"a\", \"b\"]";
  }
  return "";
}

/// The node's value as the texts set_from_text takes; empty when the type does not fit the option.
std::vector<std::string> texts_of(const toml::node& node, ValueKind kind) {
  switch (kind) {
    case ValueKind::kFlag:
      if (const auto* value = node.as_boolean()) return {value->get() ? "true" : "false"};
      break;
    case ValueKind::kInteger:
      if (const auto* value = node.as_integer()) return {fmt::format("{}", value->get())};
      break;
    case ValueKind::kNumber:
      if (const auto* value = node.as_floating_point()) return {fmt::format("{}", value->get())};
      if (const auto* value = node.as_integer()) return {fmt::format("{}", value->get())};
      break;
    case ValueKind::kText:
    case ValueKind::kTextList:
      if (const auto* value = node.as_string()) return {value->get()};
      break;
  }
  return {};
}

bool set_from_node(const Option& option, const toml::node& node, const std::string& given_as) {
  const ValueKind kind = kind_of(option);
  const toml::array* list = node.as_array();
  std::vector<std::string> texts;
  if (kind == ValueKind::kTextList && list != nullptr) {
    for (const toml::node& element : *list)
      if (const auto* text = element.as_string()) texts.push_back(text->get());
    if (texts.size() != list->size()) return false;
  } else if (const auto* word = node.as_string(); word != nullptr && word->get() == option.unset_word) {
    texts = {word->get()};
  } else {
    texts = texts_of(node, kind);
    if (texts.empty()) return false;
  }
  set_from_text(option, texts, given_as);
  return true;
}

}  // namespace

std::string group_key(std::string_view group) {
  std::string key;
  for (const char character : group)
    key += std::isalnum(static_cast<unsigned char>(character)) != 0
               ? static_cast<char>(std::tolower(static_cast<unsigned char>(character)))
               : '_';
  return key;
}

std::vector<std::string> CommandLine::State::group_names() const {
  std::vector<std::string> groups;
  for (const RegisteredOption& entry : options)
    if (std::find(groups.begin(), groups.end(), entry.option.group) == groups.end())
      groups.push_back(entry.option.group);
  return groups;
}

namespace {

/// Walks one configuration file and fills the options that no stronger source has filled.
class ConfigReader {
 public:
  ConfigReader(std::deque<RegisteredOption>& options, std::vector<std::string> groups, std::string source)
      : options_(options), source_(std::move(source)) {
    for (const std::string& group : groups) group_keys_.push_back(group_key(group));
  }

  /// Names of the options that an earlier file has set otherwise and that keep its values.
  std::vector<std::string> read(std::string_view text) {
    const toml::table file = parse_toml(text, source_);
    for (const auto& [key, node] : file) {
      if (const toml::table* table = node.as_table()) {
        read_group(std::string(key.str()), *table);
      } else {
        read_key(std::string(key.str()), node);
      }
    }
    return std::move(kept_);
  }

 private:
  void read_group(const std::string& name, const toml::table& table) {
    if (std::find(group_keys_.begin(), group_keys_.end(), name) == group_keys_.end())
      refuse(table, fmt::format("there is no group [{}]", name), nearest(name, group_keys_));
    for (const auto& [key, node] : table) read_key(std::string(key.str()), node);
  }

  void read_key(std::string key, const toml::node& node) {
    std::replace(key.begin(), key.end(), '_', '-');
    const auto entry = std::find_if(options_.begin(), options_.end(), [&](const RegisteredOption& candidate) {
      return candidate.option.in_config && candidate.option.name == key;
    });
    if (entry == options_.end()) refuse(node, fmt::format("there is no option {}", key), nearest(key, option_names()));
    if (!seen_.insert(key).second) refuse(node, fmt::format("{} is given twice", key), std::nullopt);
    if (entry->source == ValueSource::kCommandLine) return;
    if (entry->source == ValueSource::kConfigFile) {
      if (differs(entry->option, node)) kept_.push_back(key);
      return;
    }
    const std::string given_as = fmt::format("{} in line {} of {}", key, node.source().begin.line, source_);
    if (!set_from_node(entry->option, node, given_as))
      throw Error(ExitCode::kUsage, fmt::format("{} must be {}", given_as, kind_name(kind_of(entry->option))));
    entry->source = ValueSource::kConfigFile;
  }

  /// Whether the file has another value than the option has now.
  [[nodiscard]] static bool differs(const Option& option, const toml::node& node) {
    const auto present = toml_value(option);
    if (!present) return true;
    const toml::table parsed = toml::parse("value = " + *present);
    return texts_of(*parsed.get("value"), kind_of(option)) != texts_of(node, kind_of(option));
  }

  [[nodiscard]] std::vector<std::string> option_names() const {
    std::vector<std::string> names;
    for (const RegisteredOption& entry : options_)
      if (entry.option.in_config) names.push_back(entry.option.name);
    return names;
  }

  [[noreturn]] void refuse(const toml::node& node, const std::string& what,
                           const std::optional<std::string>& meant) const {
    throw Error(ExitCode::kUsage, fmt::format("line {} of {}: {}{}", node.source().begin.line, source_, what,
                                              meant ? fmt::format("; did you mean {}?", *meant) : ""));
  }

  std::deque<RegisteredOption>& options_;
  std::string source_;
  std::vector<std::string> group_keys_;
  std::set<std::string> seen_;  // keys of this file
  std::vector<std::string> kept_;
};

}  // namespace

std::vector<std::string> CommandLine::apply_config_file(const std::filesystem::path& path) {
  return apply_config_text(read_text(path), path.string());
}

std::vector<std::string> CommandLine::apply_config_text(std::string_view toml, const std::string& source) {
  return ConfigReader(state_->options, state_->group_names(), source).read(toml);
}

std::string CommandLine::resolved_toml() const {
  std::string text = fmt::format("# {}: the whole configuration, to be read back by --config\n", state_->program);
  for (const std::string& group : state_->group_names()) {
    std::string lines;
    for (const RegisteredOption& entry : state_->options) {
      if (entry.option.group != group || !entry.option.in_config || !entry.option.in_resolved) continue;
      std::string key = entry.option.name;
      std::replace(key.begin(), key.end(), '-', '_');
      const auto value = toml_value(entry.option);
      lines += value ? fmt::format("{} = {}\n", key, *value) : fmt::format("# {} is not set\n", key);
    }
    if (!lines.empty()) text += fmt::format("\n[{}]\n{}", group_key(group), lines);
  }
  return text;
}

}  // namespace xrai
