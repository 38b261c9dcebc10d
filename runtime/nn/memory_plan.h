// Places in one arena for tensors that live at different times: what is never alive together may share bytes.
#pragma once

#include <cstddef>
#include <vector>

namespace xrai {

/// Bytes needed from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // one a lifetime, multiples of 256
  std::size_t total_bytes = 0;
};

/// Largest first, by bytes or by bytes and length of life, whichever comes out smaller; each at the lowest offset that
/// is free during its life: within a few per cent of the lower bound (the largest sum alive at one step) for networks,
/// whose lives nest.
MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes);

/// The step at which most bytes are alive; the first of such.
int worst_step(const std::vector<Lifetime>& lifetimes);
/// The number of bytes alive then: no plan can need less.
std::size_t peak_bytes(const std::vector<Lifetime>& lifetimes);

}  // namespace xrai
