// All state changes of the ring happen under one mutex and wake everybody: with two threads, nothing finer pays.
#include "loaders/ring.h"

#include <algorithm>
#include <chrono>

#include "runtime/core/error.h"

namespace xrai {
namespace {

using Clock = std::chrono::steady_clock;

/// Counts a thread that waits, for the destructor.
class Inside {
 public:
  Inside(int& count, std::condition_variable& changed) : count_(count), changed_(changed) { ++count_; }
  ~Inside() {
    if (--count_ == 0) changed_.notify_all();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  int& count_;
  std::condition_variable& changed_;
};

}  // namespace

Ring::Ring(int n_slots) : places_(static_cast<std::size_t>(std::max(n_slots, 0)), Place::kFree) {
  if (n_slots < 1) throw Error(ExitCode::kUsage, fmt::format("a ring of {} slots was asked for; it needs 1", n_slots));
  for (int slot = 0; slot < n_slots; ++slot) free_.push_back(slot);
}

Ring::~Ring() {
  close();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return n_inside_ == 0; });
}

void Ring::move_to(int slot, Place place) {
  places_[static_cast<std::size_t>(slot)] = place;
  if (place == Place::kFree) free_.push_back(slot);
  if (place == Place::kFull) full_.push_back(slot);
}

std::optional<Ring::Ticket> Ring::wait_free() {
  std::unique_lock lock(mutex_);
  const Inside inside(n_inside_, changed_);
  changed_.wait(lock, [this] { return closed_ || (!free_.empty() && !finished_); });
  if (closed_) return std::nullopt;
  const int slot = free_.front();
  free_.pop_front();
  move_to(slot, Place::kFilling);
  return Ticket{slot, generation_, start_};
}

void Ring::publish(const Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  move_to(ticket.slot, ticket.generation == generation_ ? Place::kFull : Place::kFree);
  changed_.notify_all();
}

void Ring::finish(const Ticket& ticket, std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  move_to(ticket.slot, Place::kFree);
  if (ticket.generation == generation_) {
    finished_ = true;
    failure_ = std::move(failure);
  }
  changed_.notify_all();
}

void Ring::check_that_waiting_can_end() const {
  const bool all_held = std::all_of(places_.begin(), places_.end(), [](Place p) { return p == Place::kHeld; });
  if (!all_held) return;
  throw Error(
      ExitCode::kFailure,
      fmt::format("a batch was asked for while all {} slots were held; release batches before", places_.size()));
}

std::optional<int> Ring::take() {
  std::unique_lock lock(mutex_);
  const Inside inside(n_inside_, changed_);
  if (full_.empty() && !finished_ && !closed_) {
    check_that_waiting_can_end();
    const auto begin = Clock::now();
    changed_.wait(lock, [this] { return closed_ || finished_ || !full_.empty(); });
    waited_seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  if (closed_) return std::nullopt;
  if (full_.empty()) {
    if (failure_) std::rethrow_exception(failure_);
    return std::nullopt;
  }
  const int slot = full_.front();
  full_.pop_front();
  move_to(slot, Place::kHeld);
  return slot;
}

void Ring::give_back(int slot) {
  const std::lock_guard lock(mutex_);
  const bool known = slot >= 0 && static_cast<std::size_t>(slot) < places_.size();
  if (!known || places_[static_cast<std::size_t>(slot)] != Place::kHeld) {
    throw Error(ExitCode::kFailure, fmt::format("slot {} was released, but it is not held", slot));
  }
  move_to(slot, Place::kFree);
  changed_.notify_all();
}

void Ring::restart(const Cursor& start) {
  const std::lock_guard lock(mutex_);
  ++generation_;
  start_ = start;
  finished_ = false;
  failure_ = nullptr;
  for (const int slot : full_) move_to(slot, Place::kFree);
  full_.clear();
  changed_.notify_all();
}

bool Ring::has_failed() const {
  const std::lock_guard lock(mutex_);
  return failure_ != nullptr;
}

double Ring::waited_seconds() const {
  const std::lock_guard lock(mutex_);
  return waited_seconds_;
}

void Ring::reset_waited() {
  const std::lock_guard lock(mutex_);
  waited_seconds_ = 0;
}

void Ring::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace xrai
