// From the word after --device to a device, or to one sentence why not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/core/device.h"

namespace xrai {

/// Throws Error(kNoDevice) when the device asked for cannot be used, without making one.
void require_device(const std::string& name);

/// name: "auto", "cpu", "cuda" or "cuda:N". auto takes a usable GPU, else the CPU, and says in the log which and why.
/// threads: of the CPU device; 0: all this process may use.
/// Throws Error(kNoDevice) when the device asked for cannot be used, Error(kUsage) for another name.
std::unique_ptr<Device> make_device(const std::string& name, int threads = 0);

/// For xrai_info: every device that this build knows, with the reason where one cannot be used.
struct DeviceStatus {
  std::string name;  // "cpu", "cuda"
  bool usable = false;
  std::string description;  // what it is, or why not
};
std::vector<DeviceStatus> device_statuses();

/// Complaint about a --device value, or nothing: for Option::check.
std::string check_device_name(const std::string& name);

}  // namespace xrai
