#include "runtime/train/scorer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/train/metrics.h"

namespace xrai {

double Scores::loss(const std::vector<float>& class_weights, const std::vector<float>& log_priors) const {
  const std::size_t classes = class_weights.size();
  std::vector<double> priors(classes, 1.0);
  for (std::size_t c = 0; c < log_priors.size(); ++c) priors[c] = std::exp(static_cast<double>(log_priors[c]));
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    const float* said = &probabilities[i * classes];
    double p = said[label];
    if (!log_priors.empty()) p *= priors[label] / std::inner_product(priors.begin(), priors.end(), said, 0.0);
    // The floor keeps one certain mistake from making the mean infinite; a NaN stays one.
    sum -= class_weights[label] * std::log(p < 1e-12 ? 1e-12 : p);
  }
  return labels.empty() ? 0.0 : sum / static_cast<double>(labels.size());
}

double Scores::accuracy(std::int64_t n_classes) const {
  const std::vector<std::int32_t> said = decide(probabilities, n_classes);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < said.size(); ++i) right += said[i] == labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(std::max<std::size_t>(1, said.size()));
}

std::optional<double> Scores::mean_auroc(std::int64_t n_classes) const {
  double sum = 0;
  const std::int64_t first = n_classes == 2 ? 1 : 0;
  for (std::int64_t c = first; c < n_classes; ++c) {
    std::vector<float> probability;
    std::vector<std::uint8_t> positive;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      probability.push_back(probabilities[i * static_cast<std::size_t>(n_classes) + static_cast<std::size_t>(c)]);
      positive.push_back(labels[i] == c ? 1 : 0);
    }
    const std::optional<double> one = RankedScores(probability, positive).auroc();
    if (!one) return std::nullopt;
    sum += *one;
  }
  return sum / static_cast<double>(n_classes - first);
}

kernels::AugmentArguments evaluation_view(const InputSettings& input, const std::uint8_t* pixels, std::int64_t n,
                                          std::int64_t height, std::int64_t width) {
  kernels::AugmentArguments view;
  view.pixels = pixels;
  view.n = n;
  view.stored_height = height;
  view.stored_width = width;
  view.height = view.width = input.image_size;
  view.view = input.view;
  return view;
}

Scorer::Scorer(Model& model, const InputSettings& input, std::int64_t batch_size)
    : model_(model), input_(input), batch_size_(batch_size) {
  Device& device = model.device();
  sample_ids_ = device.allocate(static_cast<std::size_t>(batch_size) * sizeof(std::int64_t));
  probabilities_ = device.allocate(static_cast<std::size_t>(batch_size * model.n_classes()) * sizeof(float));
}

void Scorer::score(const std::uint8_t* pixels, std::int64_t n, std::int64_t height, std::int64_t width,
                   std::vector<float>& probabilities) {
  Device& device = model_.device();
  const auto bytes = static_cast<std::size_t>(batch_size_ * height * width);
  if (pixels_.size_bytes() < bytes) pixels_ = device.allocate(bytes);
  {
    const Span upload(device.trace(), "upload");
    device.upload(pixels_.data(), pixels, static_cast<std::size_t>(n * height * width), Queue::kCompute);
  }
  compute(pixels_.as<std::uint8_t>(), nullptr, n, height, width, probabilities);
}

void Scorer::score_resident(const std::uint8_t* resident, std::span<const std::int64_t> rows, std::int64_t height,
                            std::int64_t width, std::vector<float>& probabilities) {
  {
    const Span upload(model_.device().trace(), "upload");
    model_.device().upload(sample_ids_.data(), rows.data(), rows.size_bytes(), Queue::kCompute);
  }
  compute(resident, sample_ids_.as<std::int64_t>(), static_cast<std::int64_t>(rows.size()), height, width,
          probabilities);
}

void Scorer::compute(const std::uint8_t* pixels, const std::int64_t* rows, std::int64_t n, std::int64_t height,
                     std::int64_t width, std::vector<float>& probabilities) {
  Device& device = model_.device();
  ModelPlan& plan = model_.prepare(batch_size_, false);
  // A last batch that is smaller leaves old pictures behind it: they are computed and not looked at.
  kernels::AugmentArguments view = evaluation_view(input_, pixels, n, height, width);
  view.rows = rows;
  view.sample_ids = sample_ids_.as<std::int64_t>();
  view.out = plan.input();
  {
    const Span augment(device.trace(), "augment");
    device.augment(view);
  }
  plan.forward({});
  device.probabilities({plan.logits(), probabilities_.as<float>(), n, model_.n_logits()});
  const std::size_t before = probabilities.size(), count = static_cast<std::size_t>(n * model_.n_classes());
  probabilities.resize(before + count);
  const Span download(device.trace(), "download");
  device.download(probabilities.data() + before, probabilities_.data(), count * sizeof(float));
}

Scores Scorer::score(BatchSource& source, const std::function<bool()>& stop) {
  Trace* trace = model_.device().trace();
  const Span evaluate(trace, "evaluate");
  const auto next = [&](Batch& batch) {
    const Span wait(trace, "wait-for-data");
    return source.next(batch);
  };
  Scores scores;
  source.start_epoch({0, 0});
  Batch batch;
  while (!(stop && stop()) && next(batch)) {
    for (std::int64_t first = 0; first < batch.n_images; first += batch_size_) {
      const std::int64_t n = std::min(batch_size_, batch.n_images - first);
      if (batch.resident != nullptr)
        score_resident(batch.resident,
                       batch.sample_ids.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(n)),
                       batch.height, batch.width, scores.probabilities);
      else
        score(batch.pixels + first * batch.height * batch.width, n, batch.height, batch.width, scores.probabilities);
    }
    scores.labels.insert(scores.labels.end(), batch.labels.begin(), batch.labels.end());
    scores.sample_ids.insert(scores.sample_ids.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    source.release(batch);
  }
  return scores;
}

}  // namespace xrai
