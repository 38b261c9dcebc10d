// Which plan the card is fastest with, found out by running them: --autotune.
#pragma once

#include <string>

#include "runtime/core/plans.h"
#include "runtime/cuda/cudnn_plan.h"

namespace xrai::cuda {

class PlanTuner {
 public:
  /// known: choices of an earlier run, taken where the library still offers them.
  explicit PlanTuner(PlanChoices known) : known_(std::move(known)) {}

  /// Runs the list's plans on the handle's stream with memory of their own, waits, and gives the one of the smallest
  /// median time. An operation that was timed before gets the same plan again. Throws NotSupported for an empty list.
  /// Where there is no memory for it, the first of the list is taken and not remembered.
  CudnnPlan choose(const CudnnPlanList& list, cudnnHandle_t handle, cudaStream_t stream);

  /// By the operation's words (CudnnGraph::what).
  [[nodiscard]] const PlanChoices& choices() const { return choices_; }
  /// One line about what was chosen since the last call; empty: nothing.
  std::string take_remark();

 private:
  struct Tally {
    int timed = 0, improved = 0, known = 0, gone = 0, without_memory = 0;
    double first_ms = 0, best_ms = 0;  // sums over what was timed
  };
  CudnnPlan time(std::vector<CudnnPlan> plans, cudnnHandle_t handle, cudaStream_t stream);

  PlanChoices known_, choices_;
  Tally tally_;
};

}  // namespace xrai::cuda
