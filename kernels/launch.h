// How the CUDA kernels are launched and get shared memory; included by kernels/*.cu and by nothing else. The same file
// is compiled twice: by nvcc for the GPU, and by the host compiler, where tests/cuda/emulation gives the words of the
// device language a meaning on the CPU and checks what a GPU would not. Whatever the two compilers need differently is
// here, so that no kernel asks which of them it has.
//
//   XRAI_SHARED(float, tile, 32 * 33);       // a static array in shared memory
//   XRAI_DYNAMIC_SHARED(float, row);         // a pointer to the launch's shared_bytes, aligned to 16 bytes
//   launch(kernel, grid, block, shared_bytes, stream, arguments...);
//
// Static and dynamic shared memory together stay below 48 KiB, which every GPU grants without being asked.
#pragma once

#include "kernels/cuda_stream.h"

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <string>
#include <utility>

#define XRAI_SHARED(T, name, n) __shared__ T name[n]
#define XRAI_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char xrai_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(xrai_dynamic_shared)

namespace xrai::kernels::cuda {

/// The kernel's linker name; older toolkits can't tell.
inline std::string kernel_name([[maybe_unused]] const void* kernel) {
#if CUDART_VERSION >= 12030
  const char* name = nullptr;
  if (cudaFuncGetName(&name, kernel) == cudaSuccess && name != nullptr) return name;
#endif
  return "(unnamed)";
}

/// Puts the kernel on the stream. Arguments are converted to the kernel's parameters and copied now. Throws
/// LaunchError.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, Stream stream,
            Arguments&&... arguments) {
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = grid;
  configuration.blockDim = block;
  configuration.dynamicSmemBytes = shared_bytes;
  configuration.stream = stream;
  const cudaError_t error =
      cudaLaunchKernelEx(&configuration, kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  if (error == cudaSuccess) return;
  // Asked only now: looking up the name may fail as well, and must not hide the first error.
  throw LaunchError(kernel_name(reinterpret_cast<const void*>(kernel)), error, cudaGetErrorString(error));
}

}  // namespace xrai::kernels::cuda

#else
#include <device_language.h>
#endif
