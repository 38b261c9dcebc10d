// How the race checker hears what the scheduler does. In programs whose kernels are not compiled for it there is none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "emulation.h"

namespace xrai::emulation {

constexpr unsigned kWarpSize = 32;

/// For each lane of the own warp: the last of that lane's stretches between two __syncwarp that lies before what this
/// thread does now (a vector clock). A thread's own entry counts its stretches, from 1.
using WarpClock = std::array<std::uint32_t, kWarpSize>;

/// Which CUDA thread is running, and how far it has come.
struct Position {
  std::uint32_t block = 0;     // numbered within the grid
  std::uint32_t thread = 0;    // numbered within the block
  std::uint32_t barriers = 0;  // of the block, passed so far
  const WarpClock* clock = nullptr;
  const char* stack_begin = nullptr;
  const char* stack_end = nullptr;
};
/// nullptr outside of kernels.
const Position* position();

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void launch_begins() = 0;
  /// The running block has got this shared memory; what was known of these addresses is void.
  virtual void shared_memory(const void* begin, std::size_t bytes) = 0;
  /// The faults seen, a sentence each; empty is good.
  virtual std::vector<std::string> launch_ends() = 0;
  virtual std::vector<Access> accesses() = 0;
  virtual Traffic traffic() = 0;
  virtual void set_device_memory_check(AddressCheck check) = 0;
};
/// Once, before the first launch.
void set_observer(Observer* observer);
Observer* observer();

}  // namespace xrai::emulation
