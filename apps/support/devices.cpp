#include "apps/support/devices.h"

#include <algorithm>
#include <cctype>

#include "apps/support/cuda_loader.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"
#include "runtime/cpu/cpu_device.h"

namespace xrai {
namespace {

bool names_cuda(const std::string& name) {
  return name == "cuda" || name.starts_with("cuda:");
}

/// "cuda" is the first card.
int ordinal_of(const std::string& name) {
  return name.size() > 5 ? std::stoi(name.substr(5)) : 0;
}

/// Asked once: looking at the cards takes the driver some time.
const CudaStatus& cuda_status() {
  static const CudaStatus status = [] {
    const LoadedCuda& cuda = load_cuda();
    if (cuda.plugin != nullptr) return cuda.plugin->status();
    CudaStatus none;
    none.reason = cuda.reason;
    return none;
  }();
  return status;
}

bool asks_for_float32(const std::string& precision) {
  return precision == "auto" || precision == "fp32";
}

// Whole numbers are the CPU's.
bool asks_for_int8(const DeviceRequest& request) {
  return request.precision == precision_name(Precision::kInt8);
}

std::unique_ptr<Device> make_cuda(const DeviceRequest& request) {
  CudaRequest cuda;
  cuda.ordinal = ordinal_of(request.name);
  cuda.precision = request.precision == "auto" ? "" : request.precision;
  return load_cuda().plugin->make_device(cuda);
}

}  // namespace

std::string check_device_name(const std::string& name) {
  const bool number = name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 &&
                      std::all_of(name.begin() + 5, name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  if (name == "auto" || name == "cpu" || name == "cuda" || number) return {};
  return "must be auto, cpu, cuda or cuda:N";
}

void require_device(const DeviceRequest& request) {
  if (const std::string complaint = check_device_name(request.name); !complaint.empty())
    throw Error(ExitCode::kUsage, fmt::format("--device {}: {}", request.name, complaint));
  if (asks_for_int8(request)) {
    if (!names_cuda(request.name)) return;
    throw Error(ExitCode::kUsage, fmt::format("--precision int8 is the CPU's; take --device cpu with it, or another "
                                              "precision with --device {}",
                                              request.name));
  }
  if (!names_cuda(request.name)) {
    if (!asks_for_float32(request.precision) && (request.name == "cpu" || !cuda_status().usable))
      throw Error(ExitCode::kUsage,
                  fmt::format("--precision {} needs a GPU: the CPU device computes in fp32", request.precision));
    return;
  }
  if (const CudaStatus& status = cuda_status(); !status.usable)
    throw Error(ExitCode::kNoDevice,
                fmt::format("--device {} cannot be used: {}; try --device cpu", request.name, status.reason));
}

std::unique_ptr<Device> make_device(const DeviceRequest& request) {
  require_device(request);
  std::string remark;
  std::unique_ptr<Device> device;
  if (request.name != "cpu" && !asks_for_int8(request)) {
    const CudaStatus& status = cuda_status();
    if (status.usable)
      device = make_cuda(request);
    else
      remark = fmt::format("; the CPU does the work: {}", status.reason);
  }
  if (!device)
    device = make_cpu_device(request.threads, asks_for_int8(request) ? Precision::kInt8 : Precision::kFloat32);
  log::info(fmt::format("device: {}{}", device->description(), remark));
  return device;
}

std::vector<DeviceStatus> device_statuses() {
  std::vector<DeviceStatus> statuses{{"cpu", true, make_cpu_device()->description(), {}}};
  const CudaStatus& cuda = cuda_status();
  for (const std::string& card : cuda.cards) {
    const std::size_t colon = card.find(": ");
    statuses.push_back({card.substr(0, colon), cuda.usable, card.substr(colon + 2), cuda.details});
  }
  if (cuda.cards.empty()) statuses.push_back({"cuda", false, cuda.reason, cuda.details});
  return statuses;
}

}  // namespace xrai
