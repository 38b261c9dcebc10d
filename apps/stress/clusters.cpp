// See clusters.h.
#include "apps/stress/clusters.h"

#include <algorithm>
#include <map>

#include "apps/report/families.h"

namespace xrai {
namespace {

using Places = std::vector<std::size_t>;

Predictions subset(const Predictions& all, const Places& places) {
  Predictions part;
  part.classes = all.classes;
  const std::size_t k = all.classes.size();
  for (const std::size_t i : places) {
    part.labels.push_back(all.labels[i]);
    part.probabilities.insert(part.probabilities.end(), all.probabilities.begin() + static_cast<std::ptrdiff_t>(i * k),
                              all.probabilities.begin() + static_cast<std::ptrdiff_t>((i + 1) * k));
  }
  return part;
}

/// `compared`: pictures added for the AUROC alone.
ClusterPart judged(const Predictions& all, const Places& places, const Places& compared, double threshold) {
  ClusterPart part;
  part.n_of_class.resize(all.classes.size());
  for (const std::size_t i : places) ++part.n_of_class[static_cast<std::size_t>(all.labels[i])];
  const EvaluationOptions quick{.threshold = threshold, .n_resamples = 0};
  part.accuracy = accuracy(evaluate(subset(all, places), quick).confusion);
  Places both = places;
  both.insert(both.end(), compared.begin(), compared.end());
  part.auroc = evaluate(subset(all, both), quick).metric("auroc");
  return part;
}

Clustering thirds(const Predictions& predictions, const StatisticColumn& column, double threshold) {
  Clustering clustering{column.name, column.label, {}};
  if (column.values.size() < 3) return clustering;
  const std::vector<std::size_t> third_of = thirds_of(column.values);
  Places parts[3];
  for (std::size_t i = 0; i < third_of.size(); ++i) parts[third_of[i]].push_back(i);
  for (const Places& places : parts) {
    if (places.empty()) continue;
    ClusterPart part = judged(predictions, places, {}, threshold);
    const auto by_value = [&](std::size_t a, std::size_t b) { return column.values[a] < column.values[b]; };
    const auto [least, greatest] = std::minmax_element(places.begin(), places.end(), by_value);
    part.from = column.values[*least];
    part.to = column.values[*greatest];
    clustering.parts.push_back(std::move(part));
  }
  return clustering;
}

}  // namespace

std::vector<Clustering> clusters_by_statistics(const Predictions& predictions,
                                               const std::vector<StatisticColumn>& columns, double threshold) {
  std::vector<Clustering> all;
  for (const StatisticColumn& column : columns) {
    all.push_back(thirds(predictions, column, threshold));
    if (all.back().parts.size() < 2) all.pop_back();  // constant: says nothing
  }
  return all;
}

Clustering clusters_by_family(const Predictions& predictions, double threshold, std::size_t most) {
  Clustering clustering{"family", "family of file names", {}};
  std::map<std::string, Places> families;
  for (std::size_t i = 0; i < predictions.sources.size(); ++i) families[family_of(predictions.sources[i])].push_back(i);
  for (const auto& [name, places] : families) {
    std::vector<bool> held(predictions.classes.size());
    for (const std::size_t i : places) held[static_cast<std::size_t>(predictions.labels[i])] = true;
    Places compared;
    for (std::size_t i = 0; i < predictions.labels.size(); ++i)
      if (!held[static_cast<std::size_t>(predictions.labels[i])]) compared.push_back(i);
    clustering.parts.push_back(judged(predictions, places, compared, threshold));
    clustering.parts.back().name = name;
  }
  std::stable_sort(clustering.parts.begin(), clustering.parts.end(),
                   [](const ClusterPart& a, const ClusterPart& b) { return a.accuracy.of > b.accuracy.of; });
  if (clustering.parts.size() > most) clustering.parts.resize(most);
  return clustering;
}

}  // namespace xrai
