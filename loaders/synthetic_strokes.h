// Everything in a synthetic radiograph that is a line: vessels, bronchi, clavicles, shoulder bones, tubes and leads.
// Lines are drawn once into layers of densities; how layers combine with air and film is not decided here.
#pragma once

#include <cstddef>
#include <vector>

#include "loaders/synthetic_anatomy.h"
#include "loaders/synthetic_random.h"

namespace xrai::synthetic {

struct Stroke {
  Point from, to;  // patient frame
  double from_half_width = 0.01, to_half_width = 0.01;
  double density = 0.1;  // on the middle line
};

// One picture of densities. Crossing strokes don't add up: the denser wins, so that joints leave no beads.
class Layer {
 public:
  explicit Layer(int size)
      : size_(size), density_(static_cast<std::size_t>(size) * static_cast<std::size_t>(size), 0.0F) {}
  void draw(const Patient& patient, const Stroke& stroke);
  // Through the points in order, rounded (Catmull-Rom).
  void draw_curve(const Patient& patient, const std::vector<Point>& points, double half_width, double density);
  float at(int column, int row) const {
    return density_[static_cast<std::size_t>(row) * static_cast<std::size_t>(size_) + static_cast<std::size_t>(column)];
  }

 private:
  int size_;
  std::vector<float> density_;  // (size, size)
};

// A tree from `root` towards `angle` (radians, 0 to the viewer's right, rising downwards on the picture), forking
// `generations` times, each generation thinner and shorter.
struct Branch {
  Point root;
  double angle = 0.0, length = 0.15, half_width = 0.02, density = 0.1;
  int generations = 4;
};
void draw_tree(Layer& layer, const Patient& patient, const Branch& branch, Dice& dice);

// Pulmonary vessels of both lungs; `thickening` 1 is normal, more is a bronchovascular bundle in trouble.
void draw_vessels(Layer& layer, const Patient& patient, double thickening, Dice dice);
void draw_shoulder_girdle(Layer& layer, const Patient& patient, Dice dice);
// Leads, lines and tubes, in few pictures, whatever the finding.
void draw_devices(Layer& layer, const Patient& patient, Dice dice);

}  // namespace xrai::synthetic
