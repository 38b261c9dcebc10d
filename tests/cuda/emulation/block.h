// One block of a launch: its threads, who waits for whom, its shared memory. Private to the emulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <source_location>
#include <string>
#include <vector>

#include "emulation.h"
#include "execution.h"
#include "fiber.h"
#include "observer.h"

namespace xrai::emulation {

/// Numbers 0 .. n-1 in the order set by set_order(). With Order::kRandom every call shuffles anew.
class Sequence {
 public:
  Sequence(Order order, std::uint64_t seed) : order_(order), generator_(seed) {}
  const std::vector<std::uint32_t>& of(std::size_t n);

 private:
  Order order_;
  std::mt19937_64 generator_;
  std::vector<std::uint32_t> numbers_;
};

/// Fibers outlive blocks, since making one costs two system calls.
class FiberPool {
 public:
  Fiber* take();
  void give_back(Fiber* fiber) { free_.push_back(fiber); }

 private:
  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> free_;
};

class Block {
 public:
  Block(const Launch& launch, std::uint32_t number, FiberPool& fibers);
  /// Gives the fibers back, also those of threads that a fault has stopped midway.
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Runs all threads to their end. Throws KernelFault.
  void run(Sequence& order);

  // The rest is called by the running thread.
  unsigned meet_block(bool predicate, std::source_location where);
  std::uint64_t meet_warp(const WarpCall& call);
  void* static_shared(const void* site, std::size_t bytes);
  void* dynamic_shared();
  void set_inside_kernel(bool inside);
  const Position* position() const { return threads_[running_].inside_kernel ? &position_ : nullptr; }

 private:
  enum class State : std::uint8_t { kReady, kAtBarrier, kInWarpCall, kExited };
  struct Thread {
    Fiber* fiber = nullptr;
    State state = State::kReady;
    bool inside_kernel = false;
    bool predicate = false;                                        // brought to a barrier
    std::source_location where = std::source_location::current();  // the barrier or warp call where it waits
    WarpCall call{};
    std::uint64_t result = 0;
  };

  static void thread_main();
  void resume(std::uint32_t thread);
  void release_barrier();
  void check_barrier(std::size_t waiting);
  void check_warp_call(const WarpCall& call);
  bool warp_call_is_complete(std::uint32_t thread) const;
  void finish_warp_call(std::uint32_t thread);
  std::uint64_t received_by(std::uint32_t lane, const Thread* warp) const;
  void join_clocks(unsigned mask, std::uint32_t first_thread);
  std::string why_warp_call_waits(std::uint32_t thread) const;
  std::unique_ptr<char[]> new_shared(std::size_t bytes);
  void wait();
  /// Of the running thread: stops the launch.
  [[noreturn]] void fault(std::string&& what);
  /// Of the scheduler.
  [[noreturn]] void throw_fault(std::uint32_t thread, const std::string& what) const;

  const Launch& launch_;
  uint3 index_;
  FiberPool& fibers_;
  std::vector<Thread> threads_;
  std::vector<WarpClock> clocks_;  // of each thread; only with an observer
  std::uint32_t running_ = 0;
  std::size_t exited_ = 0;
  Position position_;
  std::string fault_;  // of the running thread, for the scheduler to throw
  std::size_t shared_bytes_ = 0;
  std::map<const void*, std::unique_ptr<char[]>> static_shared_;
  std::unique_ptr<char[]> dynamic_shared_;
};

/// "file.cu:12"
std::string place_text(std::source_location where);

/// The block that is running, or nullptr.
Block*& current_block();

}  // namespace xrai::emulation
