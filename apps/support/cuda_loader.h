// Opens libxrai_cuda.so, or says in one sentence why there is no CUDA here.
#pragma once

#include <string>

#include "runtime/core/cuda_plugin.h"

namespace xrai {

struct LoadedCuda {
  const CudaPlugin* plugin = nullptr;  // null: reason says why
  std::string reason;                  // a sentence without an end
};

/// The driver is asked for first, since looking costs a tenth of a millisecond and the libraries seventy; the plug-in
/// is opened once and stays.
const LoadedCuda& load_cuda();

}  // namespace xrai
