// See families.h.
#include "apps/report/families.h"

#include <algorithm>
#include <map>

#include "loaders/splits.h"

namespace xrai {

std::string family_of(std::string_view source) {
  if (std::string family = name_family(source); !family.empty()) return family;
  const std::size_t slash = source.find_last_of("/\\");
  if (slash == std::string_view::npos || slash == 0) return "other";
  const std::string_view folders = source.substr(0, slash);
  const std::size_t before = folders.find_last_of("/\\");
  return std::string(before == std::string_view::npos ? folders : folders.substr(before + 1));
}

std::vector<FamilyResult> family_results(const Predictions& predictions, double threshold, std::size_t most) {
  std::map<std::string, Rate> by_name;
  const auto predicted = decide(predictions.probabilities, predictions.n_classes(), threshold);
  for (std::size_t i = 0; i < predictions.sources.size(); ++i) {
    Rate& rate = by_name[family_of(predictions.sources[i])];
    rate.hits += predicted[i] == predictions.labels[i] ? 1 : 0;
    ++rate.of;
  }
  std::vector<FamilyResult> results;
  for (const auto& [name, rate] : by_name) results.push_back({name, rate});
  std::stable_sort(results.begin(), results.end(),
                   [](const FamilyResult& a, const FamilyResult& b) { return a.accuracy.of > b.accuracy.of; });
  if (results.size() <= most) return results;
  FamilyResult others{"others", {}};
  for (std::size_t i = most - 1; i < results.size(); ++i) {
    others.accuracy.hits += results[i].accuracy.hits;
    others.accuracy.of += results[i].accuracy.of;
  }
  results.resize(most - 1);
  results.push_back(others);
  return results;
}

}  // namespace xrai
