// What every layer of a trained network makes of one stored radiograph, in the view that scoring has of it. Here: the
// numbers. Not here: how they are drawn (apps/explain).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/nn/model.h"
#include "runtime/train/settings.h"

namespace xrai {

/// One layer's output, or the network's input.
struct LayerMaps {
  std::string name;           // "conv1"; of the input "picture"
  std::string kind;           // "convolution", as in model files; of the input "picture"
  Shape shape;                // n = 1; 1 x 1 maps are a vector
  std::vector<float> values;  // (height, width, channels)
};

/// The filters of a network's first convolution.
struct FirstFilters {
  std::string layer;           // empty: the network has no convolution
  Shape shape;                 // (filters, height, width, channels a group)
  std::vector<float> weights;  // in this order
};

class LayerViewer {
 public:
  /// The model must outlive it.
  LayerViewer(Model& model, const InputSettings& input);
  LayerViewer(const LayerViewer&) = delete;
  LayerViewer& operator=(const LayerViewer&) = delete;

  /// pixels: (height, width) uint8 grey. The input first, then every layer but flatten, in order; running statistics,
  /// no dropout. The last layer's values are the logits.
  std::vector<LayerMaps> look(const std::uint8_t* pixels, std::int64_t height, std::int64_t width);
  [[nodiscard]] FirstFilters first_filters() const;

 private:
  Model& model_;
  InputSettings input_;
  Graph graph_;  // unfused
  ModelPlan plan_;
  Buffer wide_;  // floats, as many as the largest tensor has
  Buffer sample_id_;
};

}  // namespace xrai
