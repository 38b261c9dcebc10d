// What batch normalisation with known statistics is to a value: a line, and the ReLU behind it. For the CPU twins.
#pragma once

#include "kernels/batch_norm.h"
#include "kernels/lanes.h"

namespace xrai::kernels::cpu {

/// Scale and shift of one group of channels.
template <class V>
struct Affine {
  V scale, shift;
};

template <class V>
XRAI_INLINE Affine<V> affine(const BatchNormArguments& arg, std::int64_t c) {
  const V scale = load<V>(arg.gamma + c) * load<V>(arg.inverse_deviation + c);
  return {scale, load<V>(arg.beta + c) - load<V>(arg.mean + c) * scale};
}

template <class V>
XRAI_INLINE V relu_of(V v) {
  return v < V{} ? V{} : v;
}

}  // namespace xrai::kernels::cpu
