// The CPU twins' activations are float32 always; this says so at the one place where the contract's void* is left.
#pragma once

namespace xrai::kernels::cpu {

inline const float* floats(const void* activations) {
  return static_cast<const float*>(activations);
}
inline float* floats(void* activations) {
  return static_cast<float*>(activations);
}

}  // namespace xrai::kernels::cpu
