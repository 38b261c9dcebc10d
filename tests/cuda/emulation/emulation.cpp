#include "emulation.h"

#include <mutex>
#include <numeric>

#include "block.h"
#include "execution.h"
#include "observer.h"

// Answered by the CUDA runtime or its test double, where the program has one of them.
#pragma weak cudaGetErrorString

namespace xrai::emulation {
namespace {

struct Settings {
  Order order = Order::kForward;
  std::uint64_t seed = 1;
  std::uint64_t launches = 0;  // so that a random order is another one for each launch
  bool last_block_only = false;
};

Settings& settings() {
  static Settings the_settings;
  return the_settings;
}

std::mutex& launch_mutex() {
  static std::mutex mutex;
  return mutex;
}

Observer*& the_observer() {
  static Observer* pointer = nullptr;
  return pointer;
}

/// The limits of all devices of compute capability 5.0 and later.
bool is_valid(const Launch& launch) {
  const dim3 &grid = launch.grid, &block = launch.block;
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  return threads > 0 && threads <= 1024 && block.x <= 1024 && block.y <= 1024 && block.z <= 64 && grid.x > 0 &&
         grid.y > 0 && grid.z > 0 && grid.x <= 2147483647u && grid.y <= 65535 && grid.z <= 65535;
}

std::string text_of(dim3 extent) {
  return std::to_string(extent.x) + " x " + std::to_string(extent.y) + " x " + std::to_string(extent.z);
}

void check_configuration(const Launch& launch) {
  if (!is_valid(launch)) {
    throw KernelFault("kernel " + launch.kernel + ": invalid launch configuration: a grid of " + text_of(launch.grid) +
                      " blocks of " + text_of(launch.block) + " threads");
  }
  if (launch.block.x * launch.block.y * launch.block.z % kWarpSize != 0) {
    throw KernelFault("kernel " + launch.kernel + ": blocks of " + text_of(launch.block) +
                      " threads leave a warp incomplete; this project's kernels use whole warps");
  }
}

void run_blocks(const Launch& launch) {
  static FiberPool fibers;
  Settings& now = settings();
  const std::uint64_t seed = now.seed * 0x9E3779B97F4A7C15u + ++now.launches;
  Sequence block_order(now.order, seed), thread_order(now.order, ~seed);
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  const auto run_block = [&](std::uint32_t number) {
    Block block(launch, number, fibers);
    struct Current {
      explicit Current(Block* running) { current_block() = running; }
      ~Current() { current_block() = nullptr; }
    } const current(&block);
    block.run(thread_order);
  };
  if (now.last_block_only) return run_block(static_cast<std::uint32_t>(blocks - 1));
  for (const std::uint32_t number : block_order.of(blocks)) run_block(number);
}

void throw_if_any(const std::vector<std::string>& faults, const Launch& launch) {
  if (faults.empty()) return;
  std::string message = "kernel " + launch.kernel + ": ";
  for (const std::string& fault : faults) message += fault + (&fault == &faults.back() ? "" : "; ");
  throw KernelFault(message);
}

}  // namespace

void set_order(Order order, std::uint64_t seed) {
  const std::lock_guard lock(launch_mutex());
  settings().order = order;
  settings().seed = seed;
}

void run_last_block_only(bool only) {
  const std::lock_guard lock(launch_mutex());
  settings().last_block_only = only;
}

void run(const Launch& launch) {
  const std::lock_guard lock(launch_mutex());
  check_configuration(launch);
  gridDim = launch.grid;
  blockDim = launch.block;
  if (observer() != nullptr) observer()->launch_begins();
  run_blocks(launch);
  if (observer() != nullptr) throw_if_any(observer()->launch_ends(), launch);
}

__attribute__((weak)) cudaError_t enqueue(cudaStream_t, Launch launch) {
  run(launch);
  return cudaSuccess;
}

bool checks_races() {
  return observer() != nullptr;
}
std::vector<Access> last_accesses() {
  return observer() == nullptr ? std::vector<Access>{} : observer()->accesses();
}
Traffic last_traffic() {
  return observer() == nullptr ? Traffic{} : observer()->traffic();
}
void set_device_memory_check(AddressCheck check) {
  if (observer() != nullptr) observer()->set_device_memory_check(check);
}

void set_observer(Observer* observer) {
  the_observer() = observer;
}
Observer* observer() {
  return the_observer();
}

unsigned meet_block(bool predicate, std::source_location where) {
  return current_block()->meet_block(predicate, where);
}
std::uint64_t meet_warp(const WarpCall& call) {
  return current_block()->meet_warp(call);
}
void* static_shared(const void* site, std::size_t bytes) {
  return current_block()->static_shared(site, bytes);
}
void* dynamic_shared() {
  return current_block()->dynamic_shared();
}
InsideKernel::InsideKernel() {
  current_block()->set_inside_kernel(true);
}
InsideKernel::~InsideKernel() {
  current_block()->set_inside_kernel(false);
}
const Position* position() {
  return current_block() == nullptr ? nullptr : current_block()->position();
}

std::string error_text(cudaError_t error) {
  return cudaGetErrorString == nullptr ? "no CUDA runtime can say why" : cudaGetErrorString(error);
}

}  // namespace xrai::emulation
