// Heat maps of a trained network, or of an ensemble, for stored radiographs, in the view that scoring has of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/nn/grad_cam.h"
#include "runtime/train/heat_map.h"
#include "runtime/train/settings.h"

namespace xrai {

/// What an explainer needs to know of a network; both must outlive it.
struct ExplainedNetwork {
  Model& model;
  const InputSettings& input;
};

class Explainer {
 public:
  /// `networks`: one, or all of an ensemble. `layer`: whose maps; empty for the last convolution's
  /// (runtime/nn/grad_cam.h). Throws what GradCam throws.
  explicit Explainer(std::span<const ExplainedNetwork> networks, const std::string& layer = {});
  ~Explainer();

  [[nodiscard]] const std::string& layer() const;
  [[nodiscard]] std::int64_t map_height() const;  // cells of the layer; of an ensemble, of the first network
  [[nodiscard]] std::int64_t map_width() const;
  /// pixels: (n, height, width) uint8 grey; classes: (n), whose evidence is asked for. Twice the layer's cells a side.
  /// Of an ensemble the mean of its networks' maps, each divided by its own highest value; one network's map is given
  /// as it is, in no unit.
  std::vector<HeatMap> explain(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                               std::span<const std::int32_t> classes);

 private:
  class Network;
  std::vector<std::unique_ptr<Network>> networks_;  // at least one
};

/// The mean of maps of one picture, each divided by its own highest value, on the cells of the first: networks whose
/// logits are larger do not speak louder. Maps that are 0 everywhere count as 0. `maps` is not empty.
HeatMap mean_of_scaled(std::span<const HeatMap> maps);

}  // namespace xrai
