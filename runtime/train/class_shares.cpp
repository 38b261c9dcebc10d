#include "runtime/train/class_shares.h"

#include <cmath>

namespace xrai {
namespace {

std::vector<double> class_counts(const std::vector<std::int32_t>& labels, std::int64_t n_classes) {
  std::vector<double> counts(static_cast<std::size_t>(n_classes), 0);
  for (const std::int32_t label : labels) counts[static_cast<std::size_t>(label)] += 1;
  return counts;
}

}  // namespace

std::vector<float> balanced_class_weights(const std::vector<std::int32_t>& labels, std::int64_t n_classes) {
  std::vector<float> weights;
  for (const double count : class_counts(labels, n_classes))
    weights.push_back(
        count > 0 ? static_cast<float>(static_cast<double>(labels.size()) / (static_cast<double>(n_classes) * count))
                  : 0.0f);
  return weights;
}

std::vector<float> log_class_shares(const std::vector<std::int32_t>& labels, std::int64_t n_classes) {
  std::vector<float> logs;
  for (const double count : class_counts(labels, n_classes))
    logs.push_back(static_cast<float>(std::log(count / static_cast<double>(labels.size()))));
  return logs;
}

}  // namespace xrai
