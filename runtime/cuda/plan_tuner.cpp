#include "runtime/cuda/plan_tuner.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/cuda/context.h"
#include "runtime/cuda/memory.h"

namespace xrai::cuda {
namespace {

// The lists are sorted by what the library expects: the best is hardly ever further down.
constexpr std::size_t kMostTimed = 16;
constexpr std::size_t kRepetitions = 5;  // after one that is not counted

/// Zeroed memory for all tensors of a plan's graph, and its workspace behind them.
struct Scratch {
  Scratch(const std::vector<CudnnPlan>& plans, cudaStream_t stream) {
    const CudnnGraph& graph = plans.front().graph();
    std::size_t bytes = 0, workspace_bytes = 0;
    for (const std::size_t size : graph.bytes()) bytes += aligned(size);
    for (const CudnnPlan& plan : plans) workspace_bytes = std::max(workspace_bytes, plan.workspace_bytes());
    memory = allocate_device(bytes + workspace_bytes);
    check(cudaMemsetAsync(memory.data(), 0, memory.size_bytes(), stream));
    std::byte* place = memory.as<std::byte>();
    for (std::size_t i = 0; i < graph.uids().size(); ++i) {
      bindings.push_back({graph.uids()[i], place});
      place += aligned(graph.bytes()[i]);
    }
    workspace = place;
  }
  Buffer memory;
  std::vector<CudnnBinding> bindings;
  void* workspace = nullptr;
};

/// Milliseconds of one run on the card.
double median_ms(CudnnPlan& plan, const Scratch& scratch, cudnnHandle_t handle, cudaStream_t stream) {
  TimedEvent begin, end;
  std::array<float, kRepetitions> times{};
  plan.execute(handle, scratch.bindings, scratch.workspace);
  for (float& time : times) {
    begin.record(stream);
    plan.execute(handle, scratch.bindings, scratch.workspace);
    end.record(stream);
    time = end.milliseconds_since(begin);
  }
  std::nth_element(times.begin(), times.begin() + kRepetitions / 2, times.end());
  return times[kRepetitions / 2];
}

}  // namespace

CudnnPlan PlanTuner::time(std::vector<CudnnPlan> plans, cudnnHandle_t handle, cudaStream_t stream) {
  const Scratch scratch(plans, stream);
  std::vector<double> times;
  for (CudnnPlan& plan : plans) times.push_back(median_ms(plan, scratch, handle, stream));
  const auto best = std::min_element(times.begin(), times.end());
  ++tally_.timed;
  tally_.improved += best == times.begin() ? 0 : 1;
  tally_.first_ms += times.front();
  tally_.best_ms += *best;
  return std::move(plans[static_cast<std::size_t>(best - times.begin())]);
}

CudnnPlan PlanTuner::choose(const CudnnPlanList& list, cudnnHandle_t handle, cudaStream_t stream) {
  std::vector<CudnnPlan> plans = list.all(kMostTimed);
  if (plans.empty()) return list.first();  // says why there is none
  const std::string& operation = plans.front().graph().what();
  const auto offered = [&](const PlanChoices& among) {
    const auto choice = among.find(operation);
    return choice == among.end() ? plans.end() : std::find_if(plans.begin(), plans.end(), [&](const CudnnPlan& plan) {
      return plan.settings() == choice->second;
    });
  };
  if (const auto again = offered(choices_); again != plans.end()) return std::move(*again);
  if (const auto known = offered(known_); known != plans.end()) {
    ++tally_.known;
    choices_[operation] = known->settings();
    return std::move(*known);
  }
  tally_.gone += known_.contains(operation) ? 1 : 0;
  try {
    CudnnPlan best = time(std::move(plans), handle, stream);
    choices_[best.graph().what()] = best.settings();
    return best;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kOutOfMemory) throw;
    ++tally_.without_memory;
    return list.first();
  }
}

std::string PlanTuner::take_remark() {
  const Tally t = std::exchange(tally_, {});
  std::string remark;
  const auto add = [&](int count, const std::string& text) {
    if (count > 0) remark += (remark.empty() ? "" : "; ") + text;
  };
  add(t.timed, fmt::format("{} operations timed, {:.3f} ms together where the library's first plans take {:.3f} ms "
                           "({} had a faster one)",
                           t.timed, t.best_ms, t.first_ms, t.improved));
  add(t.known, fmt::format("{} as the checkpoint says", t.known));
  add(t.gone, fmt::format("{} of the checkpoint's choices are not offered here and were timed again", t.gone));
  add(t.without_memory, fmt::format("{} could not be timed for want of memory", t.without_memory));
  return remark;
}

}  // namespace xrai::cuda
