// Ranges kept in memory and written at the end as JSON in the trace-event format, which Perfetto (ui.perfetto.dev) and
// Chrome (chrome://tracing) show. Its description: "Trace Event Format", Google, 2016.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/core/trace.h"

namespace xrai {

class ChromeTrace final : public Trace {
 public:
  /// 24 MB of memory, 100 MB of file: some minutes of small steps, and as much as a viewer likes to open.
  static constexpr std::size_t kMostRanges = 1'000'000;

  /// Every range goes to `beside`, too; may be null. It must outlive the ranges, not this object.
  explicit ChromeTrace(Trace* beside = nullptr, std::size_t most_ranges = kMostRanges);

  void begin(std::string_view name) override;
  void end() override;
  void name_thread(std::string_view name) override;

  /// Whole or not at all. A range that is still open ends now in the file. Ranges beyond `most_ranges` are left out,
  /// the newest ones; a line in the log and "ranges_left_out" in the file say how many. Throws Error(kStorage).
  void write(const std::filesystem::path& path) const;

 private:
  struct Range {
    std::int64_t began_ns = 0, ended_ns = kOpen;
    std::uint32_t name = 0, thread = 0;  // places in names_ and threads_
  };
  struct Thread {
    long id = 0;  // the system's
    std::string name;
    std::vector<std::size_t> open;  // places in ranges_, the outermost first; kLeftOut
  };
  static constexpr std::int64_t kOpen = -1;
  static constexpr std::size_t kLeftOut = static_cast<std::size_t>(-1);
  [[nodiscard]] std::int64_t now_ns() const;
  std::uint32_t this_thread();
  std::uint32_t number_of(std::string_view name);
  void write_events(std::ostream& out) const;

  Trace* beside_;
  std::size_t most_ranges_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::system_clock::time_point start_by_clock_ = std::chrono::system_clock::now();  // the same, in the file
  mutable std::mutex mutex_;                                                                 // of all below
  std::vector<Range> ranges_;
  std::vector<std::string> names_;
  std::map<std::string, std::uint32_t, std::less<>> numbers_;  // of names_
  std::vector<Thread> threads_;
  std::map<std::thread::id, std::uint32_t> thread_numbers_;
  std::int64_t left_out_ = 0;
};

}  // namespace xrai
