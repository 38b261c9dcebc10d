// The emulation of CUDA kernels on the host: kernels/*.cu, compiled unchanged by the host compiler, run here block by
// block, each CUDA thread as a fiber. What a GPU leaves undefined is a fault: divergent barriers, bad masks of warp
// operations, launch configurations beyond the limits, and, in the race build, unordered accesses and host memory.
// This is what tests and the test double of the CUDA runtime use; the words that kernels use are in device_language.h.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace xrai::emulation {

/// One kernel launch, ready to run on the host.
struct Launch {
  std::string kernel;  // name for messages
  dim3 grid, block;
  std::size_t shared_bytes = 0;  // dynamic shared memory
  std::function<void()> thread;  // the body of one CUDA thread
};

/// A kernel did what the programming model leaves undefined. The message names kernel, block, thread and source line.
class KernelFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// In which order the blocks of a grid, and the threads of a block between two barriers, take turns.
enum class Order { kForward, kReverse, kRandom };
/// For all launches from now on; `seed` is for Order::kRandom.
void set_order(Order order, std::uint64_t seed = 1);

/// For all launches from now on: the other blocks are left out, so that a kernel can be seen at the end of arrays that
/// are far too large to be walked over.
void run_last_block_only(bool only);

/// Runs all blocks and threads to the end, or throws KernelFault. One launch at a time; others wait.
void run(const Launch& launch);

/// Called by launch() to put a kernel on a stream. The emulation's own definition is weak and runs it at once; the test
/// double of the CUDA runtime has another, which queues it.
cudaError_t enqueue(cudaStream_t stream, Launch launch);

/// A range of global memory that a launch touched.
struct Access {
  const void* begin;
  std::size_t bytes;
  bool write;
};
/// How much global memory a launch moved: every byte once, as if caches were perfect, and every access.
struct Traffic {
  std::uint64_t read_bytes = 0, written_bytes = 0;  // distinct bytes
  std::uint64_t load_bytes = 0, store_bytes = 0;    // sums over all accesses
};

/// Whether the kernels in this program were compiled for the race checker; the three functions below need that.
bool checks_races();
/// What the last run() really touched, adjacent bytes joined, reads before writes. Empty without the race checker.
std::vector<Access> last_accesses();
/// The same in numbers. Zero without the race checker.
Traffic last_traffic();
/// Says whether a range is device memory; called at every access, from within the launch. Once set, kernels may touch
/// nothing else (and their shared memory and stack).
using AddressCheck = bool (*)(const void*, std::size_t);
/// nullptr allows everything again.
void set_device_memory_check(AddressCheck check);

}  // namespace xrai::emulation
