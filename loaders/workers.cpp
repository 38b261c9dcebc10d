// Portions in a queue; whoever comes takes one index after the other, and so does the thread that brought it.
#include "loaders/workers.h"

#include <algorithm>

namespace xrai {
namespace {

/// Waits for a batch's length and no longer: waking a sleeping thread takes as long as copying half a batch.
template <class Ready>
void spin_until(Ready ready) {
  constexpr int kSpins = 2000;  // some tens of microseconds
  for (int i = 0; i < kSpins && !ready(); ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

}  // namespace

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_came_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::start_threads() {
  while (static_cast<int>(threads_.size()) < n_threads_ - 1) threads_.emplace_back([this] { wait_for_work(); });
}

void Workers::wait_for_work() {
  while (true) {
    spin_until([this] { return has_work_.load(std::memory_order_relaxed); });
    std::unique_lock lock(mutex_);
    work_came_.wait(lock, [this] { return stop_ || !portions_.empty() || n_spare_ > 0; });
    if (stop_) return;
    if (portions_.empty()) {
      --n_spare_;
      note_work();
      lock.unlock();
      spare_();
      continue;
    }
    Portion& portion = *portions_.front();
    if (--portion.places == 0) portions_.pop_front();
    note_work();
    work_on(portion, lock);
  }
}

void Workers::work_on(Portion& portion, std::unique_lock<std::mutex>& lock) {
  ++portion.working;
  while (portion.next < portion.n) {
    const std::int64_t i = portion.next++;
    lock.unlock();
    std::exception_ptr failure;
    try {
      portion.work(i);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (!failure) continue;
    portion.next = portion.n;
    if (!portion.failure) portion.failure = failure;
  }
  if (--portion.working == 0) portion.done.notify_all();
}

void Workers::may_spare(std::int64_t n_pieces) {
  if (n_threads_ < 2) return;
  const std::lock_guard lock(mutex_);
  n_spare_ = n_pieces;
}

void Workers::wake_for_spare_work() {
  const std::lock_guard lock(mutex_);
  if (n_spare_ == 0) return;
  start_threads();
  note_work();
  work_came_.notify_all();
}

void Workers::run(std::int64_t n, int most_at_once, const std::function<void(std::int64_t)>& work) {
  const auto helpers = static_cast<int>(std::min<std::int64_t>({most_at_once, n_threads_, n}) - 1);
  if (helpers < 1) {
    wake_for_spare_work();
    for (std::int64_t i = 0; i < n; ++i) work(i);
    return;
  }
  Portion portion{work, n, 0, helpers, 0, {}, {}};
  std::unique_lock lock(mutex_);
  start_threads();
  portions_.push_back(&portion);
  note_work();
  for (int i = 0; i < helpers; ++i) work_came_.notify_one();
  if (n_spare_ > 0) work_came_.notify_all();
  work_on(portion, lock);
  // Whoever has not come by now is not needed; the portion lies on this thread's stack.
  std::erase(portions_, &portion);
  note_work();
  lock.unlock();
  spin_until([&] { return portion.working.load(std::memory_order_relaxed) == 0; });
  lock.lock();
  portion.done.wait(lock, [&] { return portion.working == 0; });
  if (portion.failure) std::rethrow_exception(portion.failure);
}

}  // namespace xrai
