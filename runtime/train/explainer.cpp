#include "runtime/train/explainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "runtime/train/scorer.h"

namespace xrai {
namespace {

// Each picture is looked at four times, moved by a quarter of a cell either way, and the four maps are averaged on
// cells half as large, as in the shift-and-stitch of Long et al., CVPR 2015, section 3.2: where in a cell the evidence
// lies is lost in one map and not in four. On the lesions of drawn pictures the highest place lies in 74 % of the maps
// instead of 57 % (docs/explain.md).
struct Move {
  int down, right;  // quarters of a cell
};
constexpr std::array<Move, 4> kMoves{{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}}};
constexpr std::int64_t kViews = std::ssize(kMoves);  // explaining keeps more than scoring does: one picture at a time

std::int64_t pixels_of_quarter_cell(std::int64_t side, float crop, std::int64_t cells) {
  return std::llround(0.25 * static_cast<double>(side) * crop / static_cast<double>(cells));
}

struct Offset {
  std::int64_t down, right;  // pixels
};

// out(y, x) = picture(y + down, x + right), the border replicated.
void move_picture(const std::uint8_t* picture, std::int64_t height, std::int64_t width, Offset by, std::uint8_t* out) {
  for (std::int64_t y = 0; y < height; ++y) {
    const std::uint8_t* row = picture + std::clamp<std::int64_t>(y + by.down, 0, height - 1) * width;
    for (std::int64_t x = 0; x < width; ++x) *out++ = row[std::clamp<std::int64_t>(x + by.right, 0, width - 1)];
  }
}

// Adds a quarter of the map of a moved picture to the finer map of the picture itself.
void add_moved(const HeatMap& moved, double down, double right, HeatMap& fine) {
  const double low = 0.5 - 0.5 * fine.crop, high = 0.5 + 0.5 * fine.crop;
  for (std::int64_t row = 0; row < fine.height; ++row)
    for (std::int64_t column = 0; column < fine.width; ++column) {
      const PicturePlace place = fine.middle_of(row, column);
      // What the moved view just misses is taken from its edge.
      const PicturePlace seen{std::clamp(place.x - right, low, high), std::clamp(place.y - down, low, high)};
      fine.values[static_cast<std::size_t>(row * fine.width + column)] += static_cast<float>(0.25 * moved.at(seen));
    }
}

}  // namespace

/// One network and its passes.
class Explainer::Network {
 public:
  Network(const ExplainedNetwork& network, const std::string& layer)
      : model_(network.model),
        input_(network.input),
        grad_cam_(model_, kViews, layer),
        sample_ids_(model_.device().allocate(kViews * sizeof(std::int64_t))) {}

  [[nodiscard]] const GradCam& grad_cam() const { return grad_cam_; }
  std::vector<HeatMap> explain(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                               std::span<const std::int32_t> classes);

 private:
  /// Of kViews pictures.
  std::vector<HeatMap> explain_views(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                                     std::int32_t of_class);

  Model& model_;
  InputSettings input_;
  GradCam grad_cam_;
  Buffer pixels_, sample_ids_;
};

std::vector<HeatMap> Explainer::Network::explain(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                                                 std::span<const std::int32_t> classes) {
  const double crop = input_.view.crop;
  const std::int64_t cells_down = grad_cam_.height(), cells_right = grad_cam_.width();
  const std::int64_t fine_height = 2 * cells_down, fine_width = 2 * cells_right;
  std::vector<HeatMap> maps(classes.size(), {fine_height, fine_width, crop,
                                             std::vector<float>(static_cast<std::size_t>(fine_height * fine_width))});
  const auto picture_bytes = static_cast<std::size_t>(height * width);
  std::vector<std::uint8_t> moved(kMoves.size() * picture_bytes);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    std::array<Offset, kMoves.size()> by{};
    for (std::size_t m = 0; m < kMoves.size(); ++m) {
      by[m] = {kMoves[m].down * pixels_of_quarter_cell(height, input_.view.crop, cells_down),
               kMoves[m].right * pixels_of_quarter_cell(width, input_.view.crop, cells_right)};
      move_picture(pixels + i * picture_bytes, height, width, by[m], moved.data() + m * picture_bytes);
    }
    const std::vector<HeatMap> of_moved = explain_views(moved.data(), height, width, classes[i]);
    for (std::size_t m = 0; m < kMoves.size(); ++m)
      add_moved(of_moved[m], static_cast<double>(by[m].down) / static_cast<double>(height),
                static_cast<double>(by[m].right) / static_cast<double>(width), maps[i]);
  }
  return maps;
}

std::vector<HeatMap> Explainer::Network::explain_views(const std::uint8_t* pixels, std::int64_t height,
                                                       std::int64_t width, std::int32_t of_class) {
  Device& device = model_.device();
  const auto bytes = static_cast<std::size_t>(kViews * height * width);
  if (pixels_.size_bytes() < bytes) pixels_ = device.allocate(bytes);
  device.upload(pixels_.data(), pixels, bytes, Queue::kCompute);
  kernels::AugmentArguments view = evaluation_view(input_, pixels_.as<std::uint8_t>(), kViews, height, width);
  view.sample_ids = sample_ids_.as<std::int64_t>();
  view.out = grad_cam_.input();
  device.augment(view);
  const std::vector<std::int32_t> classes(kViews, of_class);
  const std::vector<float> values = grad_cam_.maps(classes);
  const std::int64_t cells_down = grad_cam_.height(), cells_right = grad_cam_.width();
  const std::int64_t cells = cells_down * cells_right;
  std::vector<HeatMap> maps;
  for (std::int64_t i = 0; i < kViews; ++i) {
    const auto from = values.begin() + static_cast<std::ptrdiff_t>(i * cells);
    maps.push_back({cells_down, cells_right, input_.view.crop, {from, from + static_cast<std::ptrdiff_t>(cells)}});
  }
  return maps;
}

Explainer::Explainer(std::span<const ExplainedNetwork> networks, const std::string& layer) {
  if (networks.empty()) throw std::invalid_argument("there is no network to explain");
  for (const ExplainedNetwork& network : networks) networks_.push_back(std::make_unique<Network>(network, layer));
}

Explainer::~Explainer() = default;

const std::string& Explainer::layer() const {
  return networks_.front()->grad_cam().layer();
}
std::int64_t Explainer::map_height() const {
  return networks_.front()->grad_cam().height();
}
std::int64_t Explainer::map_width() const {
  return networks_.front()->grad_cam().width();
}

std::vector<HeatMap> Explainer::explain(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                                        std::span<const std::int32_t> classes) {
  if (networks_.size() == 1) return networks_.front()->explain(pixels, height, width, classes);
  std::vector<std::vector<HeatMap>> of_picture(classes.size());
  for (const std::unique_ptr<Network>& network : networks_) {
    std::vector<HeatMap> maps = network->explain(pixels, height, width, classes);
    for (std::size_t i = 0; i < maps.size(); ++i) of_picture[i].push_back(std::move(maps[i]));
  }
  std::vector<HeatMap> means;
  for (const std::vector<HeatMap>& maps : of_picture) means.push_back(mean_of_scaled(maps));
  return means;
}

HeatMap mean_of_scaled(std::span<const HeatMap> maps) {
  HeatMap mean = maps.front();
  std::fill(mean.values.begin(), mean.values.end(), 0.0f);
  for (const HeatMap& map : maps) {
    const double highest = map.highest();
    if (highest <= 0.0) continue;
    const double share = 1.0 / (highest * static_cast<double>(maps.size()));
    for (std::int64_t row = 0; row < mean.height; ++row)
      for (std::int64_t column = 0; column < mean.width; ++column)
        mean.values[static_cast<std::size_t>(row * mean.width + column)] +=
            static_cast<float>(share * map.at(mean.middle_of(row, column)));
  }
  return mean;
}

}  // namespace xrai
