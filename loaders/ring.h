// The queues between the thread that reads and the one that trains: slot numbers that are free, and slot numbers
// that are full, in order. What a slot holds is not known here.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <vector>

#include "runtime/core/batch.h"

namespace xrai {

/// One producer, one consumer; close() from anywhere. A slot is always in one place: free, being filled, full, or
/// held by the consumer.
class Ring {
 public:
  explicit Ring(int n_slots);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  /// Closes, and waits until nobody is inside any more.
  ~Ring();

  /// A slot to fill. `start` is where the stream begins again whenever `generation` is a new one.
  struct Ticket {
    int slot = -1;
    std::uint64_t generation = 0;
    Cursor start;
  };

  // The producer's side.
  /// Waits for a free slot; empty after close(). After finish() it waits for a restart.
  std::optional<Ticket> wait_free();
  /// Puts the slot in the full queue, or back among the free ones when a restart has made its content stale.
  void publish(const Ticket& ticket);
  /// Gives the slot back unfilled: this generation has ended, by itself or by `failure`.
  void finish(const Ticket& ticket, std::exception_ptr failure = nullptr);

  // The consumer's side.
  /// Waits for the next full slot. Empty after close(), or when the full slots before finish() are used up; then a
  /// failure is rethrown instead, at every call until restart(). Throws Error(kFailure) rather than wait for ever
  /// when the consumer holds all slots.
  std::optional<int> take();
  /// The consumer is done with a slot that take() gave it; throws Error(kFailure) for any other.
  void give_back(int slot);
  /// Begins a new generation at `start`: full slots become free, a failure is forgotten.
  void restart(const Cursor& start);
  [[nodiscard]] bool has_failed() const;
  /// Seconds that take() has waited since reset_waited().
  [[nodiscard]] double waited_seconds() const;
  void reset_waited();

  /// Wakes both sides; from now on neither gets a slot.
  void close();

 private:
  enum class Place { kFree, kFilling, kFull, kHeld };
  void move_to(int slot, Place place);
  void check_that_waiting_can_end() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Place> places_;  // (n_slots)
  std::deque<int> free_, full_;
  std::uint64_t generation_ = 1;
  Cursor start_;
  bool finished_ = false, closed_ = false;
  std::exception_ptr failure_;
  int n_inside_ = 0;  // threads that wait
  double waited_seconds_ = 0;
};

}  // namespace xrai
