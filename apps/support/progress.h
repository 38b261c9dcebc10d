// How far a long piece of work has come: a bar with rate and remaining time on a terminal, a plain line now and then
// elsewhere (log files, pipes). Written to standard error; results go to standard output.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace xrai {

/// "0:07", "12:05", "1:02:05".
std::string duration_text(double seconds);

/// What a bar says, without its drawing: kept apart so that tests can hold it against words.
struct ProgressState {
  std::string_view label;
  std::string_view unit;
  std::int64_t done = 0;
  std::int64_t total = 0;  // 0: unknown
  double elapsed_s = 0.0;
  std::string_view suffix;
};
/// One line of at most `columns` characters.
std::string progress_bar(const ProgressState& state, int columns);
/// One line without a bar, for logs.
std::string progress_line(const ProgressState& state);

/// One piece of work. update() may be called from any thread and as often as one likes: it draws at most ten times a
/// second (a plain line at most every ten seconds, or every two when another tenth is done). Lines of the log step in
/// front of the bar. Only one Progress may live at a time.
class Progress {
 public:
  Progress(std::string label, std::int64_t total, std::string unit, bool quiet = false);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// `done` units so far; `suffix` is shown behind, "loss 0.312".
  void update(std::int64_t done, std::string_view suffix = {});
  /// Draws the final state (or the place where the work stopped) and ends the line. Called by the destructor too.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] ProgressState state(Clock::time_point now) const;
  void draw(Clock::time_point now, bool last);
  void step_aside();

  std::mutex mutex_;
  const std::string label_, unit_;
  const std::int64_t total_;
  const bool quiet_, redraws_, colour_;
  const Clock::time_point start_;
  Clock::time_point last_drawn_;
  std::int64_t done_ = 0, drawn_tenth_ = 0;
  std::string suffix_;
  bool bar_on_screen_ = false, finished_ = false;
};

}  // namespace xrai
