#include "tests/support/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace xrai::testing {
namespace {

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::size_t place(const Shape& s, std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) {
  return at(((n * s.height + y) * s.width + x) * s.channels + c);
}

// Calls visit(n, oy, ox, ky, kx, iy, ix) for every place of a window that lies inside the picture.
template <class Visit>
void for_each_place(const Window& w, const Shape& in, const Shape& out, const Visit& visit) {
  for (std::int64_t n = 0; n < out.n; ++n)
    for (std::int64_t oy = 0; oy < out.height; ++oy)
      for (std::int64_t ox = 0; ox < out.width; ++ox)
        for (std::int64_t ky = 0; ky < w.kernel_height; ++ky)
          for (std::int64_t kx = 0; kx < w.kernel_width; ++kx) {
            const std::int64_t iy = oy * w.stride_height + ky - w.pad_top, ix = ox * w.stride_width + kx - w.pad_left;
            if (iy >= 0 && iy < in.height && ix >= 0 && ix < in.width) visit(n, oy, ox, ky, kx, iy, ix);
          }
}

// Calls visit(index in x, index in weights, index in y) for every product of a convolution.
template <class Visit>
void for_each_product(const ConvolutionSpec& spec, const Visit& visit) {
  const Shape out = spec.output();
  const std::int64_t per_group = spec.input.channels / spec.groups, filters_per_group = spec.filters / spec.groups;
  for_each_place(spec.window, spec.input, out, [&](auto n, auto oy, auto ox, auto ky, auto kx, auto iy, auto ix) {
    for (std::int64_t f = 0; f < spec.filters; ++f)
      for (std::int64_t c = 0; c < per_group; ++c) {
        const std::int64_t tap = (f * spec.window.kernel_height + ky) * spec.window.kernel_width + kx;
        visit(place(spec.input, n, iy, ix, (f / filters_per_group) * per_group + c), at(tap * per_group + c),
              place(out, n, oy, ox, f));
      }
  });
}

}  // namespace

ConvolutionReference convolution_reference(const ConvolutionSpec& spec, const Doubles& x, const Doubles& weights,
                                           const Doubles& bias, const Doubles& dy) {
  ConvolutionReference r;
  r.y.assign(at(spec.output().count()), 0.0);
  for (std::size_t i = 0; i < r.y.size() && !bias.empty(); ++i) r.y[i] = bias[i % bias.size()];
  for_each_product(spec, [&](auto in, auto tap, auto out) { r.y[out] += x[in] * weights[tap]; });
  Doubles g = dy;
  for (std::size_t i = 0; i < r.y.size() && spec.relu; ++i) {
    r.y[i] = std::max(r.y[i], 0.0);
    if (!g.empty() && r.y[i] == 0) g[i] = 0;
  }
  if (dy.empty()) return r;
  r.dx.assign(x.size(), 0.0);
  r.dweights.assign(weights.size(), 0.0);
  r.dbias.assign(at(spec.filters), 0.0);
  for_each_product(spec, [&](auto in, auto tap, auto out) {
    r.dx[in] += weights[tap] * g[out];
    r.dweights[tap] += x[in] * g[out];
  });
  for (std::size_t i = 0; i < g.size(); ++i) r.dbias[i % r.dbias.size()] += g[i];
  return r;
}

PoolingReference pooling_reference(const PoolingSpec& spec, const Doubles& x, const Doubles& dy) {
  const Shape out = spec.output();
  const bool max = spec.kind == PoolingKind::kMax;
  PoolingReference r;
  r.y.assign(at(out.count()), max ? -std::numeric_limits<double>::infinity() : 0.0);
  std::vector<std::size_t> winner(r.y.size(), 0), counted(r.y.size(), 0);
  const auto for_each_channel = [&](const auto& visit) {
    for_each_place(spec.window, spec.input, out, [&](auto n, auto oy, auto ox, auto, auto, auto iy, auto ix) {
      for (std::int64_t c = 0; c < out.channels; ++c) visit(place(spec.input, n, iy, ix, c), place(out, n, oy, ox, c));
    });
  };
  for_each_channel([&](std::size_t in, std::size_t o) {
    ++counted[o];
    if (!max) r.y[o] += x[in];
    if (max && x[in] > r.y[o]) r.y[o] = x[in], winner[o] = in;
  });
  for (std::size_t o = 0; o < r.y.size() && !max; ++o) r.y[o] /= static_cast<double>(counted[o]);
  if (dy.empty()) return r;
  r.dx.assign(x.size(), 0.0);
  for_each_channel([&](std::size_t in, std::size_t o) {
    if (!max) r.dx[in] += dy[o] / static_cast<double>(counted[o]);
    if (max && winner[o] == in) r.dx[in] += dy[o];
  });
  return r;
}

ConvolutionReference dense_reference(const DenseSpec& spec, const Doubles& x, const Doubles& weights,
                                     const Doubles& bias, const Doubles& dy) {
  return convolution_reference({{spec.n, 1, 1, spec.inputs}, spec.outputs, {}, 1, spec.bias, spec.relu}, x, weights,
                               bias, dy);
}

namespace {

// Mean and biased variance of every channel.
void batch_moments(const NormalisationCall& call, Doubles& mean, Doubles& variance) {
  const std::size_t channels = at(call.shape.channels);
  const auto positions = static_cast<double>(call.shape.positions());
  mean.assign(channels, 0.0);
  variance.assign(channels, 0.0);
  for (std::size_t i = 0; i < call.x.size(); ++i) mean[i % channels] += call.x[i] / positions;
  for (std::size_t i = 0; i < call.x.size(); ++i)
    variance[i % channels] += (call.x[i] - mean[i % channels]) * (call.x[i] - mean[i % channels]) / positions;
}

const PoolingSpec halving(const Shape& shape) {
  return {shape, PoolingKind::kMax, {2, 2, 2, 2, 0, 0, 0, 0}};
}

// The chain of section 3 of the paper: through xhat, variance and mean, one after the other.
void normalisation_backward(const NormalisationCall& call, const Doubles& g, NormalisationReference& r) {
  const std::size_t channels = at(call.shape.channels);
  const auto positions = static_cast<double>(call.shape.positions());
  Doubles dvariance(channels, 0.0), dmean(channels, 0.0), sum_centred(channels, 0.0);
  r.dgamma.assign(channels, 0.0);
  r.dbeta.assign(channels, 0.0);
  r.dx.assign(call.x.size(), 0.0);
  const auto deviation = [&](std::size_t c) { return std::sqrt(r.variance[c] + call.epsilon); };
  for (std::size_t i = 0; i < g.size(); ++i) {
    const std::size_t c = i % channels;
    const double centred = call.x[i] - r.mean[c], dxhat = g[i] * call.gamma[c];
    r.dgamma[c] += g[i] * centred / deviation(c);
    r.dbeta[c] += g[i];
    dvariance[c] += dxhat * centred * -0.5 / std::pow(deviation(c), 3);
    dmean[c] -= dxhat / deviation(c);
    sum_centred[c] += centred;
  }
  for (std::size_t c = 0; c < channels; ++c) dmean[c] += dvariance[c] * -2.0 * sum_centred[c] / positions;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const std::size_t c = i % channels;
    r.dx[i] = g[i] * call.gamma[c] / deviation(c) + dvariance[c] * 2.0 * (call.x[i] - r.mean[c]) / positions +
              dmean[c] / positions;
  }
}

}  // namespace

NormalisationReference normalisation_reference(const NormalisationCall& call, const Doubles& dy) {
  NormalisationReference r;
  batch_moments(call, r.mean, r.variance);
  if (!call.mean.empty()) r.mean = call.mean, r.variance = call.variance;
  const std::size_t channels = at(call.shape.channels);
  Doubles full(call.x.size());
  for (std::size_t i = 0; i < full.size(); ++i) {
    const std::size_t c = i % channels;
    full[i] = call.gamma[c] * (call.x[i] - r.mean[c]) / std::sqrt(r.variance[c] + call.epsilon) + call.beta[c];
    if (!call.residual.empty()) full[i] += call.residual[i];
    if (call.relu) full[i] = std::max(full[i], 0.0);
  }
  Doubles g = dy;
  r.y = full;
  if (call.pool) {
    const PoolingReference pooled = pooling_reference(halving(call.shape), full, dy);
    r.y = pooled.y;
    g = pooled.dx;
  }
  if (dy.empty()) return r;
  for (std::size_t i = 0; i < g.size() && call.relu; ++i)
    if (full[i] == 0) g[i] = 0;
  r.dresidual = g;
  normalisation_backward(call, g, r);
  return r;
}

Doubles global_average_reference(const Shape& shape, const Doubles& x) {
  Doubles y(at(shape.n * shape.channels), 0.0);
  for (std::int64_t n = 0; n < shape.n; ++n)
    for (std::int64_t p = 0; p < shape.height * shape.width; ++p)
      for (std::int64_t c = 0; c < shape.channels; ++c)
        y[at(n * shape.channels + c)] += x[at((n * shape.height * shape.width + p) * shape.channels + c)] /
                                         static_cast<double>(shape.height * shape.width);
  return y;
}

double loss_reference(const Doubles& logits, const std::vector<std::int32_t>& labels, const Doubles& class_weights,
                      double label_smoothing, const Doubles& log_priors) {
  const std::size_t n = labels.size(), n_logits = logits.size() / n, n_classes = n_logits == 1 ? 2 : n_logits;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    Doubles row(logits.begin() + static_cast<std::ptrdiff_t>(i * n_logits),
                logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_logits));
    if (n_logits == 1) row = {0.0, row[0]};  // a sigmoid is a softmax against zero
    for (std::size_t k = 0; k < log_priors.size(); ++k) row[k] += log_priors[k];
    const double top = *std::max_element(row.begin(), row.end());
    double total = 0;
    for (const double logit : row) total += std::exp(logit - top);
    for (std::size_t k = 0; k < n_classes; ++k) {
      const double target = label_smoothing / static_cast<double>(n_classes) +
                            (static_cast<std::size_t>(labels[i]) == k ? 1.0 - label_smoothing : 0.0);
      sum -= class_weights[at(labels[i])] * target * (row[k] - top - std::log(total));
    }
  }
  return sum / static_cast<double>(n);
}

Doubles view_reference(const std::uint8_t* pixels, const kernels::AugmentArguments& sizes, const kernels::View& view,
                       int samples) {
  const std::int64_t stored_w = sizes.stored_width, stored_h = sizes.stored_height;
  const auto pixel = [&](std::int64_t row, std::int64_t column) {
    row = std::clamp<std::int64_t>(row, 0, stored_h - 1);
    column = std::clamp<std::int64_t>(column, 0, stored_w - 1);
    return std::pow(pixels[row * stored_w + column] / 255.0, static_cast<double>(view.gamma));
  };
  Doubles out(at(sizes.height * sizes.width), 0.0);
  for (std::int64_t i = 0; i < sizes.height * samples; ++i)
    for (std::int64_t j = 0; j < sizes.width * samples; ++j) {
      const double v = (2.0 * static_cast<double>(i) + 1) / static_cast<double>(sizes.height * samples) - 1;
      const double u = (2.0 * static_cast<double>(j) + 1) / static_cast<double>(sizes.width * samples) - 1;
      const double x = ((view.m00 * u + view.m01 * v + view.tx + 1) * static_cast<double>(stored_w) - 1) / 2;
      const double y = ((view.m10 * u + view.m11 * v + view.ty + 1) * static_cast<double>(stored_h) - 1) / 2;
      const double left = std::floor(x), top = std::floor(y), fx = x - left, fy = y - top;
      const auto column = static_cast<std::int64_t>(left), row = static_cast<std::int64_t>(top);
      out[at((i / samples) * sizes.width + j / samples)] +=
          ((1 - fy) * ((1 - fx) * pixel(row, column) + fx * pixel(row, column + 1)) +
           fy * ((1 - fx) * pixel(row + 1, column) + fx * pixel(row + 1, column + 1))) /
          (samples * samples);
    }
  double mean = 0;
  for (const double grey : out) mean += grey / static_cast<double>(out.size());
  for (double& grey : out)
    grey = (std::clamp((grey - mean) * view.contrast + mean + view.brightness, 0.0, 1.0) - sizes.view.mean) /
           sizes.view.deviation;
  return out;
}

Doubles numerical_gradient(const std::function<double(const Doubles&)>& f, Doubles x, double step) {
  Doubles gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double here = x[i];
    x[i] = here + step;
    const double above = f(x);
    x[i] = here - step;
    gradient[i] = (above - f(x)) / (2 * step);
    x[i] = here;
  }
  return gradient;
}

}  // namespace xrai::testing
