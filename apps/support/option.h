// One option of a program: where its value goes, what may stand there, and its value as text in both directions.
// How command lines and configuration files are taken apart is not known here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xrai {

/// The variable that an option fills. Its value at registration is the default. An empty std::optional means "not set".
using OptionTarget =
    std::variant<bool*, int*, std::int64_t*, std::uint64_t*, float*, double*, std::string*, std::filesystem::path*,
                 std::optional<int>*, std::optional<std::int64_t>*, std::optional<std::uint64_t>*,
                 std::optional<float>*, std::optional<double>*, std::optional<std::string>*,
                 std::optional<std::filesystem::path>*, std::vector<std::string>*, std::vector<std::filesystem::path>*>;

/// To be written with designated initialisers, in this order; what is left out is empty.
struct Option {
  std::string group{};       // heading in --help and table in the configuration file
  std::string name{};        // long name without dashes, "batch-size"; also the key in a configuration file
  std::string short_name{};  // one letter, or empty
  OptionTarget target{};
  std::string help{};                  // what it does; the default, range and choices are added by --help
  std::string value_name{};            // "N", "FILE.h5"; empty: taken from the type
  std::vector<std::string> allowed{};  // choices; empty: anything that fits the type
  std::optional<double> at_least{};
  std::optional<double> above{};  // exclusive lower end
  std::optional<double> at_most{};
  std::function<std::string(const std::string&)> check{};  // returns a complaint about the text, or nothing
  std::string unset_word{};    // of an optional target: the word that leaves it without a value, "auto"
  std::string default_text{};  // said in --help in place of the value at registration
  bool positional = false;
  bool required = false;
  bool in_config = true;    // may stand in a configuration file
  bool in_resolved = true;  // and does in resolved_toml(); false for what concerns one call only
};

/// What kind of value the option takes.
enum class ValueKind { kFlag, kInteger, kNumber, kText, kTextList };
ValueKind kind_of(const Option& option);

/// Puts the texts (one; several only for lists) into the target. `given_as` begins the sentence of the
/// Error(kUsage) that a wrong value throws: "--epochs", or "epochs in line 3 of run.toml".
void set_from_text(const Option& option, const std::vector<std::string>& texts, const std::string& given_as);

/// The present value as a TOML value; nothing when an optional is not set.
std::optional<std::string> toml_value(const Option& option);
/// The present value as people read it in --help; empty when there is nothing to say.
std::string plain_value(const Option& option);
/// "1 to 100", "at least 1", "one of a, b": what may stand there; empty when anything may.
std::string allowed_text(const Option& option);

/// A value as a sentence quotes it: of a long one (more than 80 bytes) the beginning and "...".
std::string shortened(std::string_view text);

/// A TOML basic string with its quotes, all escapes done.
std::string toml_string(std::string_view text);

}  // namespace xrai
