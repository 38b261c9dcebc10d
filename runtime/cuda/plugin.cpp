// The door of libxrai_cuda.so.
#include "runtime/cuda/cuda_device.h"
#include "runtime/cuda/diagnosis.h"

extern "C" __attribute__((visibility("default"))) const xrai::CudaPlugin* xrai_cuda_plugin() {
  static const xrai::CudaPlugin plugin{xrai::CudaPlugin::kVersion, &xrai::cuda::diagnose,
                                       &xrai::cuda::make_cuda_device};
  return &plugin;
}
