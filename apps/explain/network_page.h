// The page of xrai_explain network: one picture's way through a network, stage by stage, to be scrolled through. How
// the numbers are computed is not known here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loaders/grey_image.h"
#include "runtime/train/heat_map.h"
#include "runtime/train/layer_viewer.h"

namespace xrai {

struct ClassProbability {
  std::string name;
  double probability = 0;
};

struct NetworkPage {
  std::string language = "en";
  std::string picture_name, model_name, run_name;
  std::int64_t epochs = 0, n_members = 1;
  bool synthetic = false;  // the network learnt from drawings
  GreyImage picture;       // as the data set would store it
  std::vector<LayerMaps> layers;
  FirstFilters filters;
  std::optional<HeatMap> heat_map;  // absent: the network has no maps
  std::string heat_layer;
  std::vector<ClassProbability> classes;
  std::string verdict;
  double threshold = 0.5;  // of the second of two classes
};

/// The page; names are escaped, nothing is loaded from anywhere.
[[nodiscard]] std::string network_page_html(const NetworkPage& page);

/// What a layer of this kind does, in a sentence or two for somebody who meets it for the first time. `before`: the
/// maps that it reads. `first`: no layer of this kind has been met; later ones get a shorter sentence.
[[nodiscard]] std::string layer_sentence(const LayerMaps& layer, const LayerMaps& before, bool first,
                                         const std::string& language);

}  // namespace xrai
