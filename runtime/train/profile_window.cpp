#include "runtime/train/profile_window.h"

#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace xrai {

void ProfileWindow::before_step() {
  ++step_;
  if (settings_.steps == 0 || step_ != settings_.first_step) return;
  open_ = device_.start_profile();
  log::info(
      open_ ? fmt::format("profiler on at step {}", step_)
            : fmt::format("the device {} has no profiler; --trace FILE writes down what it does when", device_.name()));
}

void ProfileWindow::after_step() {
  if (open_ && step_ == settings_.first_step + settings_.steps - 1) finish();
}

void ProfileWindow::finish() {
  if (open_) {
    device_.stop_profile();
    log::info(fmt::format("profiler off after step {}", step_));
  } else if (settings_.steps > 0 && step_ < settings_.first_step) {
    log::warning(fmt::format("nothing was profiled: that was to begin with step {}, and there were {} steps",
                             settings_.first_step, step_));
  }
  open_ = false;
}

}  // namespace xrai
