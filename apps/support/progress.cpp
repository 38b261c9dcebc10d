#include "apps/support/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/support/terminal.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

using std::chrono::duration;

constexpr double kRedrawEvery_s = 0.1, kPlainEvery_s = 10.0, kPlainTenthEvery_s = 2.0;
constexpr int kNarrowestBar = 10, kWidestBar = 30;

int percent_done(const ProgressState& state) {
  if (state.total <= 0) return 0;
  return static_cast<int>(100.0 * static_cast<double>(std::min(state.done, state.total)) /
                          static_cast<double>(state.total));
}

std::string rate_text(const ProgressState& state) {
  if (state.elapsed_s < 0.05 || state.done <= 0) return "";
  const double rate = static_cast<double>(state.done) / state.elapsed_s;
  return fmt::format(", {:.{}f} {}/s", rate, rate < 10 ? 1 : 0, state.unit);
}

std::string time_text(const ProgressState& state) {
  if (state.total > 0 && state.done >= state.total) return fmt::format(", took {}", duration_text(state.elapsed_s));
  if (state.total <= 0 || state.done <= 0) return "";
  const double left = state.elapsed_s / static_cast<double>(state.done) * static_cast<double>(state.total - state.done);
  return fmt::format(", ETA {}", duration_text(left));
}

std::string facts(const ProgressState& state) {
  std::string text = state.total > 0 ? fmt::format("{}/{} {}", state.done, state.total, state.unit)
                                     : fmt::format("{} {}", state.done, state.unit);
  text += rate_text(state) + time_text(state);
  if (!state.suffix.empty()) text += fmt::format(", {}", state.suffix);
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string progress_bar(const ProgressState& state, int columns) {
  const std::string text = facts(state);
  std::string line = fmt::format("{} ", state.label);
  // One column stays free: terminals wrap when the last one is written.
  const int left = columns - 1 - static_cast<int>(line.size() + text.size());
  const int width = std::min(kWidestBar, left - 8);
  if (state.total > 0 && width >= kNarrowestBar) {
    const int percent = percent_done(state), filled = width * percent / 100;
    line += fmt::format("[{}{}] {:3}% ", std::string(static_cast<std::size_t>(filled), '='),
                        std::string(static_cast<std::size_t>(width - filled), ' '), percent);
  }
  line += text;
  return line.substr(0, static_cast<std::size_t>(std::max(columns - 1, 1)));
}

std::string progress_line(const ProgressState& state) {
  const std::string percent = state.total > 0 ? fmt::format("{}%, ", percent_done(state)) : "";
  return fmt::format("{}: {}{}", state.label, percent, facts(state));
}

Progress::Progress(std::string label, std::int64_t total, std::string unit, bool quiet)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(quiet),
      redraws_(error_stream_redraws()),
      colour_(error_stream_has_colour()),
      start_(Clock::now()),
      last_drawn_(start_) {
  if (!quiet_ && redraws_) log::set_before_line([this] { step_aside(); });
}

Progress::~Progress() {
  finish();
}

ProgressState Progress::state(Clock::time_point now) const {
  return {label_, unit_, done_, total_, duration<double>(now - start_).count(), suffix_};
}

void Progress::update(std::int64_t done, std::string_view suffix) {
  if (quiet_) return;
  const std::lock_guard lock(mutex_);
  done_ = done;
  if (suffix != suffix_) suffix_ = suffix;
  const Clock::time_point now = Clock::now();
  const double since_s = duration<double>(now - last_drawn_).count();
  if (redraws_) {
    if (since_s >= kRedrawEvery_s || !bar_on_screen_) draw(now, false);
    return;
  }
  if (total_ > 0 && done_ >= total_) return;  // finish() says so, once
  const bool another_tenth = total_ > 0 && done_ * 10 / total_ > drawn_tenth_;
  if (since_s >= kPlainEvery_s || (another_tenth && since_s >= kPlainTenthEvery_s)) draw(now, false);
}

void Progress::draw(Clock::time_point now, bool last) {
  last_drawn_ = now;
  drawn_tenth_ = total_ > 0 ? done_ * 10 / total_ : 0;
  if (redraws_) {
    const char* begin = colour_ ? "\r\033[36m" : "\r";
    const char* end = colour_ ? "\033[0m\033[K" : "\033[K";
    const std::string bar = progress_bar(state(now), terminal_columns());
    std::fprintf(stderr, "%s%s%s%s", begin, bar.c_str(), end, last ? "\n" : "");
    bar_on_screen_ = !last;
  } else {
    std::fprintf(stderr, "%s\n", progress_line(state(now)).c_str());
  }
}

// The log holds its own lock here, so nothing below may write to the log.
void Progress::step_aside() {
  const std::lock_guard lock(mutex_);
  if (!bar_on_screen_) return;
  std::fputs("\r\033[K", stderr);
  bar_on_screen_ = false;
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (quiet_) return;
  if (redraws_) log::set_before_line({});
  const std::lock_guard lock(mutex_);
  draw(Clock::now(), true);
}

}  // namespace xrai
