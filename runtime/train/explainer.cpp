#include "runtime/train/explainer.h"

#include <algorithm>

namespace xrai {
namespace {

// Explaining keeps more than scoring does, and nobody explains thousands.
constexpr std::int64_t kBatch = 16;

}  // namespace

Explainer::Explainer(Model& model, const InputSettings& input, const std::string& layer)
    : model_(model),
      input_(input),
      grad_cam_(model, kBatch, layer),
      sample_ids_(model.device().allocate(kBatch * sizeof(std::int64_t))) {}

std::vector<HeatMap> Explainer::explain(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                                        std::span<const std::int32_t> classes) {
  std::vector<HeatMap> maps;
  for (std::size_t first = 0; first < classes.size(); first += kBatch) {
    const auto some = classes.subspan(first, std::min<std::size_t>(kBatch, classes.size() - first));
    explain_batch(pixels + static_cast<std::int64_t>(first) * height * width, height, width, some, maps);
  }
  return maps;
}

void Explainer::explain_batch(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                              std::span<const std::int32_t> classes, std::vector<HeatMap>& maps) {
  Device& device = model_.device();
  const auto n = static_cast<std::int64_t>(classes.size());
  const auto bytes = static_cast<std::size_t>(n * height * width);
  if (pixels_.size_bytes() < bytes) pixels_ = device.allocate(bytes);
  device.upload(pixels_.data(), pixels, bytes, Queue::kCompute);
  kernels::AugmentArguments view;
  view.pixels = pixels_.as<std::uint8_t>();
  view.sample_ids = sample_ids_.as<std::int64_t>();
  view.out = grad_cam_.input();
  view.n = n;
  view.stored_height = height;
  view.stored_width = width;
  view.height = view.width = input_.image_size;
  view.view = input_.view;
  device.augment(view);
  const std::vector<float> values = grad_cam_.maps(classes);
  const std::int64_t cells = map_height() * map_width();
  for (std::int64_t i = 0; i < n; ++i) {
    const auto from = values.begin() + static_cast<std::ptrdiff_t>(i * cells);
    maps.push_back({map_height(), map_width(), input_.view.crop, {from, from + static_cast<std::ptrdiff_t>(cells)}});
  }
}

}  // namespace xrai
