// Runs pictures through a network in evaluation form: running statistics, no augmentation, whole batches.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "runtime/core/batch.h"
#include "runtime/nn/model.h"
#include "runtime/train/settings.h"

namespace xrai {

/// Probabilities of one pass over a source, in its order.
struct Scores {
  std::vector<std::int32_t> labels;      // (n)
  std::vector<std::int64_t> sample_ids;  // (n)
  std::vector<float> probabilities;      // (n, classes)
  /// Mean over the pictures of class weight times -ln p(true class), as the training loss has it (kernels/loss.h) but
  /// for smoothed labels. log_priors: one a class, or none.
  [[nodiscard]] double loss(const std::vector<float>& class_weights, const std::vector<float>& log_priors = {}) const;
  [[nodiscard]] double accuracy(std::int64_t n_classes) const;
  /// Macro one-vs-rest for more than two classes; absent while a class has no picture.
  [[nodiscard]] std::optional<double> mean_auroc(std::int64_t n_classes) const;
};

/// The view that scoring has of stored pictures, in the device's memory: no ranges, the settings of `input`.
/// sample_ids, out and rows are the caller's to fill in.
kernels::AugmentArguments evaluation_view(const InputSettings& input, const std::uint8_t* pixels, std::int64_t n,
                                          std::int64_t height, std::int64_t width);

class Scorer {
 public:
  Scorer(Model& model, const InputSettings& input, std::int64_t batch_size);

  /// Every picture of the source once, unless `stop` says to leave off between two batches.
  Scores score(BatchSource& source, const std::function<bool()>& stop = {});
  /// pixels: (n, height, width); appends (n, classes) probabilities. n is at most the batch size.
  void score(const std::uint8_t* pixels, std::int64_t n, std::int64_t height, std::int64_t width,
             std::vector<float>& probabilities);

 private:
  void score_resident(const std::uint8_t* resident, std::span<const std::int64_t> rows, std::int64_t height,
                      std::int64_t width, std::vector<float>& probabilities);
  // Both pointers are the device's; rows may be null, as in kernels::AugmentArguments.
  void compute(const std::uint8_t* pixels, const std::int64_t* rows, std::int64_t n, std::int64_t height,
               std::int64_t width, std::vector<float>& probabilities);

  Model& model_;
  InputSettings input_;
  std::int64_t batch_size_;
  Buffer pixels_, sample_ids_, probabilities_;
};

}  // namespace xrai
