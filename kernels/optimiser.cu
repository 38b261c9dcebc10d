// The optimisers on the GPU: one launch over the flat arenas, each of which is read and written once. Norms are summed
// in double over a partition that depends on the size only: the same bits on every GPU.
#include <algorithm>

#include "kernels/element.h"
#include "kernels/optimiser.h"

namespace xrai::kernels::cuda {
namespace {

// ---- norms ----------------------------------------------------------------------------------------------------------

/// Two groups of four a thread at least; sum_of_squares_workspace_doubles() promises room for so many.
constexpr std::int64_t kMostPartials = 1024;
unsigned partials_of(std::int64_t n) {
  return static_cast<unsigned>(std::clamp<std::int64_t>(n / (8 * kBlockThreads), 1, kMostPartials));
}

__global__ void __launch_bounds__(kBlockThreads)
    squares_kernel(Groups groups, const float* __restrict__ x, double* __restrict__ partials) {
  double sum = 0;
  for_each_group<4>(groups, [&](auto count, std::int64_t i) {
    constexpr int kCount = decltype(count)::value;
    float values[kCount];
    load_floats<kCount>(x + i, values);
#pragma unroll
    for (const float value : values) sum += static_cast<double>(value) * value;
  });
  sum = block_sum<kBlockThreads>(sum);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

/// The sum of the partials, in every thread of a block.
__device__ __forceinline__ double sum_of_partials(const double* partials, unsigned count) {
  double sum = 0;
  for (unsigned i = threadIdx.x; i < count; i += kBlockThreads) sum += partials[i];
  return block_sum<kBlockThreads>(sum);
}

__global__ void __launch_bounds__(kBlockThreads)
    finish_squares_kernel(const double* partials, unsigned count, double* result) {
  const double sum = sum_of_partials(partials, count);
  if (threadIdx.x == 0) *result = sum;
}

/// Returns the number of partials that it leaves in the workspace.
unsigned launch_squares(const float* x, std::int64_t n, double* workspace, Stream stream) {
  const unsigned count = partials_of(n);
  launch(squares_kernel, count, kBlockThreads, 0, stream, groups_of<4>(n, x), x, workspace);
  return count;
}

// ---- the decision ---------------------------------------------------------------------------------------------------

__device__ __forceinline__ float clip_factor(double norm, float max_gradient_norm) {
  return max_gradient_norm > 0 && norm > max_gradient_norm ? static_cast<float>(max_gradient_norm / (norm + 1e-6))
                                                           : 1.0f;
}

/// Halves the scale when the gradient is not finite, doubles it after enough good steps.
__device__ __forceinline__ void adapt(LossScale& scale, bool finite, const DecideUpdateArguments& arg) {
  if (!finite) {
    scale.scale = fmaxf(scale.scale * 0.5f, arg.smallest_scale);
    scale.good_steps = 0;
    ++scale.skipped_in_a_row;
    ++scale.skipped;
    return;
  }
  scale.skipped_in_a_row = 0;
  if (++scale.good_steps < arg.growth_interval) return;
  scale.scale = fminf(scale.scale * 2.0f, arg.largest_scale);
  scale.good_steps = 0;
}

/// `count` partial sums of squares in the workspace; 0: the norm is not asked for.
__global__ void __launch_bounds__(kBlockThreads)
    decide_kernel(const __grid_constant__ DecideUpdateArguments arg, unsigned count) {
  const double sum = sum_of_partials(arg.workspace, count);
  if (threadIdx.x != 0) return;
  UpdateDecision decision;
  if (count > 0) {
    const double unscale = arg.scale != nullptr ? 1.0 / static_cast<double>(arg.scale->scale) : 1.0;
    const double norm = sqrt(sum) * unscale;
    decision.skip = arg.scale != nullptr && !isfinite(norm) ? 1 : 0;
    decision.gradient_factor = static_cast<float>(unscale * clip_factor(norm, arg.max_gradient_norm));
    if (arg.scale != nullptr) adapt(*arg.scale, decision.skip == 0, arg);
  }
  // A step that was skipped does not count: the moments have not seen it.
  const double t =
      static_cast<double>(arg.numbers->step + 1) - static_cast<double>(arg.scale != nullptr ? arg.scale->skipped : 0);
  const double correction1 = 1.0 - pow(static_cast<double>(arg.beta1), t);
  const double correction2 = 1.0 - pow(static_cast<double>(arg.beta2), t);
  decision.learning_rate = arg.numbers->learning_rate;
  decision.step_size = static_cast<float>(decision.learning_rate / correction1);
  decision.inverse_root_correction = static_cast<float>(1.0 / sqrt(correction2));
  *arg.decision = decision;
}

// ---- the update -----------------------------------------------------------------------------------------------------

/// Weights are stored twice where the activations are narrower.
template <int kCount, class T>
__device__ __forceinline__ void store_weights(float* weights, void* narrow_weights, std::int64_t i,
                                              const float (&values)[kCount]) {
  store_floats<kCount>(weights + i, values);
  if (narrow_weights != nullptr) store_floats<kCount>(static_cast<T*>(narrow_weights) + i, values);
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    adamw_kernel(Groups groups, const __grid_constant__ AdamWArguments arg) {
  const UpdateDecision d = *arg.decision;
  if (d.skip != 0) return;
  for_each_group<4>(groups, [&](auto count, std::int64_t first) {
    constexpr int kCount = decltype(count)::value;
    float w[kCount], g[kCount], m[kCount], v[kCount];
    load_floats<kCount>(arg.weights + first, w);
    load_floats<kCount>(arg.gradients + first, g);
    load_floats<kCount>(arg.first_moment + first, m);
    load_floats<kCount>(arg.second_moment + first, v);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float keep = first + i < arg.n_decayed ? 1.0f - d.learning_rate * arg.weight_decay : 1.0f;
      const float gradient = g[i] * d.gradient_factor;
      m[i] = arg.beta1 * m[i] + (1.0f - arg.beta1) * gradient;
      v[i] = arg.beta2 * v[i] + (1.0f - arg.beta2) * gradient * gradient;
      const float root = sqrtf(v[i]) * d.inverse_root_correction;
      w[i] = w[i] * keep - d.step_size * m[i] / (root + arg.epsilon);
    }
    store_floats<kCount>(arg.first_moment + first, m);
    store_floats<kCount>(arg.second_moment + first, v);
    store_weights<kCount, T>(arg.weights, arg.narrow_weights, first, w);
  });
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads) sgd_kernel(Groups groups, const __grid_constant__ SgdArguments arg) {
  const UpdateDecision d = *arg.decision;
  if (d.skip != 0) return;
  for_each_group<4>(groups, [&](auto count, std::int64_t first) {
    constexpr int kCount = decltype(count)::value;
    float w[kCount], g[kCount], v[kCount];
    load_floats<kCount>(arg.weights + first, w);
    load_floats<kCount>(arg.gradients + first, g);
    load_floats<kCount>(arg.velocity + first, v);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float decay = first + i < arg.n_decayed ? arg.weight_decay : 0.0f;
      const float gradient = g[i] * d.gradient_factor + decay * w[i];
      v[i] = arg.momentum * v[i] + gradient;
      w[i] -= d.learning_rate * (gradient + arg.momentum * v[i]);
    }
    store_floats<kCount>(arg.velocity + first, v);
    store_weights<kCount, T>(arg.weights, arg.narrow_weights, first, w);
  });
}

__global__ void __launch_bounds__(kBlockThreads)
    undo_kernel(Groups groups, const UpdateDecision* decision, const float* before, float* values) {
  if (decision->skip == 0) return;
  for_each_group<4>(groups, [&](auto count, std::int64_t i) {
    constexpr int kCount = decltype(count)::value;
    float kept[kCount];
    load_floats<kCount>(before + i, kept);
    store_floats<kCount>(values + i, kept);
  });
}

}  // namespace

void undo_if_skipped(const UpdateDecision* decision, const float* before, float* values, std::int64_t n,
                     Stream stream) {
  if (n == 0) return;
  const Groups groups = groups_of<4>(n, before, values);
  launch(undo_kernel, blocks_for<4>(groups), kBlockThreads, 0, stream, groups, decision, before, values);
}

void decide_update(const DecideUpdateArguments& arguments, Stream stream) {
  const bool wants_norm = arguments.max_gradient_norm > 0 || arguments.scale != nullptr;
  const unsigned count = wants_norm ? launch_squares(arguments.gradients, arguments.n, arguments.workspace, stream) : 0;
  launch(decide_kernel, 1, kBlockThreads, 0, stream, arguments, count);
}

void adamw(const AdamWArguments& arguments, DataType type, Stream stream) {
  if (arguments.n == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    const Groups groups = groups_of<4>(arguments.n, arguments.weights, arguments.gradients, arguments.first_moment,
                                       arguments.second_moment, static_cast<const T*>(arguments.narrow_weights));
    launch(adamw_kernel<T>, blocks_for<4>(groups), kBlockThreads, 0, stream, groups, arguments);
  });
}

void sgd(const SgdArguments& arguments, DataType type, Stream stream) {
  if (arguments.n == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    const Groups groups = groups_of<4>(arguments.n, arguments.weights, arguments.gradients, arguments.velocity,
                                       static_cast<const T*>(arguments.narrow_weights));
    launch(sgd_kernel<T>, blocks_for<4>(groups), kBlockThreads, 0, stream, groups, arguments);
  });
}

void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result, Stream stream) {
  const unsigned count = launch_squares(x, n, workspace, stream);
  launch(finish_squares_kernel, 1, kBlockThreads, 0, stream, workspace, count, result);
}

}  // namespace xrai::kernels::cuda
