// What a network could know without looking at lungs, and whether it does: how far exposure, rim, corners, sharpness
// and size alone predict the label, how the score changes when parts of the pictures are masked, what is lost when one
// class alone is taken otherwise, how the score goes along with each statistic within a class, and whether mistakes
// gather in a family. Two classes only.
// (DeGrave, Janizek and Lee, "AI for radiographic COVID-19 detection selects shortcuts over signal", Nature Machine
// Intelligence 3:610, 2021; Zech et al., PLOS Medicine 15:e1002683, 2018.)
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/report/score_split.h"
#include "loaders/stress/acquisition.h"
#include "loaders/stress/masks.h"
#include "loaders/stress/picture_statistics.h"
#include "runtime/train/association.h"
#include "runtime/train/evaluation.h"

namespace xrai {

/// How far one figure tells the classes apart. Of the two directions the better one is taken on the same pictures, so
/// a figure that says nothing comes out a little above 0.5.
struct StatisticResult {
  std::string name, label;
  bool higher_when_positive = true;
  std::optional<double> auroc;  // at least 0.5
  std::optional<Interval> ci95;
  std::array<std::optional<Correlation>, 2> with_score;  // within each class: the statistic and the network's score
};

/// A logistic regression over all statistics, fitted on the training split.
struct StatisticsModel {
  std::int64_t n_trained = 0;
  std::vector<double> weights;  // change of the log odds by one standard deviation, in the order of the statistics
  std::optional<double> auroc;
  std::optional<Interval> ci95;
};

struct MaskResult {
  MaskDescription mask;
  std::optional<double> auroc;
  std::optional<Interval> ci95;
  double mean_change = 0.0;             // mean |change of the probability of the positive class|
  std::optional<Interval> change_ci95;  // bootstrap by group
  Rate flipped;                         // pictures that are called otherwise than before
};

/// AUROC, and how much of the changed class is called rightly at the threshold (specificity, sensitivity), when the
/// pictures of one class alone are changed in a way that says nothing of lungs, as when that class came from another
/// machine: by class, the changed one.
struct AcquisitionResult {
  Acquisition acquisition;
  std::array<std::optional<double>, 2> auroc;
  std::array<std::optional<Interval>, 2> ci95;
  std::array<Rate, 2> right{};                         // pictures of the class that are called rightly, changed
  std::array<double, 2> mean_change{};                 // mean change of the probability of the positive class, by class
  std::array<std::optional<Interval>, 2> change_ci95;  // bootstrap by group
};

struct FamilyErrors {
  std::string family;
  Rate errors;
};
/// Mistakes of one class by family.
struct ErrorsOfClass {
  std::string class_name;
  std::vector<FamilyErrors> families;
  std::optional<IndependenceTest> test;
};

struct ShortcutResult {
  std::vector<std::string> classes;
  std::optional<double> auroc;  // of the network
  std::optional<Interval> ci95;
  std::vector<StatisticResult> statistics;
  std::optional<StatisticsModel> model;  // absent when there is no training split apart from the scored one
  std::array<Rate, 2> right{};           // pictures of each class that are called rightly as they are
  std::vector<MaskResult> masks;
  std::vector<AcquisitionResult> acquisitions;
  std::vector<ErrorsOfClass> errors;  // empty without file names
};

/// Pictures that are scored for each one of the split.
std::int64_t shortcut_variants();

/// Throws Error(kUsage) when there are not two classes.
void require_two_classes(const DatasetReader& data, const Predictions& clean);

/// `clean`: the predictions of the split; `columns`: its statistics. Throws Error(kUsage) as above, and what reading
/// and `predict` throw.
ShortcutResult measure_shortcuts(DatasetReader& data, const std::string& split, const Predictions& clean,
                                 double threshold, const std::vector<StatisticColumn>& columns, const Predict& predict,
                                 const std::function<void(std::int64_t)>& on_images);

}  // namespace xrai
