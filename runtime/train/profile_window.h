// The part of a training that a profiler looks at: so many steps from a step on. Training goes on after it.
#pragma once

#include <cstdint>

#include "runtime/core/device.h"
#include "runtime/train/settings.h"

namespace xrai {

class ProfileWindow {
 public:
  ProfileWindow(Device& device, const ProfileSettings& settings) : device_(device), settings_(settings) {}

  void before_step();
  void after_step();
  /// At the end of a training: ends what is under way, and says so when the steps were not reached.
  void finish();

 private:
  Device& device_;
  ProfileSettings settings_;
  std::int64_t step_ = 0;
  bool open_ = false;
};

}  // namespace xrai
