// What code without CUDA headers needs in order to call the CUDA kernels: the name of a stream and the error that a
// launch can end with. No CUDA header may be included here.
#pragma once

#include <stdexcept>
#include <string>

struct CUstream_st;  // the struct behind cudaStream_t

namespace xrai::kernels {

/// cudaStream_t, without its header.
using Stream = CUstream_st*;

/// A launch that the CUDA runtime refused, or that met an error left by earlier work on the device.
class LaunchError : public std::runtime_error {
 public:
  /// `code` is the cudaError_t, `reason` the runtime's own words for it.
  LaunchError(const std::string& kernel, int code, const std::string& reason)
      : std::runtime_error("launching the kernel " + kernel + " failed: " + reason + " (CUDA error " +
                           std::to_string(code) + ")"),
        kernel_(kernel),
        code_(code) {}

  const std::string& kernel() const { return kernel_; }
  int code() const { return code_; }

 private:
  std::string kernel_;
  int code_;
};

}  // namespace xrai::kernels
