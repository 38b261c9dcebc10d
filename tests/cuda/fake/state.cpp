// The one instance, its reset, and what happens at the door: counting, injected errors, the lost context, the last
// error.
#include "state.h"

#include <optional>
#include <utility>

#include "fake_stream.h"
#include "schedule.h"

namespace xrai::fake {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

cudaError_t device_missing(const Settings& settings) {
  if (settings.driver_version < settings.runtime_version) return cudaErrorInsufficientDriver;
  return settings.devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

/// What the settings say about this call; it is counted here.
std::optional<int> injected_error(const std::string& name) {
  State& all = state();
  const int nth = ++all.report.calls[name];
  for (const InjectedError& injected : all.settings.injected_errors) {
    if (injected.call == name && injected.nth == nth) return injected.error;
  }
  return std::nullopt;
}

}  // namespace

State& state() {
  // Never destroyed: objects of static storage may still call when the program ends.
  static State* const instance = [] {
    auto* fresh = new State;
    fresh->set_up({});
    install_kernel_hooks();
    return fresh;
  }();
  return *instance;
}

void State::set_up(Settings fresh) {
  default_stream = {};
  streams.clear();
  events.clear();
  graphs.clear();
  executables.clear();
  captures.clear();
  memory.clear();
  pinned.clear();
  races.clear();
  reported_races.clear();
  host_reads.clear();
  host.clear();
  lane_ticks.clear();
  report = {};
  cublas_handles.clear();
  executed = library_handles = 0;
  lost = last_error = cudaSuccess;
  device_ms = 0;
  settings = std::move(fresh);
  random.seed(settings.policy.seed);
  default_stream.lane = new_lane();
  default_stream.label = "the default stream";
  memory.set_capacity(settings.memory_bytes != 0 ? settings.memory_bytes : gpu(settings.gpu).memory_bytes);
}

void reset(Settings settings) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  all.set_up(std::move(settings));
}

cudaError_t take_last_error(bool clear) {
  return clear ? std::exchange(last_error, cudaSuccess) : last_error;
}

void find_fault(Fault fault, std::string text) {
  constexpr std::size_t kEnough = 100;  // the first ones tell; a loop would fill the memory
  auto& findings = state().report.findings;
  if (findings.size() < kEnough) findings.push_back({fault, std::move(text)});
}

std::string describe(State& all, std::uintptr_t address) {
  const auto* pointer = reinterpret_cast<const void*>(address);
  if (const auto* allocation = all.memory.find(pointer))
    return "byte " + std::to_string(address - allocation->begin) + " of device allocation " +
           std::to_string(allocation->number) + " (" + std::to_string(allocation->bytes) + " bytes)";
  if (all.pinned.contains(pointer, 1)) return "pinned host memory";
  return all.memory.in_region(pointer) ? "device memory that is not allocated" : "pageable host memory";
}

cudaError_t enter(const char* name, Door door, bool& forgotten) {
  State& all = state();
  if (const auto error = injected_error(name); error.has_value()) {
    forgotten = *error == cudaSuccess;
    return static_cast<cudaError_t>(*error);
  }
  if (door == Door::kAlways) return cudaSuccess;
  if (all.running != nullptr) {
    find_fault(Fault::kMisuse, std::string(name) + " was called from a host function, where no CUDA call is allowed.");
    return cudaErrorNotPermitted;
  }
  if (const cudaError_t error = device_missing(all.settings); error != cudaSuccess) return error;
  return door == Door::kCleanup ? cudaSuccess : all.lost;
}

cudaError_t leave(cudaError_t error, Door door) {
  if (error == cudaSuccess && door != Door::kAlways) error = state().lost;
  if (error != cudaSuccess) last_error = error;
  return error;
}

void add_finding(Fault fault, std::string text) {
  const std::lock_guard lock(state().mutex);
  find_fault(fault, std::move(text));
}

bool is_device_range(const void* begin, std::size_t bytes) {
  const std::lock_guard lock(state().mutex);
  return state().memory.contains(begin, bytes);
}

int library_call(const std::string& name) {
  const std::lock_guard lock(state().mutex);
  if (const auto error = injected_error(name); error.value_or(0) != 0) return *error;
  return state().lost;
}

void library_handle_created() {
  const std::lock_guard lock(state().mutex);
  ++state().library_handles;
}

void library_handle_destroyed() {
  const std::lock_guard lock(state().mutex);
  --state().library_handles;
}

}  // namespace xrai::fake
