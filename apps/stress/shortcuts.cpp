// See shortcuts.h.
#include "apps/stress/shortcuts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/report/families.h"
#include "apps/stress/variant_scores.h"
#include "runtime/core/error.h"
#include "runtime/train/confidence.h"
#include "runtime/train/logistic_regression.h"

namespace xrai {
namespace {

struct Area {
  std::optional<double> value;
  std::optional<Interval> ci95;
};

Area area(const std::vector<float>& scores, const std::vector<std::uint8_t>& positive) {
  return {RankedScores(scores, positive).auroc(), auroc_interval(scores, positive)};
}

std::vector<std::uint8_t> is_positive(const std::vector<std::int32_t>& labels) {
  std::vector<std::uint8_t> positive;
  for (const std::int32_t label : labels) positive.push_back(label == 1 ? 1 : 0);
  return positive;
}

/// probabilities: (n, 2).
std::vector<float> positive_scores(const std::vector<float>& probabilities) {
  std::vector<float> scores;
  for (std::size_t i = 1; i < probabilities.size(); i += 2) scores.push_back(probabilities[i]);
  return scores;
}

StatisticResult judge_statistic(const StatisticColumn& column, const Predictions& p) {
  StatisticResult result;
  result.name = column.name;
  result.label = column.label;
  const Area found = area({column.values.begin(), column.values.end()}, is_positive(p.labels));
  result.auroc = found.value;
  result.ci95 = found.ci95;
  result.higher_when_positive = !found.value || *found.value >= 0.5;
  if (!result.higher_when_positive) {
    result.auroc = 1.0 - *found.value;
    if (found.ci95) result.ci95 = Interval{1.0 - found.ci95->high, 1.0 - found.ci95->low};
  }
  const std::vector<float> scores = positive_scores(p.probabilities);
  for (std::size_t label = 0; label < 2; ++label) {
    std::vector<double> values, of_class;
    for (std::size_t i = 0; i < p.labels.size(); ++i) {
      if (p.labels[i] != static_cast<std::int32_t>(label)) continue;
      values.push_back(column.values[i]);
      of_class.push_back(static_cast<double>(scores[i]));
    }
    result.with_score[label] = spearman_correlation(values, of_class);
  }
  return result;
}

FeatureTable table_of(const std::vector<StatisticColumn>& columns) {
  FeatureTable table{static_cast<std::int64_t>(columns.size()), {}};
  for (std::size_t row = 0; row < columns.front().values.size(); ++row)
    for (const StatisticColumn& column : columns) table.values.push_back(column.values[row]);
  return table;
}

std::optional<StatisticsModel> statistics_model(DatasetReader& data, const std::string& split, const Predictions& p,
                                                const std::vector<StatisticColumn>& columns) {
  const auto splits = data.splits();
  if (split == "train" || std::find(splits.begin(), splits.end(), "train") == splits.end()) return std::nullopt;
  if (columns.empty()) return std::nullopt;
  std::vector<StatisticColumn> trained_on;
  const auto all = split_statistics(data, "train");
  for (const StatisticColumn& column : columns) {
    const auto same = [&](const StatisticColumn& other) { return other.name == column.name; };
    const auto found = std::find_if(all.begin(), all.end(), same);
    if (found == all.end()) return std::nullopt;  // the training split does not tell original sizes
    trained_on.push_back(*found);
  }
  std::vector<std::int32_t> labels;
  const auto places = class_places(data.classes(), p.classes, data.path().string(), "the network");
  for (const std::int32_t label : data.labels("train")) labels.push_back(places[static_cast<std::size_t>(label)]);
  const LogisticRegression model(table_of(trained_on), is_positive(labels));
  const Area found = area(model.probabilities(table_of(columns)), is_positive(p.labels));
  return StatisticsModel{data.n_images("train"), model.weights(), found.value, found.ci95};
}

/// Of a mean over pictures, by patient.
std::optional<Interval> mean_interval(const std::vector<double>& values, const std::vector<std::string>& groups) {
  const GroupBootstrap bootstrap(std::ssize(values), groups, EvaluationOptions{}.seed);
  std::vector<std::optional<double>> means;
  bootstrap.for_each(EvaluationOptions{}.n_resamples,
                     [&](std::span<const std::int32_t> weights) { means.push_back(mean(values, weights)); });
  return percentile_interval(means);
}

MaskResult judge_mask(const MaskDescription& mask, const Predictions& clean, const std::vector<float>& masked,
                      double threshold) {
  const std::vector<float> before = positive_scores(clean.probabilities), after = positive_scores(masked);
  const Area found = area(after, is_positive(clean.labels));
  MaskResult result;
  result.mask = mask;
  result.auroc = found.value;
  result.ci95 = found.ci95;
  const auto called_before = decide(clean.probabilities, 2, threshold);
  const auto called_after = decide(masked, 2, threshold);
  std::vector<double> changes;
  for (std::size_t i = 0; i < before.size(); ++i) {
    changes.push_back(std::abs(static_cast<double>(after[i]) - static_cast<double>(before[i])));
    result.flipped.hits += called_before[i] != called_after[i] ? 1 : 0;
    ++result.flipped.of;
  }
  result.mean_change = mean(changes).value_or(0.0);
  result.change_ci95 = mean_interval(changes, clean.groups);
  return result;
}

/// Of each class, with these probabilities.
std::array<Rate, 2> called_rightly(const std::vector<std::int32_t>& labels, const std::vector<float>& probabilities,
                                   double threshold) {
  std::array<Rate, 2> right{};
  const auto called = decide(probabilities, 2, threshold);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Rate& of_class = right[static_cast<std::size_t>(labels[i])];
    of_class.hits += called[i] == labels[i] ? 1 : 0;
    ++of_class.of;
  }
  return right;
}

AcquisitionResult judge_acquisition(const Acquisition& acquisition, const Predictions& clean,
                                    const std::vector<float>& changed, double threshold) {
  const std::vector<float> before = positive_scores(clean.probabilities), after = positive_scores(changed);
  AcquisitionResult result;
  result.acquisition = acquisition;
  result.right = called_rightly(clean.labels, changed, threshold);
  for (std::size_t label = 0; label < 2; ++label) {
    std::vector<float> scores = before;
    std::vector<double> changes;
    std::vector<std::string> groups;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (clean.labels[i] != static_cast<std::int32_t>(label)) continue;
      changes.push_back(static_cast<double>(after[i]) - static_cast<double>(before[i]));
      if (!clean.groups.empty()) groups.push_back(clean.groups[i]);
      scores[i] = after[i];
    }
    const Area found = area(scores, is_positive(clean.labels));
    result.auroc[label] = found.value;
    result.ci95[label] = found.ci95;
    result.mean_change[label] = mean(changes).value_or(0.0);
    result.change_ci95[label] = mean_interval(changes, groups);
  }
  return result;
}

std::vector<ErrorsOfClass> errors_by_family(const Predictions& p, double threshold) {
  std::vector<ErrorsOfClass> all;
  if (p.sources.empty()) return all;
  const auto called = decide(p.probabilities, p.n_classes(), threshold);
  for (std::size_t label = 0; label < p.classes.size(); ++label) {
    std::map<std::string, Rate> families;
    for (std::size_t i = 0; i < p.labels.size(); ++i) {
      if (p.labels[i] != static_cast<std::int32_t>(label)) continue;
      Rate& errors = families[family_of(p.sources[i])];
      errors.hits += called[i] != p.labels[i] ? 1 : 0;
      ++errors.of;
    }
    ErrorsOfClass of_class{p.classes[label], {}, {}};
    std::vector<Rate> rates;
    for (const auto& [family, errors] : families) {
      of_class.families.push_back({family, errors});
      rates.push_back(errors);
    }
    of_class.test = rates_differ(rates);
    all.push_back(std::move(of_class));
  }
  return all;
}

}  // namespace

std::int64_t shortcut_variants() {
  return static_cast<std::int64_t>(picture_masks().size() + acquisitions().size());
}

void require_two_classes(const DatasetReader& data, const Predictions& clean) {
  if (clean.n_classes() != 2)
    throw Error(
        ExitCode::kUsage,
        fmt::format("--shortcuts compares two classes, and {} has {} ({}); leave it out, --stress works with any "
                    "number",
                    data.path().string(), clean.n_classes(), fmt::join(clean.classes, ", ")));
}

ShortcutResult measure_shortcuts(DatasetReader& data, const std::string& split, const Predictions& clean,
                                 double threshold, const std::vector<StatisticColumn>& columns, const Predict& predict,
                                 const std::function<void(std::int64_t)>& on_images) {
  require_two_classes(data, clean);
  ShortcutResult result;
  result.classes = clean.classes;
  const Area network = area(positive_scores(clean.probabilities), is_positive(clean.labels));
  result.auroc = network.value;
  result.ci95 = network.ci95;
  result.right = called_rightly(clean.labels, clean.probabilities, threshold);
  for (const StatisticColumn& column : columns) result.statistics.push_back(judge_statistic(column, clean));
  result.model = statistics_model(data, split, clean, columns);
  std::vector<Change> changes;
  for (const MaskDescription& mask : picture_masks())
    changes.emplace_back([&mask](const PictureBlock& block) { mask_pictures(mask.mask, block); });
  for (const Acquisition& acquisition : acquisitions())
    changes.emplace_back([&acquisition](const PictureBlock& block) { change_acquisition(acquisition, block); });
  const auto variants = score_variants(data, split, changes, predict, on_images);
  const std::size_t n_masks = picture_masks().size();
  for (std::size_t i = 0; i < variants.size(); ++i)
    if (i < n_masks)
      result.masks.push_back(judge_mask(picture_masks()[i], clean, variants[i], threshold));
    else
      result.acquisitions.push_back(judge_acquisition(acquisitions()[i - n_masks], clean, variants[i], threshold));
  result.errors = errors_by_family(clean, threshold);
  return result;
}

}  // namespace xrai
