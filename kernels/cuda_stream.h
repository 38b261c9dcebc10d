// What code without CUDA headers needs in order to call the CUDA kernels: the name of a stream and the error that a
// launch can end with. No CUDA header may be included here.
#pragma once

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

struct CUstream_st;  // the struct behind cudaStream_t

namespace xrai::kernels {

/// cudaStream_t, without its header.
using Stream = CUstream_st*;

/// The cudaError_t after which the context is lost, and memory, streams and graphs of this process with it ("sticky"
/// errors). The numbers are part of CUDA's binary interface; runtime/cuda/check.cpp holds them against its names.
inline constexpr std::array kStickyErrors{214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719};
/// What is to be said about an error besides CUDA's own words: nothing, unless the card is lost.
inline std::string remedy(int code) {
  return std::find(kStickyErrors.begin(), kStickyErrors.end(), code) == kStickyErrors.end()
             ? ""
             : "; nothing more can be computed on the GPU in this process. The last checkpoint is intact: --resume "
               "auto "
               "goes on from it";
}

/// A launch that the CUDA runtime refused, or that met an error left by earlier work on the device.
class LaunchError : public std::runtime_error {
 public:
  /// `code` is the cudaError_t, `reason` the runtime's own words for it.
  LaunchError(const std::string& kernel, int code, const std::string& reason)
      : std::runtime_error("launching the kernel " + kernel + " failed: " + reason + " (CUDA error " +
                           std::to_string(code) + ")" + remedy(code)),
        kernel_(kernel),
        code_(code) {}

  const std::string& kernel() const { return kernel_; }
  int code() const { return code_; }

 private:
  std::string kernel_;
  int code_;
};

}  // namespace xrai::kernels
