// The whole state of the fake device, and the one door (api) through which every call comes in. Internal to the fake.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "clocks.h"
#include "fake_cuda.h"
#include "host_reads.h"
#include "memory.h"
#include "streams.h"

namespace xrai::fake {

/// Owns what handles point to. Destroyed ones are kept until reset, so that their addresses are not used again and a
/// stale handle is recognised.
template <class T>
class Registry {
 public:
  T* create() { return all_.emplace_back(std::make_unique<T>()).get(); }
  bool destroy(const T* handle) {
    const auto found = find(handle);
    if (found == all_.end()) return false;
    std::iter_swap(found, all_.begin() + static_cast<std::ptrdiff_t>(dead_++));
    return true;
  }
  [[nodiscard]] bool alive(const T* handle) { return find(handle) != all_.end(); }
  [[nodiscard]] int count() const { return static_cast<int>(all_.size() - dead_); }
  template <class Visit>
  void each(Visit visit) {
    for (std::size_t i = dead_; i < all_.size(); ++i) visit(*all_[i]);
  }
  void clear() {
    all_.clear();
    dead_ = 0;
  }

 private:
  auto find(const T* handle) {
    return std::find_if(all_.begin() + static_cast<std::ptrdiff_t>(dead_), all_.end(),
                        [&](const std::unique_ptr<T>& owner) { return owner.get() == handle; });
  }

  std::vector<std::unique_ptr<T>> all_;  // the dead first
  std::size_t dead_ = 0;
};

struct State {
  std::recursive_mutex mutex;
  Settings settings;
  DeviceMemory memory;
  PinnedMemory pinned;
  RaceDetector races;
  std::set<std::tuple<int, std::uint64_t, int, std::uint64_t>> reported_races;  // lane and tick, twice
  HostReads host_reads;
  Report report;
  Clock host;                             // what the host knows to be over
  std::vector<std::uint64_t> lane_ticks;  // the last tick given on each lane
  std::mt19937_64 random;
  CUstream_st default_stream;
  Registry<CUstream_st> streams;
  Registry<CUevent_st> events;
  Registry<CUgraph_st> graphs;
  Registry<CUgraphExec_st> executables;
  std::vector<std::shared_ptr<Capture>> captures;  // in progress
  const Operation* running = nullptr;
  std::int64_t executed = 0;
  cudaError_t lost = cudaSuccess;  // the error that the context died of
  double device_ms = 0;
  int library_handles = 0;
  std::set<const void*> cublas_handles;

  void set_up(Settings fresh);
  int new_lane() {
    lane_ticks.push_back(0);
    return static_cast<int>(lane_ticks.size()) - 1;
  }
};
State& state();

cudaError_t take_last_error(bool clear);
void find_fault(Fault fault, std::string text);
/// "byte 16 of device allocation 3 (4096 bytes)", "pinned host memory".
std::string describe(State& state, std::uintptr_t address);

/// What a call still does when the context is lost or there is no device.
enum class Door {
  kNormal,   // nothing: it returns the error
  kCleanup,  // frees what it is to free, and returns the error
  kAlways    // everything: questions that need no device
};
/// Counts the call; the error with which it must return at once, or cudaSuccess.
/// `forgotten`: the call is to return success and do nothing.
cudaError_t enter(const char* name, Door door, bool& forgotten);
cudaError_t leave(cudaError_t error, Door door);

template <class Body>
cudaError_t api(const char* name, Door door, Body body) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  bool forgotten = false;
  if (const cudaError_t error = enter(name, door, forgotten); error != cudaSuccess || forgotten)
    return leave(error, Door::kAlways);
  const bool outermost = all.running == nullptr;
  const cudaError_t error = body(all);
  if (outermost) all.memory.close();
  return leave(error, door);
}
template <class Body>
cudaError_t api(const char* name, Body body) {
  return api(name, Door::kNormal, body);
}

}  // namespace xrai::fake
