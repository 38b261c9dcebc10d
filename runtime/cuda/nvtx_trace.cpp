#include "runtime/cuda/nvtx_trace.h"

#include <nvtx3/nvToolsExtCudaRt.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xrai::cuda {

NvtxTrace::~NvtxTrace() {
  if (is_heard()) nvtxDomainDestroy(domain_);
}

// A registered name crosses to the profiler once, not with every range.
nvtxStringHandle_t NvtxTrace::registered(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto place = registered_.find(name);
  if (place != registered_.end()) return place->second;
  const std::string text(name);
  return registered_.emplace(text, nvtxDomainRegisterStringA(domain_, text.c_str())).first->second;
}

void NvtxTrace::begin(std::string_view name) {
  nvtxEventAttributes_t range{};
  range.version = NVTX_VERSION;
  range.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  range.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
  range.message.registered = registered(name);
  nvtxDomainRangePushEx(domain_, &range);
}

void NvtxTrace::end() {
  nvtxDomainRangePop(domain_);
}

void NvtxTrace::name_thread(std::string_view name) {
  nvtxNameOsThreadA(static_cast<std::uint32_t>(::syscall(SYS_gettid)), std::string(name).c_str());
}

void NvtxTrace::name_stream(cudaStream_t stream, const char* name) {
  nvtxNameCudaStreamA(stream, name);
}

}  // namespace xrai::cuda
