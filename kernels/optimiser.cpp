// CPU twin of the optimisers: elementwise over the arenas, so any split over threads gives the same bits.
#include "kernels/optimiser.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

float clip_factor(const GradientClip& clip) {
  if (clip.max_gradient_norm <= 0 || clip.sum_of_squares == nullptr) return 1.0f;
  const double norm = std::sqrt(*clip.sum_of_squares);
  return norm > clip.max_gradient_norm ? static_cast<float>(clip.max_gradient_norm / (norm + 1e-6)) : 1.0f;
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

XRAI_VECTORISE void sgd_range(const SgdArguments& arg, float gradient_scale, float decay, std::int64_t begin,
                              std::int64_t end) {
  float* __restrict w = arg.weights;
  const float* __restrict g = arg.gradients;
  float* __restrict v = arg.velocity;
  const float momentum = arg.momentum, learning_rate = arg.learning_rate;
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

}  // namespace

void adamw(const AdamWArguments& arg) {
  const double correction1 = 1.0 - std::pow(static_cast<double>(arg.beta1), static_cast<double>(arg.step));
  const double correction2 = 1.0 - std::pow(static_cast<double>(arg.beta2), static_cast<double>(arg.step));
  AdamWFactors factors{clip_factor(arg.clip), static_cast<float>(arg.learning_rate / correction1),
                       static_cast<float>(1.0 / std::sqrt(correction2)), 1.0f};
  over_arena(arg.n, arg.n_decayed, [&](bool decayed, std::int64_t begin, std::int64_t end) {
    AdamWFactors f = factors;
    if (decayed) f.keep = 1.0f - arg.learning_rate * arg.weight_decay;
    adamw_range(arg, f, begin, end);
  });
}

void sgd(const SgdArguments& arg) {
  const float scale = clip_factor(arg.clip);
  over_arena(arg.n, arg.n_decayed, [&](bool decayed, std::int64_t begin, std::int64_t end) {
    sgd_range(arg, scale, decayed ? arg.weight_decay : 0.0f, begin, end);
  });
}

void sum_of_squares(const float* x, std::int64_t n, double* result) {
  constexpr std::int64_t kBlock = 1 << 16;
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  // At most a few hundred partial sums: the stack holds them for arenas up to 64 M parameters a round.
  constexpr std::int64_t kRound = 1024;
  double partial[kRound];
  *result = 0;
  for (std::int64_t first = 0; first < blocks; first += kRound) {
    const std::int64_t count = std::min(kRound, blocks - first);
    parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const std::int64_t start = (first + b) * kBlock;
        partial[b] = block_sum_of_squares(x + start, std::min(kBlock, n - start));
      }
    });
    for (std::int64_t b = 0; b < count; ++b) *result += partial[b];
  }
}

}  // namespace xrai::kernels::cpu
