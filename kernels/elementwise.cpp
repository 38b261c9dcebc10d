#include "kernels/elementwise.h"

#include "kernels/activations.h"
#include "kernels/parallel.h"
#include "kernels/philox.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

XRAI_VECTORISE void add_range(const float* a, const float* b, float* sum, std::int64_t begin, std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) sum[i] = a[i] + b[i];
}

XRAI_VECTORISE void relu_range(const float* x, float* y, std::int64_t begin, std::int64_t end) {
  // A NaN stays a NaN: the trainer must see it.
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

XRAI_VECTORISE void relu_backward_range(const float* y, const float* dy, float* dx, std::int64_t begin,
                                        std::int64_t end) {
#pragma GCC ivdep
  for (std::int64_t i = begin; i < end; ++i) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

XRAI_VECTORISE void mean_over_positions(const float* x, float* y, std::int64_t positions, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) y[c] = 0;
  for (std::int64_t p = 0; p < positions; ++p)
    for (std::int64_t c = 0; c < channels; ++c) y[c] += x[p * channels + c];
  const float share = 1.0f / static_cast<float>(positions);
  for (std::int64_t c = 0; c < channels; ++c) y[c] *= share;
}

XRAI_VECTORISE void spread_over_positions(const float* dy, float* dx, std::int64_t positions, std::int64_t channels) {
  const float share = 1.0f / static_cast<float>(positions);
  for (std::int64_t p = 0; p < positions; ++p)
    for (std::int64_t c = 0; c < channels; ++c) dx[p * channels + c] = dy[c] * share;
}

}  // namespace

void add(const void* a, const void* b, void* sum, std::int64_t n) {
  parallel_for(n,
               [&](std::int64_t begin, std::int64_t end) { add_range(floats(a), floats(b), floats(sum), begin, end); });
}

void relu(const void* x, void* y, std::int64_t n) {
  parallel_for(n, [&](std::int64_t begin, std::int64_t end) { relu_range(floats(x), floats(y), begin, end); });
}

void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n) {
  parallel_for(n, [&](std::int64_t begin, std::int64_t end) {
    relu_backward_range(floats(y), floats(dy), floats(dx), begin, end);
  });
}

void dropout(const DropoutArguments& arg) {
  const float scale = 1.0f / (1.0f - arg.probability);
  const StepNumbers keys = arg.numbers != nullptr ? *arg.numbers : StepNumbers{};
  const float* x = floats(arg.x);
  float* y = floats(arg.y);
  const std::int64_t quads = (arg.n + 3) / 4;
  parallel_for(quads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t quad = begin; quad < end; ++quad) {
      const Philox4 numbers =
          random_numbers(keys.seed, RandomPurpose::kDropout, keys.step, static_cast<std::uint64_t>(quad), arg.layer);
      for (std::int64_t lane = 0; lane < 4 && 4 * quad + lane < arg.n; ++lane) {
        const std::int64_t i = 4 * quad + lane;
        y[i] = uniform01(numbers.v[lane]) < arg.probability ? 0.0f : x[i] * scale;
      }
    }
  });
}

void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions, std::int64_t channels) {
  parallel_for(n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      mean_over_positions(floats(x) + i * positions * channels, floats(y) + i * channels, positions, channels);
  });
}

void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                  std::int64_t channels) {
  parallel_for(n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      spread_over_positions(floats(dy) + i * channels, floats(dx) + i * positions * channels, positions, channels);
  });
}

}  // namespace xrai::kernels::cpu
