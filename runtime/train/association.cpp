// See association.h.
#include "runtime/train/association.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "runtime/train/mid_ranks.h"

namespace xrai {
namespace {

std::optional<double> pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  return std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
}

double log_choose(std::int64_t n, std::int64_t k) {
  const auto log_factorial = [](std::int64_t i) { return std::lgamma(static_cast<double>(i) + 1.0); };
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k);
}

double fisher_p(const Rate& a, const Rate& b) {
  const std::int64_t hits = a.hits + b.hits, all = a.of + b.of;
  const auto log_probability = [&](std::int64_t hits_a) {
    return log_choose(a.of, hits_a) + log_choose(b.of, hits - hits_a) - log_choose(all, hits);
  };
  // Tables that are equally probable differ by rounding; SciPy and R allow for 1e-7, too.
  const double limit = log_probability(a.hits) + 1e-7;
  double p = 0;
  for (std::int64_t i = std::max<std::int64_t>(0, hits - b.of); i <= std::min(a.of, hits); ++i)
    if (log_probability(i) <= limit) p += std::exp(log_probability(i));
  return std::min(p, 1.0);
}

/// sum of x^n / (a (a+1) ... (a+n)), converges fast for x < a + 1.
double lower_series(double a, double x) {
  double term = 1.0 / a, sum = term;
  for (double n = a + 1.0; std::abs(term) > 1e-16 * std::abs(sum); n += 1.0) {
    term *= x / n;
    sum += term;
  }
  return sum * std::exp(a * std::log(x) - x - std::lgamma(a));
}

/// Lentz's evaluation of the continued fraction, for x >= a + 1.
double upper_fraction(double a, double x) {
  constexpr double kTiny = std::numeric_limits<double>::min() / 1e-16;
  double b = x + 1.0 - a, c = 1.0 / kTiny, d = 1.0 / b, h = d;
  for (int i = 1; i < 10000; ++i) {
    const double an = -i * (i - a);
    b += 2.0;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1.0 / d;
    h *= d * c;
    if (std::abs(d * c - 1.0) < 1e-16) break;
  }
  return h * std::exp(a * std::log(x) - x - std::lgamma(a));
}

}  // namespace

std::optional<Correlation> spearman_correlation(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) throw std::invalid_argument("a correlation needs pairs");
  if (x.size() < 4) return std::nullopt;
  const std::optional<double> r = pearson(mid_ranks(x), mid_ranks(y));
  if (!r) return std::nullopt;
  const double z = std::atanh(*r);  // infinite for a perfect correlation, whose interval is then a point
  const double reach = kZ95 * std::sqrt((1.0 + 0.5 * *r * *r) / (static_cast<double>(x.size()) - 3.0));
  return Correlation{*r, {std::tanh(z - reach), std::tanh(z + reach)}};
}

std::optional<IndependenceTest> rates_differ(std::span<const Rate> groups) {
  std::vector<Rate> there;
  Rate all;
  for (const Rate& rate : groups) {
    if (rate.of == 0) continue;
    there.push_back(rate);
    all.hits += rate.hits;
    all.of += rate.of;
  }
  if (there.size() < 2 || all.hits == 0 || all.hits == all.of) return std::nullopt;
  if (there.size() == 2) return IndependenceTest{fisher_p(there[0], there[1]), "fisher"};
  const double share = *all.value();
  double chi_square = 0;
  for (const Rate& rate : there) {
    const double n = static_cast<double>(rate.of), off = static_cast<double>(rate.hits) - n * share;
    chi_square += off * off / (n * share) + off * off / (n * (1.0 - share));
  }
  return IndependenceTest{chi_square_tail(chi_square, static_cast<std::int64_t>(there.size()) - 1), "chi_square"};
}

double chi_square_tail(double value, std::int64_t degrees) {
  if (value <= 0) return 1.0;
  const double a = 0.5 * static_cast<double>(degrees), x = 0.5 * value;
  return x < a + 1.0 ? 1.0 - lower_series(a, x) : upper_fraction(a, x);
}

}  // namespace xrai
