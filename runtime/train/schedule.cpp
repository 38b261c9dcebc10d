#include "runtime/train/schedule.h"

#include <algorithm>
#include <cmath>

namespace xrai {
namespace {

constexpr double kPi = 3.14159265358979323846;

// From `from` at part 0 to `to` at part 1 along half a cosine.
double cosine(double from, double to, double part) {
  return to + (from - to) * 0.5 * (1.0 + std::cos(kPi * part));
}

double one_cycle(double rate, double step, double total) {
  const double top = 0.3 * total - 1.0, end = total - 1.0;
  if (step <= top) return cosine(rate / 25.0, rate, top > 0 ? step / top : 1.0);
  return cosine(rate, rate / 25.0 / 1e4, end > top ? std::min(1.0, (step - top) / (end - top)) : 1.0);
}

}  // namespace

double learning_rate_at(const ScheduleSettings& schedule, double learning_rate, std::int64_t step,
                        std::int64_t total_steps, std::int64_t steps_per_epoch) {
  const auto at = static_cast<double>(step), total = static_cast<double>(std::max<std::int64_t>(1, total_steps));
  if (schedule.kind == ScheduleKind::kOneCycle) return one_cycle(learning_rate, at, total);
  const double warmup = std::min(std::round(schedule.warmup_epochs * static_cast<double>(steps_per_epoch)), total);
  if (at < warmup) return learning_rate * (at + 1.0) / warmup;
  if (schedule.kind == ScheduleKind::kConstant) return learning_rate;
  if (schedule.kind == ScheduleKind::kStep)
    return learning_rate * (at < 0.5 * total ? 1.0 : at < 0.75 * total ? 0.1 : 0.01);
  return cosine(learning_rate, 0.0, std::min(1.0, (at - warmup) / std::max(1.0, total - warmup)));
}

}  // namespace xrai
