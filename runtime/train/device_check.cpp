#include "runtime/train/device_check.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "kernels/philox.h"
#include "runtime/core/error.h"
#include "runtime/nn/model.h"
#include "runtime/train/optimiser.h"

namespace xrai {
namespace {

// Gradients that are next to nothing everywhere have no meaningful relative error.
constexpr double kSmallestNorm = 1e-3;
constexpr float kCheckedScale = 1024;  // of a float16 loss: large enough, and far from overflow

using Floats = std::vector<float>;

/// A network on one device with all that a step needs; the pictures are noise that depends on the seed only.
class Subject {
 public:
  Subject(Device& device, const CheckSettings& settings)
      : device_(device),
        settings_(settings),
        model_(device, settings.model, {1, settings.size, settings.size, 1}, 2),
        optimiser_(device, model_.parameters(), {}),
        plan_(model_.prepare(settings.batch_size, true)) {
    model_.parameters().initialise(settings.seed);
    if (optimiser_.loss_scale() != nullptr) optimiser_.set_loss_scale({kCheckedScale});
    const auto n = static_cast<std::size_t>(settings.batch_size);
    numbers_ = device.allocate(sizeof(kernels::StepNumbers));
    result_ = device.allocate(sizeof(kernels::LossResult));
    probabilities_ = device.allocate(2 * n * sizeof(float));
    put_pictures(n);
  }

  /// Forward, loss, backward; the mean loss.
  double compute(std::uint64_t step) {
    const kernels::StepNumbers numbers{settings_.seed, 0, step, 0, 1e-3f};
    device_.upload(numbers_.data(), &numbers, sizeof numbers, Queue::kCompute);
    const auto* at = numbers_.as<kernels::StepNumbers>();
    const std::int64_t n = settings_.batch_size, size = settings_.size;
    device_.augment({pixels_.as<std::uint8_t>(),
                     nullptr,
                     ids_.as<std::int64_t>(),
                     plan_.input(),
                     n,
                     size,
                     size,
                     size,
                     size,
                     {},
                     {10, 0.1f, 0.05f, 0.05f, 0.2f, 0.2f, 0.05f, 0},
                     at});
    optimiser_.begin_step();
    plan_.forward(at);
    device_.probabilities({plan_.logits(), probabilities_.as<float>(), n, model_.n_logits()});
    device_.loss({plan_.logits(), labels_.as<std::int32_t>(), weights_.as<float>(), plan_.logit_gradients(),
                  result_.as<kernels::LossResult>(), n, model_.n_logits(), 0, at, optimiser_.loss_scale()});
    plan_.backward(at);
    kernels::LossResult result;
    device_.download(&result, result_.data(), sizeof result);
    return result.loss_sum / static_cast<double>(n);
  }
  void update() { optimiser_.step(numbers_.as<kernels::StepNumbers>()); }

  Floats probabilities() { return floats(probabilities_.as<float>(), 2 * settings_.batch_size); }
  Floats statistics() { return floats(model_.parameters().statistics(), model_.parameters().statistics_count()); }
  std::map<std::string, Floats> gradients() {
    auto slices = slices_of(model_.parameters().gradients());
    if (optimiser_.loss_scale() != nullptr)
      for (auto& [name, slice] : slices)
        for (float& value : slice) value /= kCheckedScale;
    return slices;
  }
  // All together: AdamW takes steps of one size into the direction of a gradient that may be next to nothing, so that a
  // bias by itself says little.
  Floats parameters() { return floats(model_.parameters().values(), model_.parameters().count()); }

 private:
  void put_pictures(std::size_t n) {
    const auto put = [&](const auto& values) {
      Buffer buffer = device_.allocate(values.size() * sizeof(values[0]));
      device_.upload(buffer.data(), values.data(), buffer.size_bytes(), Queue::kCompute);
      device_.synchronize();
      return buffer;
    };
    std::vector<std::uint8_t> pixels(n * static_cast<std::size_t>(settings_.size * settings_.size));
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = static_cast<std::uint8_t>(
          kernels::random_numbers(settings_.seed, kernels::RandomPurpose::kSplit, 0, i).v[0] >> 24);
    std::vector<std::int64_t> ids(n);
    std::vector<std::int32_t> labels(n);
    for (std::size_t i = 0; i < n; ++i)
      ids[i] = static_cast<std::int64_t>(i), labels[i] = static_cast<std::int32_t>(i % 2);
    pixels_ = put(pixels);
    ids_ = put(ids);
    labels_ = put(labels);
    weights_ = put(Floats{1, 1});
  }
  Floats floats(const float* from, std::int64_t count) {
    Floats values(static_cast<std::size_t>(count));
    device_.download(values.data(), from, values.size() * sizeof(float));
    return values;
  }
  std::map<std::string, Floats> slices_of(const float* arena) {
    std::map<std::string, Floats> slices;
    for (const ParameterSpec& spec : model_.parameters().specs())
      slices[spec.name] = floats(arena + spec.offset, spec.count());
    return slices;
  }

  Device& device_;
  CheckSettings settings_;
  Model model_;
  Optimiser optimiser_;
  ModelPlan& plan_;
  Buffer pixels_, ids_, labels_, weights_, numbers_, result_, probabilities_;
};

double norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

CheckedTensor compare(std::string what, const Floats& tested, const Floats& reference, double bound) {
  std::vector<double> differences, wanted(reference.begin(), reference.end());
  double largest = 1e-30;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    differences.push_back(std::abs(static_cast<double>(tested[i]) - wanted[i]));
    largest = std::max(largest, std::abs(wanted[i]));
  }
  CheckedTensor checked{std::move(what), 0, 0, 0, norm(differences) / std::max(norm(wanted), kSmallestNorm), bound};
  if (differences.empty()) return checked;
  // NaN must not get into a sort.
  for (double& difference : differences) difference = std::isnan(difference) ? INFINITY : difference / largest;
  std::sort(differences.begin(), differences.end());
  const auto at = [&](double part) {
    return differences[static_cast<std::size_t>(part * static_cast<double>(differences.size() - 1))];
  };
  checked.median = at(0.5);
  checked.percentile99 = at(0.99);
  checked.largest = differences.back();
  return checked;
}

}  // namespace

CheckBounds check_bounds(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return {1e-4, 1e-3, 0.01};
    case Precision::kTf32:
      return {5e-3, 5e-2, 0.02};
    case Precision::kFloat16:
      return {1e-2, 0.25, 0.05};
    case Precision::kBfloat16:
    case Precision::kInt8:  // never comes here: what is checked trains
      break;
  }
  return {5e-2, 0.6, 0.05};
}

bool DeviceCheck::holds() const {
  return std::all_of(tensors.begin(), tensors.end(), [](const CheckedTensor& tensor) { return tensor.holds(); });
}

DeviceCheck check_device(Device& tested, Device& reference, const CheckSettings& settings, const CheckBounds& bounds) {
  Subject subject(tested, settings), expected(reference, settings);
  DeviceCheck check;
  const auto add = [&](const std::string& what, const Floats& a, const Floats& b, double bound) {
    check.tensors.push_back(compare(what, a, b, bound));
  };
  const auto add_all = [&](const std::string& what, const auto& a, const auto& b, double bound) {
    for (const auto& [name, values] : b) add(what + " of " + name, a.at(name), values, bound);
  };
  for (std::int64_t step = 0; step < settings.steps; ++step) {
    check.losses.push_back(subject.compute(static_cast<std::uint64_t>(step)));
    check.reference_losses.push_back(expected.compute(static_cast<std::uint64_t>(step)));
    if (step == 0) {
      add("probabilities", subject.probabilities(), expected.probabilities(), bounds.forward);
      add("running statistics", subject.statistics(), expected.statistics(), bounds.forward);
      add_all("gradient", subject.gradients(), expected.gradients(), bounds.gradient);
    }
    subject.update();
    expected.update();
  }
  add(fmt::format("all parameters after {} steps", settings.steps), subject.parameters(), expected.parameters(),
      bounds.after_steps);
  return check;
}

}  // namespace xrai
