// From the word after --device to a device, or to one sentence why not.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/core/device.h"

namespace xrai {

struct DeviceRequest {
  std::string name = "auto";       // "auto", "cpu", "cuda" or "cuda:N"
  int threads = 0;                 // of the CPU device; 0: all this process may use
  std::string precision = "auto";  // "fp32", "tf32", "bf16", "fp16", "int8"; "auto": what the device does best
};

/// Throws what make_device throws, without making one.
void require_device(const DeviceRequest& request);

/// auto takes a usable GPU, else the CPU (for int8 the CPU in any case), and says in the log which and why.
/// Throws Error(kNoDevice) when the device asked for cannot be used, Error(kUsage) for another name or a precision that
/// the CPU does not have.
std::unique_ptr<Device> make_device(const DeviceRequest& request);

/// For xrai_info: every device that this build knows, with the reason where one cannot be used.
struct DeviceStatus {
  std::string name;  // "cpu", "cuda:0", or "cuda" when there is no card
  bool usable = false;
  std::string description;             // what it is, or why not
  std::vector<std::string> libraries;  // of a GPU: driver and libraries with their files
};
std::vector<DeviceStatus> device_statuses();

/// Complaint about a --device value, or nothing: for Option::check.
std::string check_device_name(const std::string& name);

}  // namespace xrai
