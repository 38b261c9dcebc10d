#include "runtime/cuda/diagnosis.h"

#include <cublasLt.h>
#include <cudnn.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/cuda/check.h"

namespace xrai::cuda {
namespace {

// The oldest architecture in XRAI_CUDA_ARCHITECTURES: Turing.
constexpr int kOldestMajor = 7, kOldestMinor = 5;

std::string dotted(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string dotted_cudnn(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}

/// File that a function was loaded from.
std::string file_of(const void* function) {
  Dl_info info{};
  return ::dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "unknown file";
}

/// The libraries, or why they do not fit each other; the driver is not asked.
std::string why_libraries_do_not_fit() {
  const std::size_t version = cudnnGetVersion();
  if (version / 10000 != CUDNN_MAJOR || version < CUDNN_VERSION)
    return fmt::format(
        "cuDNN {} was found ({}), but this program was built with {}; install that version or a later {}.x",
        dotted_cudnn(version), file_of(reinterpret_cast<const void*>(&cudnnGetVersion)), dotted_cudnn(CUDNN_VERSION),
        CUDNN_MAJOR);
  // The library comes in parts that must be of one version.
  const std::array checks{std::pair{"libcudnn_graph", &cudnnGraphVersionCheck},
                          std::pair{"libcudnn_ops", &cudnnOpsVersionCheck},
                          std::pair{"libcudnn_cnn", &cudnnCnnVersionCheck}};
  for (const auto& [part, function] : checks)
    if (function() != CUDNN_STATUS_SUCCESS)
      return fmt::format(
          "{} is of another version than libcudnn {}: parts of two installations are mixed, see "
          "LD_LIBRARY_PATH",
          part, dotted_cudnn(version));
  return "";
}

std::string visible_devices() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible == nullptr ? "" : fmt::format(" (CUDA_VISIBLE_DEVICES is \"{}\")", visible);
}

/// Why the driver cannot be used, or nothing.
std::string why_no_driver() {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (status == cudaSuccess && count > 0) return "";
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (status == cudaErrorInsufficientDriver)
    return driver == 0 ? std::string("the NVIDIA driver does not answer")
                       : fmt::format("the NVIDIA driver is for CUDA {}, but this program needs {}; update the driver",
                                     dotted(driver), dotted(runtime));
  if (status == cudaErrorNoDevice || status == cudaSuccess) return "the NVIDIA driver sees no GPU" + visible_devices();
  if (status == cudaErrorStubLibrary)
    return "libcuda.so.1 is the toolkit's stub and not a driver; take its folder out of LD_LIBRARY_PATH";
  return fmt::format("the NVIDIA driver reports: {}", cudaGetErrorString(status));
}

Card card_of(int ordinal) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, ordinal));
  return {ordinal, properties.name, properties.major, properties.minor, properties.totalGlobalMem};
}

bool is_built_for(const Card& card) {
  return card.major > kOldestMajor || (card.major == kOldestMajor && card.minor >= kOldestMinor);
}

std::string too_old(const Card& card) {
  return fmt::format("cuda:{} ({}) has compute capability {}.{}, and this program is built for {}.{} and later",
                     card.ordinal, card.name, card.major, card.minor, kOldestMajor, kOldestMinor);
}

std::vector<std::string> library_lines() {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  const auto line = [](const char* what, const std::string& version, const void* function) {
    return fmt::format("{} {} ({})", what, version, file_of(function));
  };
  return {
      driver == 0 ? std::string("driver: none") : fmt::format("driver for CUDA {}", dotted(driver)),
      line("CUDA runtime", dotted(runtime), reinterpret_cast<const void*>(&cudaRuntimeGetVersion)),
      line("cuDNN", dotted_cudnn(cudnnGetVersion()), reinterpret_cast<const void*>(&cudnnGetVersion)),
      line("cuBLASLt", fmt::format("{}", cublasLtGetVersion()), reinterpret_cast<const void*>(&cublasLtGetVersion))};
}

}  // namespace

CudaStatus diagnose() {
  CudaStatus status;
  status.details = library_lines();
  status.reason = why_no_driver();
  if (status.reason.empty()) status.reason = why_libraries_do_not_fit();
  if (!status.reason.empty()) return status;
  int count = 0;
  check(cudaGetDeviceCount(&count));
  for (int i = 0; i < count; ++i) {
    const Card card = card_of(i);
    status.cards.push_back(fmt::format("cuda:{}: {}, compute capability {}.{}, {:.1f} GiB", i, card.name, card.major,
                                       card.minor, static_cast<double>(card.memory_bytes) / (1 << 30)));
    if (is_built_for(card))
      status.usable = true;
    else if (status.reason.empty())
      status.reason = too_old(card);
  }
  if (status.usable) status.reason.clear();
  return status;
}

Card find_card(int ordinal) {
  std::string reason = why_no_driver();
  if (reason.empty()) reason = why_libraries_do_not_fit();
  int count = 0;
  if (reason.empty()) {
    check(cudaGetDeviceCount(&count));
    if (ordinal >= count)
      reason = fmt::format("there {} {} GPU{}, counted from 0{}", count == 1 ? "is" : "are", count,
                           count == 1 ? "" : "s", visible_devices());
  }
  Card card;
  if (reason.empty()) card = card_of(ordinal);
  if (reason.empty() && !is_built_for(card)) reason = too_old(card);
  if (!reason.empty()) throw Error(ExitCode::kNoDevice, fmt::format("cuda:{} cannot be used: {}", ordinal, reason));
  return card;
}

Precision choose_precision(const Card& card, const std::string& requested) {
  const bool ampere = card.major >= 8;
  if (requested.empty()) return ampere ? Precision::kBfloat16 : Precision::kFloat32;
  for (const Precision precision : kPrecisions) {
    if (requested != precision_name(precision)) continue;
    if (!ampere && precision == Precision::kTf32)
      throw Error(ExitCode::kNoDevice,
                  fmt::format("--precision {} needs compute capability 8.0, and {} has {}.{}; try fp16 or fp32",
                              requested, card.name, card.major, card.minor));
    return precision;
  }
  throw Error(ExitCode::kUsage, fmt::format("--precision {} is unknown; take fp32, tf32, bf16 or fp16", requested));
}

}  // namespace xrai::cuda
