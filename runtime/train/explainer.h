// Heat maps of a trained network for stored radiographs, in the view that scoring has of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/nn/grad_cam.h"
#include "runtime/train/heat_map.h"
#include "runtime/train/settings.h"

namespace xrai {

class Explainer {
 public:
  /// The model must outlive it. `layer`: whose maps; empty for the last convolution's (runtime/nn/grad_cam.h). Throws
  /// what GradCam throws.
  Explainer(Model& model, const InputSettings& input, const std::string& layer = {});

  [[nodiscard]] const std::string& layer() const { return grad_cam_.layer(); }
  [[nodiscard]] std::int64_t map_height() const { return grad_cam_.height(); }  // cells of the layer
  [[nodiscard]] std::int64_t map_width() const { return grad_cam_.width(); }
  /// pixels: (n, height, width) uint8 grey; classes: (n), whose evidence is asked for. Twice the layer's cells a side.
  std::vector<HeatMap> explain(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                               std::span<const std::int32_t> classes);

 private:
  void explain_batch(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                     std::span<const std::int32_t> classes, std::vector<HeatMap>& maps);

  Model& model_;
  InputSettings input_;
  GradCam grad_cam_;
  Buffer pixels_, sample_ids_;
};

}  // namespace xrai
