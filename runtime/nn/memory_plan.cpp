#include "runtime/nn/memory_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace xrai {
namespace {

// What cuDNN and cuBLAS ask of a workspace.
std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

bool together(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

struct Worst {
  int step = 0;
  std::size_t bytes = 0;
};

// One walk over the steps, with what begins and what has ended at each.
Worst worst_of(const std::vector<Lifetime>& lifetimes) {
  std::map<int, std::pair<std::size_t, std::size_t>> changes;  // step: bytes that begin, bytes that are gone
  for (const Lifetime& life : lifetimes) {
    changes[life.first].first += aligned(life.bytes);
    changes[life.last + 1].second += aligned(life.bytes);
  }
  Worst worst;
  std::size_t alive = 0;
  for (const auto& [step, change] : changes) {
    alive += change.first;
    alive -= change.second;
    if (alive > worst.bytes) worst = {step, alive};
  }
  return worst;
}

// Each at the lowest offset that is free during its life.
MemoryPlan placed_in(const std::vector<std::size_t>& order, const std::vector<Lifetime>& lifetimes) {
  MemoryPlan plan{std::vector<std::size_t>(lifetimes.size(), 0), 0};
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t item : order) {
    const std::size_t bytes = aligned(lifetimes[item].bytes);
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      if (!together(lifetimes[item], lifetimes[other])) continue;
      if (offset + bytes <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + aligned(lifetimes[other].bytes));
    }
    plan.offsets[item] = offset;
    plan.total_bytes = std::max(plan.total_bytes, offset + bytes);
    const auto place =
        std::find_if(placed.begin(), placed.end(), [&](std::size_t other) { return plan.offsets[other] > offset; });
    placed.insert(place, item);
  }
  return plan;
}

}  // namespace

MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes) {
  const auto largest_first = [&](const auto& size) {
    std::vector<std::size_t> order(lifetimes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return size(lifetimes[a]) > size(lifetimes[b]); });
    return placed_in(order, lifetimes);
  };
  const MemoryPlan by_bytes = largest_first([](const Lifetime& l) { return l.bytes; });
  const MemoryPlan by_area =
      largest_first([](const Lifetime& l) { return l.bytes * static_cast<std::size_t>(l.last - l.first + 1); });
  return by_area.total_bytes < by_bytes.total_bytes ? by_area : by_bytes;
}

int worst_step(const std::vector<Lifetime>& lifetimes) {
  return worst_of(lifetimes).step;
}

std::size_t peak_bytes(const std::vector<Lifetime>& lifetimes) {
  return worst_of(lifetimes).bytes;
}

}  // namespace xrai
