// The words that people use for pictures, labels and splits, as found in published files and tutorials.
#include "loaders/object_name.h"

#include <algorithm>
#include <array>
#include <optional>

namespace xrai {
namespace {

struct RoleWord {
  std::string_view word;
  Role role;
};
constexpr std::array kRoleWords{
    RoleWord{"x", Role::kPictures},       RoleWord{"image", Role::kPictures},    RoleWord{"images", Role::kPictures},
    RoleWord{"img", Role::kPictures},     RoleWord{"imgs", Role::kPictures},     RoleWord{"data", Role::kPictures},
    RoleWord{"dataset", Role::kPictures}, RoleWord{"pixels", Role::kPictures},   RoleWord{"pictures", Role::kPictures},
    RoleWord{"cxr", Role::kPictures},     RoleWord{"features", Role::kPictures}, RoleWord{"inputs", Role::kPictures},
    RoleWord{"xray", Role::kPictures},    RoleWord{"xrays", Role::kPictures},    RoleWord{"y", Role::kLabels},
    RoleWord{"label", Role::kLabels},     RoleWord{"labels", Role::kLabels},     RoleWord{"target", Role::kLabels},
    RoleWord{"targets", Role::kLabels},   RoleWord{"group", Role::kGroups},      RoleWord{"groups", Role::kGroups},
    RoleWord{"subject", Role::kGroups},   RoleWord{"subjects", Role::kGroups},   RoleWord{"patient", Role::kGroups},
    RoleWord{"patients", Role::kGroups},  RoleWord{"source", Role::kSources},    RoleWord{"sources", Role::kSources},
    RoleWord{"filename", Role::kSources}, RoleWord{"filenames", Role::kSources}, RoleWord{"path", Role::kSources},
    RoleWord{"paths", Role::kSources},    RoleWord{"class", Role::kLabels},      RoleWord{"classes", Role::kClasses},
    RoleWord{"names", Role::kClasses},    RoleWord{"outputs", Role::kLabels},    RoleWord{"diagnosis", Role::kOutcomes},
    RoleWord{"cls", Role::kOutcomes},     RoleWord{"truth", Role::kOutcomes},    RoleWord{"outcome", Role::kOutcomes},
    RoleWord{"gt", Role::kOutcomes},      RoleWord{"category", Role::kOutcomes}, RoleWord{"pid", Role::kGroups},
};

struct SplitWord {
  std::string_view word, split;
};
constexpr std::array kSplitWords{
    SplitWord{"train", "train"}, SplitWord{"training", "train"}, SplitWord{"val", "val"},
    SplitWord{"valid", "val"},   SplitWord{"validation", "val"}, SplitWord{"dev", "val"},
    SplitWord{"test", "test"},   SplitWord{"testing", "test"},   SplitWord{"tr", "train"},
    SplitWord{"trn", "train"},   SplitWord{"te", "test"},        SplitWord{"tst", "test"},
};

enum class Letter { kLower, kUpper, kNone };

Letter kind_of(char c) {
  if (c >= 'a' && c <= 'z') return Letter::kLower;
  return c >= 'A' && c <= 'Z' ? Letter::kUpper : Letter::kNone;
}

/// "X_train" and "trainX" alike become {"x", "train"} in their own order. Digits are words of their own.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  Letter before = Letter::kNone;
  bool before_digit = false;
  for (const char c : name) {
    const Letter kind = kind_of(c);
    const bool digit = c >= '0' && c <= '9';
    const bool goes_on = digit ? before_digit
                               : kind != Letter::kNone && before != Letter::kNone &&
                                     !(before == Letter::kLower && kind == Letter::kUpper);
    if (digit || kind != Letter::kNone) {
      if (!goes_on) words.emplace_back();
      words.back() += lower_case({&c, 1});
    }
    before = kind;
    before_digit = digit;
  }
  return words;
}

template <class Table>
auto find_word(const Table& table, std::string_view word) {
  const auto* const found =
      std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.word == word; });
  return found == table.end() ? nullptr : found;
}

// "xtrain" and "ytest" are written without anything between.
void split_joined_word(std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string word = words[i];
    if (word.size() < 2 || (word[0] != 'x' && word[0] != 'y') || !find_word(kSplitWords, word.substr(1))) continue;
    words[i] = word.substr(0, 1);
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, word.substr(1));
  }
}

}  // namespace

bool is_before_by_number(std::string_view a, std::string_view b) {
  constexpr std::string_view kDigits = "0123456789";
  const std::string_view whole_a = a, whole_b = b;
  const auto take_number = [&](std::string_view& rest) {
    std::string_view number = rest.substr(0, rest.find_first_not_of(kDigits));
    rest.remove_prefix(number.size());
    number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
    return number;
  };
  const auto starts_with_digit = [&](std::string_view text) { return kDigits.find(text.front()) != kDigits.npos; };
  while (!a.empty() && !b.empty()) {
    if (starts_with_digit(a) && starts_with_digit(b)) {
      const std::string_view first = take_number(a), second = take_number(b);
      if (first.size() != second.size()) return first.size() < second.size();
      if (first != second) return first < second;
    } else {
      if (a.front() != b.front()) return a.front() < b.front();
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.empty() == b.empty() ? whole_a < whole_b : a.empty();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (kind_of(c) == Letter::kUpper) c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::vector<std::string> ObjectName::rest_without_id() const {
  std::vector<std::string> others = rest;
  std::erase_if(others, [](const std::string& word) { return word == "id" || word == "ids"; });
  return others;
}

ObjectName parse_object_name(std::string_view name) {
  std::vector<std::string> words = words_of(name);
  split_joined_word(words);
  ObjectName parsed;
  // The last word counts: "/data/labels" are labels, and "data" says where they belong.
  std::optional<std::size_t> role_at;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (find_word(kRoleWords, words[i])) role_at = i;
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto* const split = find_word(kSplitWords, words[i]);
    if (role_at == i) {
      parsed.role = find_word(kRoleWords, words[i])->role;
    } else if (split != nullptr && parsed.split.empty()) {
      parsed.split = split->split;
    } else {
      parsed.rest.push_back(words[i]);
    }
  }
  return parsed;
}

}  // namespace xrai
