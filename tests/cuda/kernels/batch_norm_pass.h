// One batch on its way through the CUDA kernels of batch normalisation on the emulation: its arrays, the calls, and
// what the textbook in double says about the very numbers that the kernels were given.
#pragma once

#include <algorithm>
#include <ostream>
#include <string>

#include "device_memory.h"
#include "emulation.h"
#include "kernels/batch_norm.h"
#include "tests/support/reference.h"

namespace xrai::testing {

struct NormalisationCase {
  Shape shape{};
  bool relu = false, pool = false, residual = false;
  DataType type = DataType::kFloat32;
  std::size_t offset = 0;  // of all activations behind an aligned address, in elements
  double mean = 0.3, deviation = 1.0;
};

inline std::string name_of(const NormalisationCase& c) {
  std::string name = data_type_name(c.type);
  for (const std::int64_t axis : {c.shape.n, c.shape.height, c.shape.width, c.shape.channels})
    name += "_" + std::to_string(axis);
  return name + (c.relu ? "_relu" : "") + (c.pool ? "_pool" : "") + (c.residual ? "_residual" : "") +
         (c.offset > 0 ? "_shifted" : "");
}
inline void PrintTo(const NormalisationCase& c, std::ostream* out) {
  *out << name_of(c);
}

inline Values x_of(const NormalisationCase& c) {
  return random_values(c.shape.count(), 1, c.mean - 1.7 * c.deviation, c.mean + 1.7 * c.deviation);
}

class NormalisationPass {
 public:
  explicit NormalisationPass(const NormalisationCase& given) : NormalisationPass(given, x_of(given)) {}
  NormalisationPass(const NormalisationCase& given, const Values& x_values)
      : c(given),
        shape{c.shape.n, c.shape.height, c.shape.width, c.shape.channels},
        n_out(c.pool ? c.shape.n * (c.shape.height / 2) * (c.shape.width / 2) * c.shape.channels : c.shape.count()),
        x(c.type, x_values, c.offset),
        residual(c.type, c.residual ? random_values(c.shape.count(), 2) : Values(), c.offset),
        y(c.type, static_cast<std::size_t>(n_out), c.offset),
        dy(c.type, random_values(n_out, 5), c.offset),
        dx(c.type, x_values.size(), c.offset),
        dresidual(c.type, c.residual ? x_values.size() : 0, c.offset),
        gamma(random_values(c.shape.channels, 3, -1.5, 1.5)),
        beta(random_values(c.shape.channels, 4)),
        mean(n_channels()),
        inverse(n_channels()),
        running_mean(Values(n_channels(), 0.0f)),
        running_variance(Values(n_channels(), 1.0f)),
        dgamma(n_channels()),
        dbeta(n_channels()),
        winner(static_cast<std::size_t>(c.pool ? n_out : 0), c.offset),
        workspace(static_cast<std::size_t>(kernels::batch_norm_workspace_doubles(shape))) {
    if (emulation::checks_races()) emulation::set_device_memory_check(is_device_memory);
  }
  ~NormalisationPass() {
    if (emulation::checks_races()) emulation::set_device_memory_check(nullptr);
  }
  NormalisationPass(const NormalisationPass&) = delete;
  NormalisationPass& operator=(const NormalisationPass&) = delete;

  std::size_t n_channels() const { return static_cast<std::size_t>(c.shape.channels); }
  kernels::BatchStatisticsArguments statistics_call() const {
    return {
        x.data(),        shape, 1e-5f, 0.1f, mean.data(), inverse.data(), running_mean.data(), running_variance.data(),
        workspace.data()};
  }
  kernels::BatchNormArguments forward_call() const {
    return {x.data(), c.residual ? residual.data() : nullptr, gamma.data(), beta.data(), mean.data(), inverse.data(),
            y.data(), c.pool ? winner.data() : nullptr,       shape,        c.relu,      c.pool};
  }
  kernels::BatchNormBackwardArguments backward_call() const {
    return {forward_call(), dy.data(),    dx.data(),       c.residual ? dresidual.data() : nullptr,
            dgamma.data(),  dbeta.data(), workspace.data()};
  }
  void statistics() { kernels::cuda::batch_statistics(statistics_call(), c.type, nullptr); }
  void forward() { kernels::cuda::batch_norm(forward_call(), c.type, nullptr); }
  void backward() { kernels::cuda::batch_norm_backward(backward_call(), c.type, nullptr); }
  void run() {
    statistics();
    forward();
    backward();
  }

  NormalisationReference reference() const {
    const NormalisationCall call{c.shape,
                                 widened(x.values()),
                                 widened(residual.values()),
                                 widened(gamma.values()),
                                 widened(beta.values()),
                                 1e-5f,
                                 c.relu,
                                 c.pool};
    return normalisation_reference(call, widened(dy.values()));
  }

  NormalisationCase c;
  kernels::BatchNormShape shape;
  std::int64_t n_out;
  Activations x, residual, y, dy, dx, dresidual;
  Array<float> gamma, beta, mean, inverse, running_mean, running_variance, dgamma, dbeta;
  Array<std::uint8_t> winner;
  Array<double> workspace;
};

/// A few roundings of float32 (6e-8 each) of the largest value; sums over positions are kept in double at the end.
inline constexpr double kFewRoundings = 2e-6;
/// What is stored narrow is rounded once more.
inline double storage_tolerance(DataType type) {
  return type == DataType::kFloat32 ? kFewRoundings : kFewRoundings + unit_roundoff(type);
}

}  // namespace xrai::testing
