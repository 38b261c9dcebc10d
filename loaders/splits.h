// Which pictures belong together and which split they go to: pure functions of names, labels and a seed.
#pragma once

#include <cstdint>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xrai {

/// Reads the patient out of file names. The known rules, tried in this order on the name without folders and extension:
///   person12_bacteria_34, person12_virus_5   -> person12
///   IM-0115-0001, NORMAL2-IM-0115-0001-0002  -> IM-0115 (whether the two name one patient is unknown: kept together)
///   NORMAL-12-3, BACTERIA-12-3, VIRUS-12-3   -> NORMAL-12, BACTERIA-12, VIRUS-12
/// Any other picture is a group of its own, named by its relative path without the extension.
class GroupRule {
 public:
  GroupRule() = default;
  /// The first capture group (or the whole match) of an ECMAScript expression, searched in the relative path; the group
  /// is the path itself where it does not match. Throws Error(kUsage) when it is no such expression.
  explicit GroupRule(const std::string& expression);

  [[nodiscard]] std::string group_of(std::string_view relative_path) const;
  /// False when the picture was made a group of its own because no rule knew its name.
  [[nodiscard]] bool knows(std::string_view relative_path) const;

 private:
  [[nodiscard]] std::string match(std::string_view relative_path) const;

  std::regex expression_;
  bool own_expression_ = false;
};

/// Which series of the public sets the name belongs to (IM, NORMAL2, bacteria, virus; NORMAL, BACTERIA, VIRUS), or "".
/// Series of one class look different, so each split should hold its part of each.
std::string name_family(std::string_view relative_path);

struct SplitFraction {
  std::string name;       // "train", "val" or "test"
  double fraction = 0.0;  // of the pictures, above 0
};

/// From "train=0.7,val=0.15,test=0.15". Throws Error(kUsage) for other names, repeated ones, and fractions that are not
/// above 0 or do not add up to 1.
std::vector<SplitFraction> parse_splits(std::string_view text);

/// For each picture the index of its split in `fractions`. All pictures of a group get the same one; every stratum is
/// divided as near to the fractions as its groups allow. `groups` and `strata` have one entry a picture (strata: class
/// label, or class and family). Deterministic in its arguments, and the order of the pictures does not matter.
std::vector<int> grouped_stratified_split(std::span<const std::string> groups, std::span<const std::string> strata,
                                          std::span<const SplitFraction> fractions, std::uint64_t seed);
/// The same, with the labels as strata.
std::vector<int> grouped_stratified_split(std::span<const std::string> groups, std::span<const std::uint8_t> labels,
                                          std::span<const SplitFraction> fractions, std::uint64_t seed);

}  // namespace xrai
