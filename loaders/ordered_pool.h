// Many threads produce, one consumes in order, and only a few results wait in between.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace xrai {

/// Calls `produce(i)` for every i in [0, n) on `n_threads` threads and `consume(i, result)` on the calling thread, in
/// the order of i. At most 32 * n_threads results exist at a time. What either throws ends the work and is rethrown
/// here.
template <class Produce, class Consume>
void produce_in_parallel(std::int64_t n, int n_threads, Produce produce, Consume consume) {
  using Result = decltype(produce(std::int64_t{}));
  struct Slot {
    std::optional<Result> result;
    std::exception_ptr failure;
  };
  // A thread takes several at once, so that quick work is not spent on the lock, and fewer towards the end, so that no
  // thread is left with much when the others have finished.
  constexpr std::int64_t kMostAtOnce = 8;
  const std::int64_t window = 4 * kMostAtOnce * n_threads;
  std::vector<Slot> slots(static_cast<std::size_t>(window));
  std::mutex mutex;
  std::condition_variable room, filled;
  std::int64_t next = 0, consumed = 0;
  bool stop = false;

  const auto work = [&] {
    std::vector<Slot> made;
    while (true) {
      std::int64_t first = 0;
      {
        std::unique_lock lock(mutex);
        room.wait(lock, [&] { return stop || consumed + window - next >= std::min(kMostAtOnce, n - next); });
        if (stop || next >= n) return;
        first = next;
        const std::int64_t share = std::clamp<std::int64_t>((n - next) / (8 * n_threads), 1, kMostAtOnce);
        next += share;
        made.resize(static_cast<std::size_t>(next - first));
      }
      for (std::size_t i = 0; i < made.size(); ++i) {
        try {
          made[i].result.emplace(produce(first + static_cast<std::int64_t>(i)));
        } catch (...) {
          made[i].failure = std::current_exception();
          made.resize(i + 1);  // the work ends there
        }
      }
      const std::lock_guard lock(mutex);
      for (std::size_t i = 0; i < made.size(); ++i)
        slots[static_cast<std::size_t>((first + static_cast<std::int64_t>(i)) % window)] = std::move(made[i]);
      made.clear();
      filled.notify_one();
    }
  };

  std::vector<std::jthread> threads;
  const auto end_work = [&] {
    const std::lock_guard lock(mutex);
    stop = true;
    room.notify_all();
  };
  try {
    for (int i = 0; i < n_threads; ++i) threads.emplace_back(work);
    for (std::int64_t index = 0; index < n; ++index) {
      Slot slot;
      {
        std::unique_lock lock(mutex);
        Slot& waited_for = slots[static_cast<std::size_t>(index % window)];
        filled.wait(lock, [&] { return waited_for.result.has_value() || waited_for.failure; });
        slot = std::move(waited_for);
        waited_for = Slot{};
        consumed = index + 1;
        room.notify_all();
      }
      if (slot.failure) std::rethrow_exception(slot.failure);
      consume(index, std::move(*slot.result));
    }
  } catch (...) {
    end_work();
    throw;  // the threads are joined on the way out
  }
}

}  // namespace xrai
