#include "apps/support/option.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "apps/support/nearest.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::size_t kMostQuoted = 80;  // bytes

template <class T>
struct OptionalValue {
  using type = T;
  static constexpr bool is_optional = false;
};
template <class T>
struct OptionalValue<std::optional<T>> {
  using type = T;
  static constexpr bool is_optional = true;
};
template <class T>
constexpr bool is_list =
    std::is_same_v<T, std::vector<std::string>> || std::is_same_v<T, std::vector<std::filesystem::path>>;

/// Calls `visit` with the target as T&, whatever T is.
template <class Visitor>
auto with_target(const Option& option, Visitor visitor) {
  return std::visit([&](auto* target) { return visitor(*target); }, option.target);
}

struct ValueContext {
  const Option& option;
  const std::string& given_as;

  [[noreturn]] void refuse(const std::string& text, const std::string& expected) const {
    throw Error(ExitCode::kUsage, fmt::format("{} got \"{}\": expected {}", given_as, shortened(text), expected));
  }
};

std::string number_wanted(const Option& option, std::string_view noun) {
  const std::string range = allowed_text(option), word = option.unset_word.empty() ? "" : " or " + option.unset_word;
  return range.empty() ? std::string(noun) + word : fmt::format("{}, {}{}", noun, range, word);
}

void check_range(const ValueContext& context, double value, const std::string& text, std::string_view noun) {
  const Option& option = context.option;
  const bool fits = !(option.at_least && value < *option.at_least) && !(option.above && value <= *option.above) &&
                    !(option.at_most && value > *option.at_most);
  if (!fits) context.refuse(text, number_wanted(option, noun));
}

template <class T>
T parse_value(const ValueContext& context, const std::string& text) {
  if constexpr (std::is_same_v<T, bool>) {
    for (const char* yes : {"true", "on", "yes", "1"})
      if (text == yes) return true;
    for (const char* no : {"false", "off", "no", "0"})
      if (text == no) return false;
    context.refuse(text, "true or false");
  } else if constexpr (std::is_arithmetic_v<T>) {
    constexpr std::string_view kNoun = std::is_integral_v<T> ? "a whole number" : "a number";
    T value{};
    const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
    const auto [end, failure] = std::from_chars(begin, text.data() + text.size(), value);
    const bool whole = failure == std::errc() && end == text.data() + text.size();
    if (!whole || !std::isfinite(static_cast<double>(value)))
      context.refuse(text, number_wanted(context.option, kNoun));
    // A configuration file's integers end at 2^63 - 1, and what was given must be writable there.
    if constexpr (std::is_same_v<T, std::uint64_t>)
      if (value > static_cast<std::uint64_t>(INT64_MAX)) context.refuse(text, "a whole number below 2^63");
    check_range(context, static_cast<double>(value), text, kNoun);
    return value;
  } else {
    return T(text);
  }
}

void check_text(const ValueContext& context, const std::string& text) {
  const auto& allowed = context.option.allowed;
  // Where nothing given means that the program decides, a saved configuration says just that.
  const bool is_left_open = text.empty() && !context.option.default_text.empty();
  if (!allowed.empty() && !is_left_open && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    const auto meant = nearest(text, allowed);
    const std::string hint = meant ? fmt::format(" (did you mean {}?)", *meant) : "";
    context.refuse(text, fmt::format("{}{}", one_of(allowed), hint));
  }
  if (!context.option.check) return;
  const std::string complaint = context.option.check(text);
  if (!complaint.empty())
    throw Error(ExitCode::kUsage, fmt::format("{} got \"{}\": {}", context.given_as, shortened(text), complaint));
}

template <class T>
std::string value_text(const T& value, bool as_toml) {
  if constexpr (std::is_same_v<T, bool>) {
    return as_toml ? (value ? "true" : "false") : (value ? "on" : "off");
  } else if constexpr (std::is_floating_point_v<T>) {
    std::string text = fmt::format("{}", value);  // the shortest text that reads back as the same number
    if (as_toml && text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
  } else if constexpr (std::is_integral_v<T>) {
    return fmt::format("{}", value);
  } else {
    const std::string text = std::filesystem::path(value).string();
    return as_toml ? toml_string(text) : text;
  }
}

template <class T>
std::optional<std::string> target_text(const T& target, bool as_toml) {
  if constexpr (OptionalValue<T>::is_optional) {
    if (!target) return std::nullopt;
    return value_text(*target, as_toml);
  } else if constexpr (is_list<T>) {
    std::string text;
    for (const auto& value : target) text += (text.empty() ? "" : ", ") + value_text(value, as_toml);
    return as_toml ? "[" + text + "]" : text;
  } else {
    return value_text(target, as_toml);
  }
}

}  // namespace

std::string shortened(std::string_view text) {
  if (text.size() <= kMostQuoted) return std::string(text);
  std::size_t end = kMostQuoted - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a letter of UTF-8
  return std::string(text.substr(0, end)) + "...";
}

ValueKind kind_of(const Option& option) {
  return with_target(option, [](const auto& target) {
    using Target = std::remove_cvref_t<decltype(target)>;
    using Value = typename OptionalValue<Target>::type;
    if constexpr (is_list<Value>) return ValueKind::kTextList;
    if constexpr (std::is_same_v<Value, bool>) return ValueKind::kFlag;
    if constexpr (std::is_integral_v<Value>) return ValueKind::kInteger;
    if constexpr (std::is_floating_point_v<Value>) return ValueKind::kNumber;
    return ValueKind::kText;
  });
}

void set_from_text(const Option& option, const std::vector<std::string>& texts, const std::string& given_as) {
  const ValueContext context{option, given_as};
  for (const std::string& text : texts) check_text(context, text);
  with_target(option, [&](auto& target) {
    using Target = std::remove_cvref_t<decltype(target)>;
    if constexpr (OptionalValue<Target>::is_optional)
      if (!option.unset_word.empty() && texts.back() == option.unset_word) return target.reset();
    if constexpr (is_list<Target>) {
      target.assign(texts.begin(), texts.end());
    } else {
      target = parse_value<typename OptionalValue<Target>::type>(context, texts.back());
    }
  });
}

std::optional<std::string> toml_value(const Option& option) {
  return with_target(option, [](const auto& target) { return target_text(target, true); });
}

std::string plain_value(const Option& option) {
  return with_target(option, [](const auto& target) { return target_text(target, false); }).value_or("");
}

std::string allowed_text(const Option& option) {
  if (!option.allowed.empty()) return "one of " + fmt::format("{}", fmt::join(option.allowed, ", "));
  if (option.at_least && option.at_most) return fmt::format("{} to {}", *option.at_least, *option.at_most);
  if (option.above && option.at_most) return fmt::format("above {}, at most {}", *option.above, *option.at_most);
  if (option.at_least) return fmt::format("at least {}", *option.at_least);
  if (option.above) return fmt::format("above {}", *option.above);
  if (option.at_most) return fmt::format("at most {}", *option.at_most);
  return "";
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      quoted += {'\\', character};
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted += fmt::format("\\u{:04X}", byte);
    } else {
      quoted += character;
    }
  }
  return quoted + "\"";
}

}  // namespace xrai
