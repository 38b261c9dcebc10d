// Gradients of a whole network on a device against central differences of the same network in double. The differences
// are taken of the reference and not of the device: in float32 a step small enough to stay on one side of the ReLUs'
// kinks would drown in rounding.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/nn/model.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"
#include "tests/support/reference_network.h"

namespace xrai::testing {

/// One batch of a model in training: pictures, labels, and what the loss does with them.
class GradientChecker {
 public:
  GradientChecker(Model& model, std::int64_t n) : model_(model), n_(n), plan_(model.prepare(n, true)) {
    x_ = random_values(model.picture().count() * n, 91);
    Random random(92);
    for (std::int64_t i = 0; i < n; ++i)
      labels_.push_back(static_cast<std::int32_t>(random.whole(0, model.n_classes() - 1)));
    class_weights_ = random_values(model.n_classes(), 93, 0.5, 1.5);
    run();
  }

  void run() {
    std::copy(x_.begin(), x_.end(), static_cast<float*>(plan_.input()));
    plan_.forward(kContext);
    const auto* logits = static_cast<const float*>(plan_.logits());
    logits_.assign(logits, logits + n_ * model_.n_logits());
    kernels::LossResult result;
    model_.device().loss({plan_.logits(), labels_.data(), class_weights_.data(), plan_.logit_gradients(), &result, n_,
                          model_.n_logits(), kSmoothing});
    plan_.backward(kContext);
    const Parameters& parameters = model_.parameters();
    gradients_.assign(model_.parameters().gradients(), model_.parameters().gradients() + parameters.count());
  }

  [[nodiscard]] const Values& gradients() const { return gradients_; }

  /// Float32 through a dozen layers: some tens of roundings, magnified where a normalisation divides by a small
  /// deviation.
  void expect_logits(double tolerance = 2e-5) const {
    expect_near(logits_, network_reference(model_, parameters_of(model_), widened(x_), n_, true, kContext), tolerance,
                "logits");
  }

  /// For every parameter tensor the derivative along a random direction and along the gradient itself.
  void expect_gradients(double tolerance = 2e-4) const {
    std::uint64_t stream = 1000;
    for (const ParameterSpec& spec : model_.parameters().specs()) {
      const auto first = gradients_.begin() + spec.offset;
      const Doubles gradient(first, first + spec.count());
      const Doubles random = widened(random_values(spec.count(), ++stream));
      expect_derivative(spec.name, gradient, random, tolerance);
      if (norm(gradient) > 1e-5) expect_derivative(spec.name, gradient, gradient, tolerance);
    }
  }

 private:
  static constexpr kernels::StepNumbers kNumbers{17, 0, 4};
  static constexpr StepContext kContext = &kNumbers;
  static constexpr float kSmoothing = 0.1f;

  static double norm(const Doubles& v) {
    double squares = 0;
    for (const double value : v) squares += value * value;
    return std::sqrt(squares);
  }

  [[nodiscard]] double loss_at(const std::string& name, const Doubles& direction, double step) const {
    NamedDoubles parameters = parameters_of(model_);
    Doubles& moved = parameters.at(name);
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
    const Doubles logits = network_reference(model_, parameters, widened(x_), n_, true, kContext);
    return loss_reference(logits, labels_, widened(class_weights_), kSmoothing);
  }

  void expect_derivative(const std::string& name, const Doubles& gradient, const Doubles& direction,
                         double tolerance) const {
    const double length = norm(direction), step = 1e-6 / length;
    const double numerical = (loss_at(name, direction, step) - loss_at(name, direction, -step)) / (2 * step);
    double analytic = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) analytic += gradient[i] * direction[i];
    // Relative to the largest this derivative could be; the floor is for gradients that are zero but for rounding (a
    // bias in front of a normalisation).
    EXPECT_NEAR(analytic, numerical, length * (tolerance * norm(gradient) + 1e-5)) << name;
  }

  Model& model_;
  std::int64_t n_;
  ModelPlan& plan_;
  Values x_, class_weights_, logits_, gradients_;
  std::vector<std::int32_t> labels_;
};

}  // namespace xrai::testing
