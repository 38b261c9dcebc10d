// Losses and probabilities on the GPU. A batch has a few hundred rows of logits, so that one block does it all in one
// launch. Exponentials are float; what is subtracted or summed is double: logits up to the largest float stay finite.
#include "kernels/element.h"
#include "kernels/loss.h"

namespace xrai::kernels::cuda {
namespace {

/// A row of logits belongs to one thread, or to the 32 of a warp.
template <int kLanes, class T>
__device__ __forceinline__ T lanes_sum(T value) {
  if constexpr (kLanes == 1)
    return value;
  else
    return warp_sum(value);
}

struct Largest {
  float value;
  std::int64_t index;
};

/// The first of the largest; NaN is smaller than anything, but wins in the first place, as in std::max_element.
template <int kLanes, class T>
__device__ __forceinline__ Largest largest_of(const T* row, std::int64_t classes, unsigned lane) {
  Largest best{-INFINITY, classes};
#pragma unroll 1
  for (std::int64_t k = lane; k < classes; k += kLanes) {
    const float value = to_float(row[k]);
    if (value > best.value || (value == best.value && k < best.index)) best = {value, k};
  }
  if constexpr (kLanes > 1)
#pragma unroll
    for (int distance = kLanes / 2; distance > 0; distance /= 2) {
      const float value = __shfl_xor_sync(kWholeWarp, best.value, distance);
      const auto index =
          static_cast<std::int64_t>(__shfl_xor_sync(kWholeWarp, static_cast<long long>(best.index), distance));
      if (value > best.value || (value == best.value && index < best.index)) best = {value, index};
    }
  if (isnan(to_float(row[0]))) best.index = 0;
  return best;
}

__device__ __forceinline__ float log_prior(const float* log_priors, std::int64_t k) {
  return log_priors != nullptr ? log_priors[k] : 0.0f;
}

/// Of a row whose largest logit is `top`, the logarithms of the priors, all at most 0, added.
template <int kLanes, class T>
__device__ __forceinline__ double log_sum_exp(const T* row, std::int64_t classes, unsigned lane, double top,
                                              const float* log_priors) {
  float sum = 0;
#pragma unroll 1
  for (std::int64_t k = lane; k < classes; k += kLanes)
    sum += expf(static_cast<float>(to_float(row[k]) - top) + log_prior(log_priors, k));
  return top + logf(lanes_sum<kLanes>(sum));
}

// log(1 + exp(-|x|)) never overflows; the rest is linear in x.
__device__ __forceinline__ double softplus(float x) {
  return (x < 0.0f ? 0.0 : static_cast<double>(x)) + log1pf(expf(-fabsf(x)));
}
__device__ __forceinline__ float sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// ---- loss -----------------------------------------------------------------------------------------------------------

constexpr int kLossThreads = 256;

/// What a thread has seen of the batch.
struct Seen {
  double loss = 0;
  unsigned correct = 0;
};

/// The block's sums into the step's slot.
__device__ __forceinline__ void store_result(const LossArguments& arg, const Seen& seen) {
  const double loss = block_sum<kLossThreads>(seen.loss);
  const unsigned correct = block_sum<kLossThreads>(seen.correct);
  if (threadIdx.x != 0) return;
  LossResult& result = arg.results[arg.numbers != nullptr ? arg.numbers->result_slot : 0];
  result.loss_sum = loss;
  result.n_correct = correct;
}

// The gradient is of the mean over the batch, times the loss scale.
__device__ __forceinline__ double gradient_scale(const LossArguments& arg) {
  return (arg.scale != nullptr ? static_cast<double>(arg.scale->scale) : 1.0) / static_cast<double>(arg.n);
}

template <class T>
__global__ void __launch_bounds__(kLossThreads) binary_loss_kernel(const __grid_constant__ LossArguments arg) {
  const auto* logits = static_cast<const T*>(arg.logits);
  auto* dlogits = static_cast<T*>(arg.dlogits);
  const double scale = gradient_scale(arg);
  const float prior = log_prior(arg.log_priors, 1) - log_prior(arg.log_priors, 0);
  Seen seen;
  for (std::int64_t i = threadIdx.x; i < arg.n; i += kLossThreads) {
    const float said = to_float(logits[i]), logit = said + prior;
    const std::int32_t label = arg.labels[i];
    const double target = (1.0 - arg.label_smoothing) * label + 0.5 * arg.label_smoothing;
    const double weight = arg.class_weights[label];
    seen.loss += weight * (softplus(logit) - target * logit);
    seen.correct += (said > 0) == (label == 1) ? 1 : 0;
    if (dlogits != nullptr) dlogits[i] = from_float<T>(static_cast<float>(scale * weight * (sigmoid(logit) - target)));
  }
  store_result(arg, seen);
}

template <int kLanes, class T>
__global__ void __launch_bounds__(kLossThreads) softmax_loss_kernel(const __grid_constant__ LossArguments arg) {
  const std::int64_t classes = arg.n_logits;
  const double scale = gradient_scale(arg), floor = arg.label_smoothing / static_cast<double>(classes);
  const unsigned lane = threadIdx.x % kLanes;
  Seen seen;
  for (std::int64_t i = threadIdx.x / kLanes; i < arg.n; i += kLossThreads / kLanes) {
    const T* row = static_cast<const T*>(arg.logits) + i * classes;
    const std::int32_t label = arg.labels[i];
    const double weight = arg.class_weights[label];
    const Largest largest = largest_of<kLanes>(row, classes, lane);
    const double normaliser = log_sum_exp<kLanes>(row, classes, lane, largest.value, arg.log_priors);
#pragma unroll 1
    for (std::int64_t k = lane; k < classes; k += kLanes) {
      const double target = floor + (k == label ? 1.0 - arg.label_smoothing : 0.0);
      const double log_probability = static_cast<double>(to_float(row[k])) + log_prior(arg.log_priors, k) - normaliser;
      seen.loss -= weight * target * log_probability;
      if (arg.dlogits != nullptr)
        static_cast<T*>(arg.dlogits)[i * classes + k] =
            from_float<T>(static_cast<float>(scale * weight * (expf(static_cast<float>(log_probability)) - target)));
    }
    seen.correct += lane == 0 && largest.index == label ? 1 : 0;
  }
  store_result(arg, seen);
}

// ---- probabilities --------------------------------------------------------------------------------------------------

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    binary_probabilities_kernel(const __grid_constant__ ProbabilityArguments arg) {
  const std::int64_t step = std::int64_t{gridDim.x} * kBlockThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kBlockThreads + threadIdx.x; i < arg.n; i += step) {
    const float logit = to_float(static_cast<const T*>(arg.logits)[i]);
    arg.probabilities[2 * i] = sigmoid(-logit);
    arg.probabilities[2 * i + 1] = sigmoid(logit);
  }
}

template <int kLanes, class T>
__global__ void __launch_bounds__(kBlockThreads)
    softmax_probabilities_kernel(const __grid_constant__ ProbabilityArguments arg) {
  const std::int64_t classes = arg.n_logits, step = std::int64_t{gridDim.x} * kBlockThreads / kLanes;
  const unsigned lane = threadIdx.x % kLanes;
  for (std::int64_t i = (std::int64_t{blockIdx.x} * kBlockThreads + threadIdx.x) / kLanes; i < arg.n; i += step) {
    const T* row = static_cast<const T*>(arg.logits) + i * classes;
    const Largest largest = largest_of<kLanes>(row, classes, lane);
    const double normaliser = log_sum_exp<kLanes>(row, classes, lane, largest.value, nullptr);
#pragma unroll 1
    for (std::int64_t k = lane; k < classes; k += kLanes)
      arg.probabilities[i * classes + k] = expf(static_cast<float>(to_float(row[k]) - normaliser));
  }
}

/// Below, a thread is quicker alone with a row than 32 with a row each after the other.
constexpr std::int64_t kClassesForWarp = 16;

}  // namespace

void loss(const LossArguments& arguments, DataType type, Stream stream) {
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    const auto kernel = arguments.n_logits == 1                ? binary_loss_kernel<T>
                        : arguments.n_logits < kClassesForWarp ? softmax_loss_kernel<1, T>
                                                               : softmax_loss_kernel<kWarpThreads, T>;
    launch(kernel, 1, kLossThreads, 0, stream, arguments);
  });
}

void probabilities(const ProbabilityArguments& arguments, DataType type, Stream stream) {
  if (arguments.n == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    if (arguments.n_logits == 1)
      return launch(binary_probabilities_kernel<T>, blocks_for(arguments.n), kBlockThreads, 0, stream, arguments);
    if (arguments.n_logits < kClassesForWarp)
      return launch(softmax_probabilities_kernel<1, T>, blocks_for(arguments.n), kBlockThreads, 0, stream, arguments);
    launch(softmax_probabilities_kernel<kWarpThreads, T>, blocks_for(arguments.n * kWarpThreads), kBlockThreads, 0,
           stream, arguments);
  });
}

}  // namespace xrai::kernels::cuda
