// CPU twin of the optimisers: elementwise over the arenas, so any split over threads gives the same bits.
#include "kernels/optimiser.h"

#include <algorithm>
#include <cmath>

#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels {
namespace cpu {
namespace {

constexpr std::int64_t kBlock = 1 << 16;

float clip_factor(double norm, float max_gradient_norm) {
  return max_gradient_norm > 0 && norm > max_gradient_norm ? static_cast<float>(max_gradient_norm / (norm + 1e-6))
                                                           : 1.0f;
}

/// Halves the scale when the gradient is not finite, doubles it after enough good steps.
void adapt(LossScale& scale, bool finite, const DecideUpdateArguments& arg) {
  if (!finite) {
    scale.scale = std::max(scale.scale * 0.5f, arg.smallest_scale);
    scale.good_steps = 0;
    ++scale.skipped_in_a_row;
    ++scale.skipped;
    return;
  }
  scale.skipped_in_a_row = 0;
  if (++scale.good_steps < arg.growth_interval) return;
  scale.scale = std::min(scale.scale * 2.0f, arg.largest_scale);
  scale.good_steps = 0;
}

struct AdamWFactors {
  float gradient_scale, step_size, inverse_root_correction, keep;
};

XRAI_VECTORISE void adamw_range(const AdamWArguments& arg, const AdamWFactors f, std::int64_t begin, std::int64_t end) {
  float* __restrict w = arg.weights;
  const float* __restrict g = arg.gradients;
  float* __restrict m = arg.first_moment;
  float* __restrict v = arg.second_moment;
  const float beta1 = arg.beta1, beta2 = arg.beta2, epsilon = arg.epsilon;
  for (std::int64_t i = begin; i < end; ++i) {
    const float gradient = g[i] * f.gradient_scale;
    m[i] = beta1 * m[i] + (1.0f - beta1) * gradient;
    v[i] = beta2 * v[i] + (1.0f - beta2) * gradient * gradient;
    const float root = __builtin_sqrtf(v[i]) * f.inverse_root_correction;
    w[i] = w[i] * f.keep - f.step_size * m[i] / (root + epsilon);
  }
}

XRAI_VECTORISE void sgd_range(const SgdArguments& arg, float gradient_scale, float decay, float learning_rate,
                              std::int64_t begin, std::int64_t end) {
  float* __restrict w = arg.weights;
  const float* __restrict g = arg.gradients;
  float* __restrict v = arg.velocity;
  const float momentum = arg.momentum;
  for (std::int64_t i = begin; i < end; ++i) {
    const float gradient = g[i] * gradient_scale + decay * w[i];
    v[i] = momentum * v[i] + gradient;
    w[i] -= learning_rate * (gradient + momentum * v[i]);
  }
}

// Runs `decayed` over [0, n_decayed) and `plain` over the rest, split over threads.
template <class Range>
void over_arena(std::int64_t n, std::int64_t n_decayed, const Range& range) {
  parallel_for(n, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t cut = std::clamp(n_decayed, begin, end);
    if (begin < cut) range(true, begin, cut);
    if (cut < end) range(false, cut, end);
  });
}

XRAI_VECTORISE double block_sum_of_squares(const float* x, std::int64_t n) {
  // Sixteen lanes of double, added in a fixed order: vectorised without reassociating anything.
  double lanes[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int lane = 0; lane < 16; ++lane) lanes[lane] += static_cast<double>(x[i + lane]) * x[i + lane];
  for (int lane = 0; i < n; ++i, ++lane) lanes[lane] += static_cast<double>(x[i]) * x[i];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

std::int64_t blocks_of(std::int64_t n) {
  return (n + kBlock - 1) / kBlock;
}

}  // namespace

void decide_update(const DecideUpdateArguments& arg) {
  const StepNumbers& numbers = *arg.numbers;
  UpdateDecision decision;
  const double unscale = arg.scale != nullptr ? 1.0 / static_cast<double>(arg.scale->scale) : 1.0;
  if (arg.max_gradient_norm > 0 || arg.scale != nullptr) {
    double sum = 0;
    sum_of_squares(arg.gradients, arg.n, arg.workspace, &sum);
    const double norm = std::sqrt(sum) * unscale;
    decision.skip = arg.scale != nullptr && !std::isfinite(norm) ? 1 : 0;
    decision.gradient_factor = static_cast<float>(unscale * clip_factor(norm, arg.max_gradient_norm));
    if (arg.scale != nullptr) adapt(*arg.scale, decision.skip == 0, arg);
  }
  // A step that was skipped does not count: the moments have not seen it.
  const double t =
      static_cast<double>(numbers.step + 1) - static_cast<double>(arg.scale != nullptr ? arg.scale->skipped : 0);
  const double correction1 = 1.0 - std::pow(static_cast<double>(arg.beta1), t);
  const double correction2 = 1.0 - std::pow(static_cast<double>(arg.beta2), t);
  decision.learning_rate = numbers.learning_rate;
  decision.step_size = static_cast<float>(numbers.learning_rate / correction1);
  decision.inverse_root_correction = static_cast<float>(1.0 / std::sqrt(correction2));
  *arg.decision = decision;
}

void undo_if_skipped(const UpdateDecision* decision, const float* before, float* values, std::int64_t n) {
  if (decision->skip != 0) std::copy_n(before, n, values);
}

void adamw(const AdamWArguments& arg) {
  const UpdateDecision& d = *arg.decision;
  if (d.skip != 0) return;
  const AdamWFactors factors{d.gradient_factor, d.step_size, d.inverse_root_correction, 1.0f};
  over_arena(arg.n, arg.n_decayed, [&](bool decayed, std::int64_t begin, std::int64_t end) {
    AdamWFactors f = factors;
    if (decayed) f.keep = 1.0f - d.learning_rate * arg.weight_decay;
    adamw_range(arg, f, begin, end);
  });
}

void sgd(const SgdArguments& arg) {
  const UpdateDecision& d = *arg.decision;
  if (d.skip != 0) return;
  over_arena(arg.n, arg.n_decayed, [&](bool decayed, std::int64_t begin, std::int64_t end) {
    sgd_range(arg, d.gradient_factor, decayed ? arg.weight_decay : 0.0f, d.learning_rate, begin, end);
  });
}

void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result) {
  const std::int64_t blocks = blocks_of(n);
  parallel_for(blocks, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b)
      workspace[b] = block_sum_of_squares(x + b * kBlock, std::min(kBlock, n - b * kBlock));
  });
  *result = 0;
  for (std::int64_t b = 0; b < blocks; ++b) *result += workspace[b];
}

}  // namespace cpu

std::int64_t sum_of_squares_workspace_doubles(std::int64_t n) {
  return std::max<std::int64_t>(1024, cpu::blocks_of(n));
}

}  // namespace xrai::kernels
