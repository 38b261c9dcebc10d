#include "loaders/splits.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "kernels/philox.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view without_extension(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos || dot == 0 || path.find('/', dot) != std::string_view::npos
             ? path
             : path.substr(0, dot);
}

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

/// The digits that `text` begins with; empty when it begins with something else.
std::string_view leading_digits(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  return text.substr(0, n);
}

/// "IM-0115-0001" after `prefix` -> its digits, when something set off by '-' or '_' or nothing follows.
std::string_view number_after(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return {};
  const std::string_view digits = leading_digits(name.substr(prefix.size()));
  const std::string_view rest = name.substr(prefix.size() + digits.size());
  return rest.empty() || rest[0] == '-' || rest[0] == '_' ? digits : std::string_view{};
}

std::string known_group(std::string_view relative_path) {
  const std::string_view name = without_extension(file_name(relative_path));
  if (const auto digits = number_after(name, "person"); !digits.empty()) return fmt::format("person{}", digits);
  const std::string_view series = name.starts_with("NORMAL2-") ? name.substr(8) : name;
  if (const auto digits = number_after(series, "IM-"); !digits.empty()) return fmt::format("IM-{}", digits);
  for (const std::string_view kind : {"NORMAL-", "BACTERIA-", "VIRUS-"})
    if (const auto digits = number_after(name, kind); !digits.empty()) return fmt::format("{}{}", kind, digits);
  return "";
}

std::uint64_t text_hash(std::string_view text) {  // FNV-1a
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char character : text) hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001B3ULL;
  return hash;
}

}  // namespace

GroupRule::GroupRule(const std::string& expression) : own_expression_(true) {
  try {
    expression_ = std::regex(expression, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& failure) {
    throw Error(ExitCode::kUsage, fmt::format("\"{}\" is not a regular expression: {}; an example for "
                                              "names like pat7_view2.png: '(pat[0-9]+)_'",
                                              expression, failure.what()));
  }
}

std::string GroupRule::match(std::string_view relative_path) const {
  if (!own_expression_) return known_group(relative_path);
  const std::string path(relative_path);
  std::smatch found;
  if (!std::regex_search(path, found, expression_)) return "";
  return found.size() > 1 ? found[1].str() : found[0].str();
}

std::string GroupRule::group_of(std::string_view relative_path) const {
  std::string group = match(relative_path);
  return group.empty() ? std::string(without_extension(relative_path)) : group;
}

bool GroupRule::knows(std::string_view relative_path) const {
  return !match(relative_path).empty();
}

std::string name_family(std::string_view relative_path) {
  const std::string_view name = without_extension(file_name(relative_path));
  if (const auto digits = number_after(name, "person"); !digits.empty()) {
    for (const std::string_view kind : {"bacteria", "virus"})
      if (name.substr(6 + digits.size()).starts_with(fmt::format("_{}_", kind))) return std::string(kind);
    return "";
  }
  for (const std::string_view family : {"NORMAL2-IM-", "IM-", "NORMAL-", "BACTERIA-", "VIRUS-"})
    if (!number_after(name, family).empty()) return std::string(family.substr(0, family.find('-')));
  return "";
}

std::vector<SplitFraction> parse_splits(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitCode::kUsage, fmt::format("the splits \"{}\" cannot be used: {}; write them like "
                                              "train=0.7,val=0.15,test=0.15",
                                              text, why));
  };
  std::vector<SplitFraction> splits;
  double sum = 0.0;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    const std::size_t equals = part.find('=');
    const std::string name(part.substr(0, equals));
    if (name != "train" && name != "val" && name != "test")
      refuse(fmt::format("\"{}\" is not train, val or test", name));
    for (const SplitFraction& other : splits)
      if (other.name == name) refuse(fmt::format("{} stands there twice", name));
    const std::string_view number = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    double fraction = 0.0;
    const auto [stop, failure] = std::from_chars(number.data(), number.data() + number.size(), fraction);
    if (failure != std::errc() || stop != number.data() + number.size() || !(fraction > 0.0) || fraction > 1.0)
      refuse(fmt::format("the part for {} must be a number above 0, at most 1", name));
    splits.push_back({name, fraction});
    sum += fraction;
    begin = end + 1;
  }
  constexpr double kRoundingInPrint = 1e-3;
  if (std::abs(sum - 1.0) > kRoundingInPrint) refuse(fmt::format("the parts add up to {:g} and not to 1", sum));
  for (SplitFraction& split : splits) split.fraction /= sum;
  return splits;
}

namespace {

struct Group {
  std::string_view name;
  std::map<std::string_view, double> pictures_of_stratum;
  std::vector<std::size_t> members;
  std::uint64_t draw = 0;
};

std::vector<Group> drawn_groups(std::span<const std::string> groups, std::span<const std::string> strata,
                                std::uint64_t seed) {
  std::map<std::string_view, Group> by_name;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Group& group = by_name[groups[i]];
    group.name = groups[i];
    group.pictures_of_stratum[strata[i]] += 1.0;
    group.members.push_back(i);
  }
  std::vector<Group> drawn;
  for (auto& [name, group] : by_name) {
    const auto random = kernels::random_numbers(seed, kernels::RandomPurpose::kSplit, 0, text_hash(name));
    group.draw = static_cast<std::uint64_t>(random.v[0]) << 32 | random.v[1];
    drawn.push_back(std::move(group));
  }
  std::sort(drawn.begin(), drawn.end(),
            [](const Group& a, const Group& b) { return std::tie(a.draw, a.name) < std::tie(b.draw, b.name); });
  return drawn;
}

}  // namespace

std::vector<int> grouped_stratified_split(std::span<const std::string> groups, std::span<const std::string> strata,
                                          std::span<const SplitFraction> fractions, std::uint64_t seed) {
  if (groups.size() != strata.size() || fractions.empty())
    throw std::invalid_argument("a split needs one group and one stratum a picture, and at least one part");
  std::map<std::string_view, double> total;
  for (const std::string& stratum : strata) total[stratum] += 1.0;
  std::vector<std::map<std::string_view, double>> filled(fractions.size());
  std::vector<int> split_of(groups.size());

  // In random order each group goes where it lowers the sum of (filled - wanted)^2 / wanted the most. Large groups are
  // not dealt first: a held-out part should hold large and small ones as the whole does.
  for (const Group& group : drawn_groups(groups, strata, seed)) {
    std::size_t best = 0;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < fractions.size(); ++k) {
      double cost = 0.0;
      for (const auto& [stratum, n] : group.pictures_of_stratum) {
        const double wanted = fractions[k].fraction * total[stratum];
        cost += n * (2.0 * (filled[k][stratum] - wanted) + n) / wanted;
      }
      if (cost < lowest) {
        lowest = cost;
        best = k;
      }
    }
    for (const auto& [stratum, n] : group.pictures_of_stratum) filled[best][stratum] += n;
    for (const std::size_t member : group.members) split_of[member] = static_cast<int>(best);
  }
  return split_of;
}

std::vector<int> grouped_stratified_split(std::span<const std::string> groups, std::span<const std::uint8_t> labels,
                                          std::span<const SplitFraction> fractions, std::uint64_t seed) {
  std::vector<std::string> strata;
  for (const std::uint8_t label : labels) strata.push_back(std::to_string(label));
  return grouped_stratified_split(groups, strata, fractions, seed);
}

}  // namespace xrai
