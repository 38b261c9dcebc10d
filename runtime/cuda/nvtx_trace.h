// Ranges for Nsight Systems, in NVTX's domain "xrai". Without a profiler around the process nobody listens, and
// NVTX answers every call with nothing.
#pragma once

#include <driver_types.h>
#include <nvtx3/nvToolsExt.h>

#include <map>
#include <mutex>
#include <string>

#include "runtime/core/trace.h"

namespace xrai::cuda {

class NvtxTrace final : public Trace {
 public:
  NvtxTrace() : domain_(nvtxDomainCreateA("xrai")) {}
  NvtxTrace(const NvtxTrace&) = delete;
  NvtxTrace& operator=(const NvtxTrace&) = delete;
  ~NvtxTrace() override;

  void begin(std::string_view name) override;
  void end() override;
  void name_thread(std::string_view name) override;
  static void name_stream(cudaStream_t stream, const char* name);

  /// Whether a profiler is there.
  [[nodiscard]] bool is_heard() const { return domain_ != nullptr; }

 private:
  nvtxStringHandle_t registered(std::string_view name);

  nvtxDomainHandle_t domain_;
  std::mutex mutex_;
  std::map<std::string, nvtxStringHandle_t, std::less<>> registered_;
};

}  // namespace xrai::cuda
