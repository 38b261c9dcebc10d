// Grad-CAM: where in a picture the evidence for a class lies. Selvaraju et al., "Grad-CAM: visual explanations from
// deep networks via gradient-based localization", ICCV 2017, equations 1 and 2:
//   alpha_k = mean over places of d y / d A_k,   map = ReLU(sum over k of alpha_k A_k)
// with the maps A_k of one layer and the logit y of the class. Here: the two passes and the sums. Not here: where a map
// lies on a picture (runtime/train/heat_map.h) and how it is drawn (apps/report).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/nn/model.h"

namespace xrai {

/// The layer to explain when none is named: the last convolution that has maps, with the batch normalisation, addition
/// and ReLU behind it. In front of a pooling, which would halve the maps (6 x 6 instead of 3 x 3 in plain5 at 96
/// pixels) and whose gradient goes to the maximum of each window alone. Throws Error(kUsage) when there is no such
/// convolution.
std::string default_explained_layer(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes);

class GradCam {
 public:
  /// The model must outlive it. `layer`: empty for the default. Throws Error(kUsage) for a layer that is not in the
  /// model or has no maps.
  GradCam(Model& model, std::int64_t batch_size, const std::string& layer = {});
  GradCam(const GradCam&) = delete;
  GradCam& operator=(const GradCam&) = delete;

  [[nodiscard]] const std::string& layer() const { return layer_; }
  [[nodiscard]] std::int64_t batch_size() const { return plan_.batch_size(); }
  [[nodiscard]] std::int64_t height() const { return maps_.height; }  // of a map
  [[nodiscard]] std::int64_t width() const { return maps_.width; }
  /// To be filled first: (batch_size, height, width, 1), activations.
  [[nodiscard]] void* input() const { return plan_.input(); }

  /// Maps (n, height, width) of the first n pictures at input(), each for its own class; values are 0 or above, in no
  /// unit. Of two classes, the first one's logit is the negative of the network's. n is at most batch_size().
  /// Overwrites the gradients of the model's parameters.
  std::vector<float> maps(std::span<const std::int32_t> classes);

 private:
  void put_logit_gradients(std::span<const std::int32_t> classes);

  Model& model_;
  std::string layer_;
  Graph graph_;  // unfused
  Shape maps_;   // of one picture
  ModelPlan plan_;
  Buffer wide_;  // floats, as many as the maps of a batch
};

}  // namespace xrai
