// CPU twin of the losses. A batch has a few hundred logits: double arithmetic on one core costs microseconds.
#include "kernels/loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/activations.h"

namespace xrai::kernels::cpu {
namespace {

// log(1 + exp(-|x|)) never overflows; the rest is linear in x.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double sigmoid(double x) {
  return x >= 0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x));
}

// The gradient is of the mean over the batch, times the loss scale.
double gradient_scale(const LossArguments& arg) {
  return (arg.scale != nullptr ? static_cast<double>(arg.scale->scale) : 1.0) / static_cast<double>(arg.n);
}

void binary_loss(const LossArguments& arg, LossResult& result) {
  const double scale = gradient_scale(arg);
  const double prior = arg.log_priors != nullptr ? static_cast<double>(arg.log_priors[1]) - arg.log_priors[0] : 0.0;
  const auto* logits = floats(arg.logits);
  auto* dlogits = floats(arg.dlogits);
  for (std::int64_t i = 0; i < arg.n; ++i) {
    const double logit = logits[i] + prior;
    const int label = arg.labels[i];
    const double target = (1.0 - arg.label_smoothing) * label + 0.5 * arg.label_smoothing;
    const double weight = arg.class_weights[label];
    result.loss_sum += weight * (softplus(logit) - target * logit);
    result.n_correct += (logits[i] > 0) == (label == 1) ? 1 : 0;
    if (dlogits != nullptr) dlogits[i] = static_cast<float>(scale * weight * (sigmoid(logit) - target));
  }
}

// Of a row of logits to which the logarithms of the priors, all at most 0, are added where there are any.
double log_sum_exp(const float* row, std::int64_t classes, const float* log_priors = nullptr) {
  const double top = *std::max_element(row, row + classes);
  double sum = 0;
  for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - top + (log_priors ? log_priors[k] : 0.0));
  return top + std::log(sum);
}

void softmax_loss(const LossArguments& arg, LossResult& result) {
  const std::int64_t classes = arg.n_logits;
  const double scale = gradient_scale(arg);
  auto* dlogits = floats(arg.dlogits);
  const double floor = arg.label_smoothing / static_cast<double>(classes);
  for (std::int64_t i = 0; i < arg.n; ++i) {
    const float* row = floats(arg.logits) + i * classes;
    const int label = arg.labels[i];
    const double weight = arg.class_weights[label];
    const double normaliser = log_sum_exp(row, classes, arg.log_priors);
    for (std::int64_t k = 0; k < classes; ++k) {
      const double target = floor + (k == label ? 1.0 - arg.label_smoothing : 0.0);
      const double log_probability = row[k] + (arg.log_priors ? arg.log_priors[k] : 0.0) - normaliser;
      result.loss_sum -= weight * target * log_probability;
      if (dlogits != nullptr)
        dlogits[i * classes + k] = static_cast<float>(scale * weight * (std::exp(log_probability) - target));
    }
    result.n_correct += std::max_element(row, row + classes) - row == label ? 1 : 0;
  }
}

}  // namespace

void loss(const LossArguments& arg) {
  LossResult& result = arg.results[arg.numbers != nullptr ? arg.numbers->result_slot : 0];
  result = LossResult{};
  if (arg.n_logits == 1)
    binary_loss(arg, result);
  else
    softmax_loss(arg, result);
}

void probabilities(const ProbabilityArguments& arg) {
  const auto* logits = floats(arg.logits);
  for (std::int64_t i = 0; i < arg.n; ++i) {
    if (arg.n_logits == 1) {
      const double p = sigmoid(logits[i]);
      arg.probabilities[2 * i] = static_cast<float>(1.0 - p);
      arg.probabilities[2 * i + 1] = static_cast<float>(p);
      continue;
    }
    const float* row = logits + i * arg.n_logits;
    const double normaliser = log_sum_exp(row, arg.n_logits);
    for (std::int64_t k = 0; k < arg.n_logits; ++k)
      arg.probabilities[i * arg.n_logits + k] = static_cast<float>(std::exp(row[k] - normaliser));
  }
}

}  // namespace xrai::kernels::cpu
