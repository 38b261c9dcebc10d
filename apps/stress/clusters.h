// A split taken apart: thirds by each statistic of the pictures, and families of file names, each judged on its own.
// A network that is good on average may fail on the bright third, or on one machine's pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loaders/stress/picture_statistics.h"
#include "runtime/train/evaluation.h"

namespace xrai {

/// Part of the split.
struct ClusterPart {
  std::string name;                      // of a family; empty for thirds
  double from = 0.0, to = 0.0;           // least and greatest value of a third
  std::vector<std::int64_t> n_of_class;  // (classes)
  Metric auroc;                          // absent where a class has no picture in it
  Rate accuracy;
};

struct Clustering {
  std::string name, label;  // as of StatisticColumn; "family"
  std::vector<ClusterPart> parts;
};

/// Thirds of equal size by each column, in rising order; equal values stay together, so that parts can differ in size
/// or be missing. `columns`: of the same pictures, in the same order.
std::vector<Clustering> clusters_by_statistics(const Predictions& predictions,
                                               const std::vector<StatisticColumn>& columns, double threshold);

/// Families by falling number of pictures, at most `most`. A family mostly holds one class; its AUROC is then that of
/// its pictures against all pictures of the classes that it lacks. No parts without file names.
Clustering clusters_by_family(const Predictions& predictions, double threshold, std::size_t most = 12);

}  // namespace xrai
