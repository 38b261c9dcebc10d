// What the program and libxrai_cuda.so agree on. The CUDA device is loaded and not linked, so that the same program
// starts at once on a machine without a driver, without cuDNN or with another one, and can say which it is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/core/device.h"
#include "runtime/core/precision.h"

namespace xrai {

struct CudaRequest {
  int ordinal = 0;  // among the visible cards
  /// Empty: bf16 where the card has it, else fp32.
  std::string precision;
};

/// What is there, found without making a device.
struct CudaStatus {
  bool usable = false;
  std::string reason;                // why not, a sentence without an end
  std::vector<std::string> cards;    // "cuda:0: NVIDIA H100 PCIe, compute capability 9.0, 79.6 GiB", ...
  std::vector<std::string> details;  // driver, runtime, cuDNN and cuBLAS, with their files: a line each
};

/// Both sides are built together; the number is there to notice when they are not.
struct CudaPlugin {
  static constexpr int kVersion = 2;
  static constexpr const char* kEntry = "xrai_cuda_plugin";
  static constexpr const char* kFile = "libxrai_cuda.so";
  int version = kVersion;
  CudaStatus (*status)() = nullptr;
  /// Throws Error(kNoDevice, kUsage, kOutOfMemory).
  std::unique_ptr<Device> (*make_device)(const CudaRequest& request) = nullptr;
};
/// The one symbol of the plug-in that the program asks for, under kEntry.
using CudaPluginEntry = const CudaPlugin* (*)();

}  // namespace xrai
