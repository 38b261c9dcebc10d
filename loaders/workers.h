// A few threads that wait for work which comes in small portions: the rows of one batch. Nothing is known here of what
// the work is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace xrai {

class Workers {
 public:
  /// The calling thread of run() counts as one of them. Threads start with the first portion that has use for them.
  /// `spare` is what they do meanwhile, as often as may_spare() says; it must not throw.
  explicit Workers(int n_threads, std::function<void()> spare = {}) : n_threads_(n_threads), spare_(std::move(spare)) {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  /// Calls work(i) for every i in [0, n), on at most `most_at_once` threads, this one included, and returns when all
  /// are done. What one throws ends the portion and is rethrown here. May be called from several threads.
  void run(std::int64_t n, int most_at_once, const std::function<void(std::int64_t)>& work);

  /// From the next run() on threads that no portion wants may do so many pieces of spare work, in place of what they
  /// might do before.
  void may_spare(std::int64_t n_pieces);

 private:
  struct Portion {
    const std::function<void(std::int64_t)>& work;
    std::int64_t n = 0, next = 0;
    int places = 0;               // threads that may still join
    std::atomic<int> working{0};  // threads in it; written under the lock
    std::exception_ptr failure;
    std::condition_variable done;
  };
  void start_threads();
  void wait_for_work();
  void work_on(Portion& portion, std::unique_lock<std::mutex>& lock);
  void wake_for_spare_work();
  void note_work() { has_work_ = !portions_.empty() || n_spare_ > 0; }

  const int n_threads_;
  const std::function<void()> spare_;
  std::mutex mutex_;  // of everything below and of all portions
  std::condition_variable work_came_;
  std::deque<Portion*> portions_;  // that threads may still join
  std::int64_t n_spare_ = 0;
  std::atomic<bool> has_work_{false};  // whether there is anything to do; written under the lock
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace xrai
