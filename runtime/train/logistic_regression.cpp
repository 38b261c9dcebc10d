// See logistic_regression.h.
#include "runtime/train/logistic_regression.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace xrai {
namespace {

double sigmoid(double x) {
  return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x));
}

/// ln(1 + e^x) without overflow.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

/// Solves A x = b for a symmetric positive definite A, (n, n), by Cholesky's decomposition.
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

/// x: (n, width), its first column ones. theta: (width).
double log_odds(const std::vector<double>& x, std::size_t row, const std::vector<double>& theta) {
  double sum = 0;
  for (std::size_t j = 0; j < theta.size(); ++j) sum += x[row * theta.size() + j] * theta[j];
  return sum;
}

/// Newton's step: (X'WX + ridge) step = X'(y - p) - ridge theta.
std::vector<double> newton_step(const std::vector<double>& x, std::span<const std::uint8_t> positive, double ridge,
                                const std::vector<double>& theta) {
  const std::size_t width = theta.size();
  std::vector<double> hessian(width * width), gradient(width);
  for (std::size_t i = 0; i < positive.size(); ++i) {
    const double p = sigmoid(log_odds(x, i, theta)), off = (positive[i] != 0 ? 1.0 : 0.0) - p;
    for (std::size_t j = 0; j < width; ++j) {
      gradient[j] += off * x[i * width + j];
      for (std::size_t k = 0; k <= j; ++k)
        hessian[j * width + k] += p * (1.0 - p) * x[i * width + j] * x[i * width + k];
    }
  }
  for (std::size_t j = 0; j < width; ++j) {
    // The intercept is not held back; a trace keeps the matrix regular when all rows are of one class.
    const double held = j == 0 ? 1e-9 : ridge;
    gradient[j] -= held * theta[j];
    hessian[j * width + j] += held;
  }
  return solve(std::move(hessian), std::move(gradient));
}

}  // namespace

LogisticRegression::LogisticRegression(const FeatureTable& features, std::span<const std::uint8_t> positive,
                                       double ridge) {
  const auto n = static_cast<std::size_t>(features.n_rows()), columns = static_cast<std::size_t>(features.n_columns);
  if (n == 0 || n != positive.size() || n * columns != features.values.size())
    throw std::invalid_argument("a logistic regression needs rows of figures and as many labels");
  means_.assign(columns, 0.0);
  deviations_.assign(columns, 0.0);
  for (std::size_t i = 0; i < n * columns; ++i) means_[i % columns] += features.values[i] / static_cast<double>(n);
  for (std::size_t i = 0; i < n * columns; ++i) {
    const double off = features.values[i] - means_[i % columns];
    deviations_[i % columns] += off * off / static_cast<double>(n);
  }
  for (std::size_t j = 0; j < columns; ++j) {
    const double deviation = std::sqrt(deviations_[j]);
    // What a sum's rounding leaves of a constant is no spread.
    deviations_[j] = deviation > 1e-9 * std::max(1.0, std::abs(means_[j])) ? deviation : 0.0;
  }
  const std::vector<double> x = standardised(features);
  std::vector<double> theta(columns + 1, 0.0);
  double best = objective(x, positive, ridge, theta);
  for (int iteration = 0; iteration < 50; ++iteration) {
    const std::vector<double> step = newton_step(x, positive, ridge, theta);
    double reached = best;
    for (double length = 1.0; length > 1e-6; length *= 0.5) {
      std::vector<double> candidate = theta;
      for (std::size_t j = 0; j < theta.size(); ++j) candidate[j] += length * step[j];
      reached = objective(x, positive, ridge, candidate);
      if (reached <= best) {
        theta = std::move(candidate);
        break;
      }
    }
    const double gain = best - reached;
    best = std::min(best, reached);
    if (gain <= 1e-12 * std::abs(best)) break;
  }
  intercept_ = theta[0];
  weights_.assign(theta.begin() + 1, theta.end());
}

std::vector<double> LogisticRegression::standardised(const FeatureTable& features) const {
  const std::size_t columns = means_.size();
  std::vector<double> x;
  x.reserve(features.values.size() + static_cast<std::size_t>(features.n_rows()));
  for (std::size_t i = 0; i < features.values.size(); ++i) {
    const std::size_t j = i % columns;
    if (j == 0) x.push_back(1.0);
    x.push_back(deviations_[j] == 0 ? 0.0 : (features.values[i] - means_[j]) / deviations_[j]);
  }
  return x;
}

double LogisticRegression::objective(const std::vector<double>& x, std::span<const std::uint8_t> positive, double ridge,
                                     const std::vector<double>& candidate) const {
  double loss = 0.5e-9 * candidate[0] * candidate[0];
  for (std::size_t j = 1; j < candidate.size(); ++j) loss += 0.5 * ridge * candidate[j] * candidate[j];
  for (std::size_t i = 0; i < positive.size(); ++i) {
    const double z = log_odds(x, i, candidate);
    loss += positive[i] != 0 ? softplus(-z) : softplus(z);
  }
  return loss;
}

std::vector<float> LogisticRegression::probabilities(const FeatureTable& features) const {
  if (static_cast<std::size_t>(features.n_columns) != weights_.size())
    throw std::invalid_argument("a logistic regression scores the columns that it was fitted to");
  const std::vector<double> x = standardised(features);
  std::vector<double> theta{intercept_};
  theta.insert(theta.end(), weights_.begin(), weights_.end());
  std::vector<float> result;
  for (std::int64_t i = 0; i < features.n_rows(); ++i)
    result.push_back(static_cast<float>(sigmoid(log_odds(x, static_cast<std::size_t>(i), theta))));
  return result;
}

}  // namespace xrai
