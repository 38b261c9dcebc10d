#include "apps/support/devices.h"

#include <dlfcn.h>

#include <algorithm>
#include <cctype>

#include "runtime/core/error.h"
#include "runtime/core/log.h"
#include "runtime/cpu/cpu_device.h"

namespace xrai {
namespace {

// Why no CUDA device can be had. The driver is asked for by opening its library: that takes a tenth of a millisecond
// and works on machines that have never seen a GPU.
std::string why_no_cuda() {
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return "no NVIDIA driver on this machine (libcuda.so.1 was not found)";
  ::dlclose(driver);
  return "no CUDA device in this build of xrai (an NVIDIA driver was found)";
}

bool names_cuda(const std::string& name) {
  return name == "cuda" || name.starts_with("cuda:");
}

}  // namespace

std::string check_device_name(const std::string& name) {
  const bool number = name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 &&
                      std::all_of(name.begin() + 5, name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (name == "auto" || name == "cpu" || name == "cuda" || number) return {};
  return "must be auto, cpu, cuda or cuda:N";
}

void require_device(const std::string& name) {
  if (const std::string complaint = check_device_name(name); !complaint.empty())
    throw Error(ExitCode::kUsage, fmt::format("--device {}: {}", name, complaint));
  if (names_cuda(name))
    throw Error(ExitCode::kNoDevice,
                fmt::format("--device {} cannot be used: {}; try --device cpu", name, why_no_cuda()));
}

std::unique_ptr<Device> make_device(const std::string& name, int threads) {
  require_device(name);
  std::unique_ptr<Device> device = make_cpu_device(threads);
  log::info(fmt::format(
      "device: {}{}", device->description(),
      name == "auto" ? fmt::format("; the CPU does the work, since there is {}", why_no_cuda()) : std::string()));
  return device;
}

std::vector<DeviceStatus> device_statuses() {
  return {{"cpu", true, make_cpu_device()->description()}, {"cuda", false, why_no_cuda()}};
}

}  // namespace xrai
