// What a trained ensemble says and shows of radiographs, on the CUDA device against the CPU device: one run folder,
// loaded on both.
#include "runtime/train/predictor.h"

#include <gtest/gtest.h>

#include "runtime/train/explainer.h"
#include "runtime/train/layer_viewer.h"
#include "tests/cuda/device/doubled_card.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace cuda_predictor_test {

using testing::kToySide;
using testing::widened;

/// float32 on both sides: sums differ in their order only.
constexpr double kTolerance = 2e-5;

class AnEnsembleOnCuda : public ::testing::Test {
 protected:
  /// Two networks of different seeds, as a run folder keeps them.
  static std::filesystem::path trained(const std::filesystem::path& folder) {
    train(folder, 7);
    train(folder / "members" / "2", 8);
    return folder;
  }
  static void train(const std::filesystem::path& folder, std::uint64_t seed) {
    TrainSettings settings = testing::toy_settings();
    settings.epochs = 2;
    settings.seed = seed;
    testing::ToyRun(folder, settings).run();
  }
  [[nodiscard]] const std::uint8_t* pixels() const { return pictures_.pixels.data(); }

  testing::TemporaryFolder folder_;
  const std::filesystem::path run_ = trained(folder_.path());
  testing::ToyPictures pictures_{11, 6};
  std::unique_ptr<Device> cuda_ = testing::fresh_cuda("fp32"), cpu_ = make_cpu_device(1);
  Predictor on_cuda_ = Predictor::load(run_, *cuda_, 4), on_cpu_ = Predictor::load(run_, *cpu_, 4);
};

TEST_F(AnEnsembleOnCuda, GivesTheCpusProbabilities) {
  ASSERT_EQ(on_cuda_.n_members(), 2);
  const auto first_alone =
      Predictor::load(run_ / "checkpoints" / "best.h5", *cpu_, 4).predict(pixels(), 11, kToySide, kToySide);
  const auto expected = on_cpu_.predict(pixels(), 11, kToySide, kToySide);
  EXPECT_NE(expected, first_alone);
  testing::expect_near(on_cuda_.predict(pixels(), 11, kToySide, kToySide), widened(expected), kTolerance,
                       "probabilities");
  EXPECT_EQ(testing::findings(), "");
}

TEST_F(AnEnsembleOnCuda, ShowsTheCpusLayers) {
  LayerViewer viewer = on_cuda_.make_layer_viewer(), expected_viewer = on_cpu_.make_layer_viewer();
  const auto layers = viewer.look(pixels(), kToySide, kToySide),
             expected = expected_viewer.look(pixels(), kToySide, kToySide);
  ASSERT_EQ(layers.size(), expected.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(layers[i].shape, expected[i].shape) << layers[i].name;
    testing::expect_near(layers[i].values, widened(expected[i].values), kTolerance, layers[i].name);
  }
  EXPECT_EQ(viewer.first_filters().weights, expected_viewer.first_filters().weights);
  EXPECT_EQ(testing::findings(), "");
}

TEST_F(AnEnsembleOnCuda, ShowsTheCpusEvidence) {
  const std::vector<std::int32_t> classes = pictures_.labels;
  Explainer explainer = on_cuda_.make_explainer(), expected_explainer = on_cpu_.make_explainer();
  const auto maps = explainer.explain(pixels(), kToySide, kToySide, classes),
             expected = expected_explainer.explain(pixels(), kToySide, kToySide, classes);
  ASSERT_EQ(maps.size(), 11u);
  float highest = 0;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    highest = std::max(highest, expected[i].highest());
    testing::expect_near(maps[i].values, widened(expected[i].values), kTolerance, "map " + std::to_string(i));
  }
  EXPECT_GT(highest, 0);
  EXPECT_EQ(testing::findings(), "");
}

}  // namespace cuda_predictor_test
}  // namespace xrai
