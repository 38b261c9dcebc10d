// The line drawing of a synthetic radiograph: distance to a segment, and the shapes made of segments.
#include "loaders/synthetic_strokes.h"

#include <algorithm>
#include <cmath>

namespace xrai::synthetic {
namespace {

constexpr double kThinnestPixels =
    0.75;  // a thinner line is drawn this wide and fainter, else it would flicker with the grid

struct PixelRange {
  int first, last;  // inclusive; empty when last < first
};

PixelRange covered(double a, double b, double reach, int size) {
  const double low = std::clamp(std::min(a, b) - reach, -1.0, static_cast<double>(size));
  const double high = std::clamp(std::max(a, b) + reach, -1.0, static_cast<double>(size));
  return {std::max(0, static_cast<int>(low)), std::min(size - 1, static_cast<int>(high) + 1)};
}

Point between(const std::vector<Point>& points, std::size_t i, double t) {
  const Point a = points[i == 0 ? 0 : i - 1], b = points[i], c = points[i + 1],
              d = points[std::min(i + 2, points.size() - 1)];
  const auto mix = [t](double pa, double pb, double pc, double pd) {
    return pb + 0.5 * t * (pc - pa + t * (2.0 * pa - 5.0 * pb + 4.0 * pc - pd + t * (3.0 * (pb - pc) + pd - pa)));
  };
  return {mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y)};
}

void draw_scapula_and_arm(Layer& layer, const Patient& p, Side side, Dice& dice) {
  const double sign = side == kLeft ? 1.0 : -1.0;
  const Point head = p.shoulder[side];
  const double swing = dice.uniform(-0.04, 0.06);  // arms forward turn the blades out of the lungs
  const Point joint{head.x - sign * 0.03, head.y};
  const Point tip{sign * (p.cage.at(0.0) + 0.02 + swing), dice.uniform(-0.08, 0.06)};
  const Point corner{sign * (0.52 + swing), -0.58};
  const double density = dice.uniform(0.04, 0.09);
  layer.draw_curve(p, {corner, {sign * (0.57 + swing), -0.35}, tip}, 0.014, 0.8 * density);  // medial border
  layer.draw_curve(p, {tip, {sign * (p.cage.at(-0.2) + 0.07 + swing), -0.25}, joint}, 0.018,
                   density);                                                                  // lateral border
  layer.draw_curve(p, {corner, {sign * 0.68, -0.64}, {sign * 0.84, -0.70}}, 0.022, density);  // spine of the blade
  const Point elbow = p.elbow[side];
  layer.draw(p, {joint, joint, 0.085, 0.085, 0.17});
  layer.draw(p, {joint, {0.5 * (joint.x + elbow.x), 0.5 * (joint.y + elbow.y)}, 0.065, 0.05, 0.15});
  layer.draw(p, {{0.5 * (joint.x + elbow.x), 0.5 * (joint.y + elbow.y)}, elbow, 0.05, 0.05, 0.15});
}

}  // namespace

void Layer::draw(const Patient& patient, const Stroke& stroke) {
  const double half = 0.5 * size_;
  const Point a_film = to_film(patient, stroke.from), b_film = to_film(patient, stroke.to);
  const Point a{(a_film.x + 1.0) * half - 0.5, (a_film.y + 1.0) * half - 0.5};
  const Point b{(b_film.x + 1.0) * half - 0.5, (b_film.y + 1.0) * half - 0.5};
  const double w0 = stroke.from_half_width * half * patient.scale, w1 = stroke.to_half_width * half * patient.scale;
  const double reach = 1.3 * std::max({w0, w1, kThinnestPixels}) + 0.5;
  const PixelRange columns = covered(a.x, b.x, reach, size_), rows = covered(a.y, b.y, reach, size_);
  const double dx = b.x - a.x, dy = b.y - a.y, squared_length = dx * dx + dy * dy;
  for (int row = rows.first; row <= rows.last; ++row) {
    for (int column = columns.first; column <= columns.last; ++column) {
      const double px = column - a.x, py = row - a.y;
      const double along = squared_length > 0.0 ? clamp01((px * dx + py * dy) / squared_length) : 0.0;
      const double ex = px - along * dx, ey = py - along * dy;
      const double squared = ex * ex + ey * ey;
      if (squared >= reach * reach) continue;
      const double width = w0 + (w1 - w0) * along;
      const double drawn = std::max(width, kThinnestPixels) * 1.3;
      const double bell = bell_of_square(squared / (drawn * drawn));
      if (bell <= 0.0) continue;
      float& pixel =
          density_[static_cast<std::size_t>(row) * static_cast<std::size_t>(size_) + static_cast<std::size_t>(column)];
      pixel = std::max(pixel, static_cast<float>(stroke.density * bell * std::min(1.0, width / kThinnestPixels)));
    }
  }
}

void Layer::draw_curve(const Patient& patient, const std::vector<Point>& points, double half_width, double density) {
  constexpr int kPieces = 8;
  for (std::size_t i = 0; i + 1 < points.size(); ++i)
    for (int piece = 0; piece < kPieces; ++piece)
      draw(patient, {between(points, i, piece / double{kPieces}), between(points, i, (piece + 1) / double{kPieces}),
                     half_width, half_width, density});
}

void draw_tree(Layer& layer, const Patient& patient, const Branch& branch, Dice& dice) {
  const double sag = 0.26 * dice.bell();  // vessels are never straight: two pieces with a slight corner
  const Point middle{branch.root.x + 0.5 * branch.length * std::cos(branch.angle - sag),
                     branch.root.y + 0.5 * branch.length * std::sin(branch.angle - sag)};
  const Point end{middle.x + 0.5 * branch.length * std::cos(branch.angle + sag),
                  middle.y + 0.5 * branch.length * std::sin(branch.angle + sag)};
  const double thin = branch.half_width * 0.88, thinner = branch.half_width * 0.76;
  layer.draw(patient, {branch.root, middle, branch.half_width, thin, branch.density});
  layer.draw(patient, {middle, end, thin, thinner, branch.density});
  if (branch.generations <= 1) return;
  for (double fork : {-1.0, 1.0}) {
    Branch child = branch;
    child.root = end;
    child.angle += fork * dice.uniform(0.12, 0.52);
    child.length *= dice.uniform(0.55, 1.0);
    child.half_width = thinner * dice.uniform(0.72, 0.98);
    child.density *= 0.78;
    --child.generations;
    draw_tree(layer, patient, child, dice);
  }
}

void draw_vessels(Layer& layer, const Patient& patient, double thickening, Dice dice) {
  const double filling = dice.uniform(0.6, 1.5);  // how full the vessels are, in sick and healthy alike
  for (Side side : {kRight, kLeft}) {
    const double sign = side == kLeft ? 1.0 : -1.0;
    const Point hilum{sign * patient.hilum.x, patient.hilum.y + (side == kRight ? 0.04 : 0.0)};
    for (double fan : {-1.30, -0.85, -0.40, 0.05, 0.45, 0.80, 1.12, 1.45}) {
      const double direction = fan + 0.12 * dice.bell();
      const double lower = fan > 0.2 ? 1.15 : 0.85;  // upright patients fill the lower lobes more
      Branch branch;
      branch.root = {hilum.x + sign * 0.02 * dice.bell(), hilum.y + 0.05 * fan + 0.02 * dice.bell()};
      branch.angle = side == kLeft ? direction : 3.14159265358979 - direction;
      branch.length = dice.uniform(0.15, 0.21);
      branch.half_width = 0.019 * lower * (0.6 + 0.4 * thickening);
      branch.density = 0.15 * filling * lower * thickening;
      branch.generations = 5;
      draw_tree(layer, patient, branch, dice);
    }
    layer.draw(
        patient,
        {{hilum.x, hilum.y - 0.07}, {hilum.x + sign * 0.025, hilum.y + 0.11}, 0.04, 0.03, 0.16 * filling * thickening});
  }
}

void draw_shoulder_girdle(Layer& layer, const Patient& patient, Dice dice) {
  const double lift = dice.uniform(-0.05, 0.05);
  const double density = dice.uniform(0.14, 0.24);
  for (Side side : {kRight, kLeft}) {
    const double sign = side == kLeft ? 1.0 : -1.0;
    const Point head = patient.shoulder[side];
    const double inner = patient.apex_y + 0.20 + lift;
    const std::vector<Point> clavicle{{sign * 0.085, inner},
                                      {sign * 0.24, inner - 0.065},
                                      {sign * 0.44, inner - 0.10},
                                      {sign * 0.62, head.y - 0.08},
                                      {head.x - sign * 0.09, head.y - 0.085}};
    layer.draw_curve(patient, clavicle, 0.030, density);
    layer.draw(patient, {clavicle[0], clavicle[0], 0.042, 0.042, density});
    draw_scapula_and_arm(layer, patient, side, dice);
  }
}

void draw_devices(Layer& layer, const Patient& patient, Dice dice) {
  if (dice.chance(0.14)) {  // ECG electrodes and their leads
    for (int lead = 0; lead < 3; ++lead) {
      const Point pad{dice.uniform(-0.6, 0.6), dice.uniform(-0.45, 0.45)};
      const Point exit{dice.uniform(-1.1, 1.1), dice.chance(0.5) ? -1.05 : 1.05};
      const Point middle{0.5 * (pad.x + exit.x) + 0.2 * dice.bell(), 0.5 * (pad.y + exit.y)};
      layer.draw_curve(patient, {pad, middle, exit}, 0.007, 0.22);
      layer.draw(patient, {pad, pad, 0.034, 0.034, 0.25});
      layer.draw(patient, {pad, pad, 0.013, 0.013, 0.6});
    }
  }
  if (dice.chance(0.08)) {  // feeding tube down the oesophagus into the stomach
    layer.draw_curve(patient, {{0.02, -1.05}, {0.03, -0.4}, {0.02, 0.1}, {0.05, 0.45}, {0.20, 0.66}}, 0.009, 0.20);
  }
  if (dice.chance(0.08)) {  // central venous line from the right, its tip above the right atrium
    layer.draw_curve(
        patient, {{-0.55, -0.62}, {-0.35, -0.58}, {-0.14, -0.47}, {-0.10, -0.25}, {-0.11, dice.uniform(-0.12, 0.02)}},
        0.007, 0.24);
  }
}

}  // namespace xrai::synthetic
