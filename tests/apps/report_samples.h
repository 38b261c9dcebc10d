// Made-up runs and predictions for the tests of charts and reports.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "apps/report/report.h"
#include "kernels/philox.h"

namespace xrai {

inline std::vector<EpochRecord> sample_history(std::int64_t n_epochs) {
  std::vector<EpochRecord> history;
  for (std::int64_t e = 1; e <= n_epochs; ++e) {
    const double done = static_cast<double>(e) / static_cast<double>(n_epochs);
    EpochRecord r;
    r.epoch = e;
    r.step = 69 * e;
    r.train_loss = 0.6 * std::exp(-3.0 * done) + 0.03;
    r.train_accuracy = 0.99 - 0.2 * std::exp(-3.0 * done);
    r.val_loss = 0.5 * std::exp(-4.0 * done) + 0.07 + 0.03 * done;
    r.val_accuracy = 0.97 - 0.2 * std::exp(-4.0 * done);
    r.val_auroc = 0.993 - 0.08 * std::exp(-5.0 * done);
    r.learning_rate = 1e-3;
    r.images_per_second = 250.0;
    r.seconds = 17.0;
    history.push_back(r);
  }
  return history;
}

inline Predictions sample_predictions(std::int64_t n, std::vector<std::string> classes) {
  Predictions p;
  p.classes = std::move(classes);
  const auto k = static_cast<std::uint32_t>(p.classes.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const auto numbers = kernels::random_numbers(5, kernels::RandomPurpose::kSplit, 0, static_cast<std::uint64_t>(i));
    const auto label = static_cast<std::int32_t>(numbers.v[0] % k);
    const float sure = 0.25f + 0.7f * kernels::uniform01(numbers.v[1]);
    p.labels.push_back(label);
    for (std::uint32_t c = 0; c < k; ++c) {
      p.probabilities.push_back(static_cast<std::int32_t>(c) == label ? sure
                                                                      : (1.0f - sure) / static_cast<float>(k - 1));
    }
    p.groups.push_back("person" + std::to_string(i / 2));
    p.sources.push_back((label == 0 ? "NORMAL/IM-" : "PNEUMONIA/person") + std::to_string(100 + i) +
                        (label == 0 ? "-0001.jpeg" : "_virus_7.jpeg"));
  }
  return p;
}

inline ReportInput sample_report(const std::vector<std::string>& classes = {"NORMAL", "PNEUMONIA"}) {
  ReportInput input;
  input.title = "xrai: first";
  input.checkpoint = "runs/first/checkpoints/best.h5";
  input.data_file = "chest.h5";
  input.split = "test";
  input.history = sample_history(12);
  input.predictions = sample_predictions(120, classes);
  input.evaluation = evaluate(input.predictions, {.n_resamples = 200});
  input.mistakes = most_confident_mistakes(input.predictions, 0.5, 5);
  for (Mistake& m : input.mistakes) {
    m.width = 48;
    m.height = 40;
    for (std::int64_t i = 0; i < m.width * m.height; ++i) m.pixels.push_back(static_cast<std::uint8_t>(i % 251));
  }
  input.config_toml = "[training]\nepochs = 12\n";
  input.env_json = "{\"version\": \"0.1.0\"}\n";
  return input;
}

}  // namespace xrai
