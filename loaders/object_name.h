// What the name of a data set, or of a file, says about its content: X_train, /val/images, camelyonpatch_split_test_y.
// Only words are looked at here; shapes and values are not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xrai {

/// Outcomes are words that may mean labels ("diagnosis"); they do where nothing is called so outright.
enum class Role { kUnknown, kPictures, kLabels, kOutcomes, kGroups, kSources, kClasses };

struct ObjectName {
  Role role = Role::kUnknown;
  std::string split;              // "train", "val", "test", or empty when the name does not say
  std::vector<std::string> rest;  // the other words, in lower case: equal for what belongs together

  /// The other words without "id", which says nothing: "patient_id" is a patient, "patient_age" is not.
  [[nodiscard]] std::vector<std::string> rest_without_id() const;
};

/// Words are what stands between characters that are no letters, and where lower case turns into upper case; groups on
/// the way count ("/train/images"). Case does not matter.
ObjectName parse_object_name(std::string_view name);

/// "2" before "10", and ISIC_9 before ISIC_10: numbers in names count as what they are.
bool is_before_by_number(std::string_view a, std::string_view b);

/// In lower case, ASCII only.
std::string lower_case(std::string_view text);

}  // namespace xrai
