// Every layer's maps, each held against naive loops in double over the maps of the layer before.
#include "runtime/train/layer_viewer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/cpu/cpu_device.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace layer_viewer_test {

using ::testing::ElementsAre;

constexpr const char* kModel = R"(name = "net"
[[layer]]
type = "convolution"
name = "conv"
filters = 5
kernel = 3
padding = "same"
bias = false
[[layer]]
type = "batch_norm"
name = "norm"
[[layer]]
type = "relu"
name = "relu"
[[layer]]
type = "max_pool"
name = "pool"
kernel = 2
[[layer]]
type = "dropout"
name = "dropout"
[[layer]]
type = "flatten"
name = "flatten"
[[layer]]
type = "dense"
name = "dense"
)";

testing::Doubles wide(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

class LayerMapsOfANetwork : public ::testing::Test {
 protected:
  LayerMapsOfANetwork() {
    model_.parameters().initialise(9);
    input_.image_size = 12;
    input_.view.crop = 1;
    const testing::Values means = testing::random_values(5, 3), spread = testing::random_values(5, 4, 0.5, 2);
    const StatisticsSpec& statistics = model_.parameters().statistics_specs().front();
    std::copy(means.begin(), means.end(), model_.parameters().statistics() + statistics.mean_offset);
    std::copy(spread.begin(), spread.end(), model_.parameters().statistics() + statistics.variance_offset);
    for (int i = 0; i < 144; ++i) pixels_.push_back(static_cast<std::uint8_t>(i * i * 7 % 251));
  }
  std::unique_ptr<Device> device_ = make_cpu_device(1);
  Model model_{*device_, parse_model_toml(kModel, "net.toml"), {1, 12, 12, 1}, 2};
  InputSettings input_;
  std::vector<std::uint8_t> pixels_;
};

TEST_F(LayerMapsOfANetwork, AreWhatTheLayerBeforeGives) {
  LayerViewer viewer(model_, input_);
  const std::vector<LayerMaps> seen = viewer.look(pixels_.data(), 12, 12);
  std::vector<std::string> names;
  for (const LayerMaps& layer : seen) names.push_back(layer.name + ":" + layer.kind);
  EXPECT_THAT(names, ElementsAre("picture:picture", "conv:convolution", "norm:batch_norm", "relu:relu", "pool:max_pool",
                                 "dropout:dropout", "dense:dense"));
  EXPECT_EQ(seen[4].shape, (Shape{1, 6, 6, 5}));

  ConvolutionSpec convolution;
  convolution.input = {1, 12, 12, 1};
  convolution.filters = 5;
  convolution.window = {3, 3, 1, 1, 1, 1, 1, 1};
  const FirstFilters filters = viewer.first_filters();
  EXPECT_EQ(filters.layer, "conv");
  EXPECT_EQ(filters.shape, (Shape{5, 3, 3, 1}));
  const testing::Doubles no_gradient(5 * 144, 0.0);
  testing::expect_near(
      seen[1].values,
      testing::convolution_reference(convolution, wide(seen[0].values), wide(filters.weights), {}, no_gradient).y, 1e-5,
      "convolution");

  const float* statistics = model_.parameters().statistics();
  const StatisticsSpec& spec = model_.parameters().statistics_specs().front();
  testing::Doubles normalised, rectified;
  for (std::size_t i = 0; i < seen[1].values.size(); ++i) {
    const double mean = statistics[spec.mean_offset + static_cast<std::int64_t>(i % 5)],
                 variance = statistics[spec.variance_offset + static_cast<std::int64_t>(i % 5)];
    normalised.push_back((static_cast<double>(seen[1].values[i]) - mean) / std::sqrt(variance + 1e-5));
    rectified.push_back(std::max(normalised.back(), 0.0));
  }
  testing::expect_near(seen[2].values, normalised, 1e-5, "batch_norm");
  testing::expect_near(seen[3].values, rectified, 1e-5, "relu");

  PoolingSpec pooling;
  pooling.input = {1, 12, 12, 5};
  pooling.window = {2, 2, 2, 2, 0, 0, 0, 0};
  testing::expect_near(seen[4].values,
                       testing::pooling_reference(pooling, wide(seen[3].values), testing::Doubles(180, 0.0)).y, 1e-6,
                       "pool");
  EXPECT_EQ(seen[5].values, seen[4].values) << "dropout lets everything pass outside training";
  EXPECT_EQ(seen[6].values.size(), 1U);
}

TEST_F(LayerMapsOfANetwork, AreTheSameWhenAskedAgain) {
  LayerViewer viewer(model_, input_);
  const std::vector<LayerMaps> first = viewer.look(pixels_.data(), 12, 12);
  (void)viewer.look(std::vector<std::uint8_t>(144, 200).data(), 12, 12);
  const std::vector<LayerMaps> again = viewer.look(pixels_.data(), 12, 12);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i].values, again[i].values) << first[i].name;
}

}  // namespace layer_viewer_test
}  // namespace xrai
