// Grad-CAM against values recorded from PyTorch, against central differences of the network in double, and against CAM,
// which it equals where a network ends in an average and a dense layer.
#include "runtime/nn/grad_cam.h"

#include <gtest/gtest.h>

#include <numeric>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_device.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "tests/support/golden.h"
#include "tests/support/reference_network.h"

namespace xrai {
namespace grad_cam_test {

using testing::Doubles;
using testing::GoldenCase;
using testing::Values;

// A model whose parameters and running statistics are no special case of anything.
void stir(Model& model) {
  Parameters& parameters = model.parameters();
  parameters.initialise(3);
  for (const ParameterSpec& spec : parameters.specs()) {
    if (spec.role == ParameterRole::kWeight) continue;
    const double centre = spec.role == ParameterRole::kNormScale ? 1 : 0;
    const Values values = testing::random_values(spec.count(), 50, centre - 0.5, centre + 0.5);
    std::copy(values.begin(), values.end(), parameters.values() + spec.offset);
  }
  for (const StatisticsSpec& spec : parameters.statistics_specs()) {
    const Values means = testing::random_values(spec.channels, 51),
                 spread = testing::random_values(spec.channels, 52, 0.5, 2);
    std::copy(means.begin(), means.end(), parameters.statistics() + spec.mean_offset);
    std::copy(spread.begin(), spread.end(), parameters.statistics() + spec.variance_offset);
  }
}

Values maps_of(GradCam& grad_cam, const Values& x, const std::vector<std::int32_t>& classes) {
  std::copy(x.begin(), x.end(), static_cast<float*>(grad_cam.input()));
  return grad_cam.maps(classes);
}

class GradCamGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GradCamGoldens, AgreeWithAutograd) {
  const GoldenCase& golden = GetParam();
  const auto device = make_cpu_device(1);
  const Shape x = golden.map_shape("x");
  Model model(*device, parse_model_toml(golden.attributes.at("model"), "golden.toml"), x.with_batch(1),
              golden.attributes.at("n_classes"));
  Parameters& parameters = model.parameters();
  const auto put = [&](const std::string& name, float* to) {
    const Values values = golden.values(name);
    std::copy(values.begin(), values.end(), to);
  };
  for (const ParameterSpec& spec : parameters.specs()) put(spec.name, parameters.values() + spec.offset);
  for (const StatisticsSpec& spec : parameters.statistics_specs()) {
    put(spec.name + ".mean", parameters.statistics() + spec.mean_offset);
    put(spec.name + ".variance", parameters.statistics() + spec.variance_offset);
  }
  GradCam grad_cam(model, x.n, golden.attributes.at("layer").get<std::string>());
  expect_near_golden(maps_of(grad_cam, golden.values("x"), golden.values<std::int32_t>("classes")), golden, "map",
                     2e-6);
}

INSTANTIATE_TEST_SUITE_P(Recorded, GradCamGoldens, ::testing::ValuesIn(testing::golden_cases("grad_cam")),
                         testing::golden_name);

// The first layer passes positive pictures on as they are, so its map is the picture times alpha, and alpha is the
// derivative of the logit when the whole picture grows: behind it stands every kind of layer and of reader.
constexpr const char* kPassOn =
    "name = 'net'\n[[layer]]\ntype = 'convolution'\nname = 'pass'\nfilters = 1\nkernel = 1\n";
struct Tail {
  const char* name;
  const char* layers;
};
void PrintTo(const Tail& tail, std::ostream* out) {
  *out << tail.name;
}
const Tail kTails[] = {
    {"PoolingAndDenseLayers",
     "[[layer]]\ntype = 'convolution'\nfilters = 6\nkernel = 3\nstride = 2\n[[layer]]\ntype = 'relu'\n"
     "[[layer]]\ntype = 'max_pool'\nkernel = 3\nstride = 2\npadding = 1\n[[layer]]\ntype = 'average_pool'\nkernel = 2\n"
     "[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'dense'\nunits = 7\n[[layer]]\ntype = 'batch_norm'\n"
     "[[layer]]\ntype = 'relu'\n[[layer]]\ntype = 'dropout'\n[[layer]]\ntype = 'dense'\n"},
    {"FusedElsewhere",
     "[[layer]]\ntype = 'convolution'\nfilters = 5\nkernel = 3\nbias = false\n[[layer]]\ntype = 'batch_norm'\n"
     "[[layer]]\ntype = 'relu'\n[[layer]]\ntype = 'max_pool'\nkernel = 2\n[[layer]]\ntype = 'convolution'\nfilters = "
     "4\n"
     "kernel = 3\ngroups = 1\n[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n"},
    {"ResidualWithProjection",
     "[[layer]]\ntype = 'convolution'\nfilters = 4\nkernel = 3\npadding = 'same'\n[[layer]]\ntype = 'batch_norm'\n"
     "name = 'body'\n[[layer]]\ntype = 'convolution'\ninput = 'pass'\nfilters = 4\nkernel = 1\n"
     "[[layer]]\ntype = 'batch_norm'\nname = 'short'\n[[layer]]\ntype = 'add'\ninput = 'body'\nwith = 'short'\n"
     "[[layer]]\ntype = 'relu'\nname = 'sum'\n[[layer]]\ntype = 'convolution'\nfilters = 4\nkernel = 3\n"
     "padding = 'same'\n[[layer]]\ntype = 'add'\nwith = 'sum'\n[[layer]]\ntype = 'add'\nwith = 'sum'\n"
     "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n"},
    {"PictureBesideIt",
     "[[layer]]\ntype = 'relu'\nname = 'mine'\n[[layer]]\ntype = 'add'\nwith = 'picture'\n[[layer]]\ntype = "
     "'batch_norm'\n[[layer]]\ntype = 'convolution'\nfilters = 3\nkernel = 3\n[[layer]]\ntype = 'relu'\n"
     "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n"}};

class GradCamOf : public ::testing::TestWithParam<Tail> {
 protected:
  static constexpr std::int64_t kSide = 11, kImages = 3;
  GradCamOf() {
    stir(model_);
    const ParameterSpec& pass = model_.parameters().specs().front();
    model_.parameters().values()[pass.offset] = 1;
    for (const ParameterSpec& spec : model_.parameters().specs())
      if (spec.name == "pass.bias") model_.parameters().values()[spec.offset] = 0;
  }

  // d logit / d bias of the explained layer, of each picture: the same as letting all its places grow.
  Doubles derivatives() {
    const auto logits = [&](double step) {
      testing::NamedDoubles parameters = testing::parameters_of(model_);
      parameters.at("pass.bias")[0] += step;
      return testing::network_reference(model_, parameters, testing::widened(x_), kImages, false);
    };
    constexpr double kStep = 1e-6;
    Doubles above = logits(kStep);
    const Doubles below = logits(-kStep);
    for (std::size_t i = 0; i < above.size(); ++i) above[i] = (above[i] - below[i]) / (2 * kStep);
    return above;
  }

  std::unique_ptr<Device> device_ = make_cpu_device(1);
  Model model_{
      *device_, parse_model_toml(std::string(kPassOn) + GetParam().layers, "net.toml"), {1, kSide, kSide, 1}, 2};
  Values x_ = testing::random_values(kImages * kSide * kSide, 60, 0.1, 1);
};

TEST_P(GradCamOf, AgreesWithCentralDifferences) {
  GradCam grad_cam(model_, kImages, "pass");
  const Doubles derivatives = this->derivatives();
  for (const std::int32_t of_class : {0, 1}) {
    Doubles expected;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const double derivative = derivatives[i / (kSide * kSide)] * (of_class == 1 ? 1 : -1);
      expected.push_back(std::max(0.0, derivative / (kSide * kSide) * x_[i]));
    }
    // Gradients in float32 through eight layers; the largest value is about 1e-3.
    testing::expect_near(maps_of(grad_cam, x_, std::vector<std::int32_t>(kImages, of_class)), expected, 1e-4, "map",
                         1e-9);
  }
}

TEST_P(GradCamOf, LeavesRunningStatisticsAndScoresAlone) {
  const Values before = testing::floats_at(model_.parameters().statistics(), model_.parameters().statistics_count());
  GradCam grad_cam(model_, kImages, "pass");
  const std::vector<std::int32_t> classes{1, 0, 1};
  const Values first = maps_of(grad_cam, x_, classes);
  EXPECT_EQ(testing::floats_at(model_.parameters().statistics(), model_.parameters().statistics_count()), before);
  EXPECT_EQ(maps_of(grad_cam, x_, classes), first);
  // Each picture's map is its own, whatever stands behind it in the batch.
  const Values one = maps_of(grad_cam, Values(x_.begin(), x_.begin() + kSide * kSide), {1});
  testing::expect_near(one, Doubles(first.begin(), first.begin() + kSide * kSide), 1e-6, "map", 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Every, GradCamOf, ::testing::ValuesIn(kTails),
                         [](const ::testing::TestParamInfo<Tail>& tail) { return std::string(tail.param.name); });

std::string default_layer(const ModelSpec& spec) {
  return default_explained_layer(spec, {1, 96, 96, 1}, 2);
}

TEST(GradCam, ExplainsTheLastConvolutionBeforeItIsPooled) {
  EXPECT_EQ(default_layer(architecture("plain5")), "relu5");
  EXPECT_EQ(default_layer(architecture("lenet")), "relu3");
  EXPECT_EQ(default_layer(architecture("resnet18")), "relu5b2");
}

// Zhou et al., "Learning deep features for discriminative localization", CVPR 2016, equations 1 and 2: there the map is
// the sum of the A_k weighted by the dense layer, and its mean the logit without the bias.
TEST(GradCam, EqualsCamUpToScaleWhereAnAverageAndADenseLayerFollow) {
  const auto device = make_cpu_device(1);
  Model model(*device, architecture("resnet18"), {1, 64, 64, 1}, 2);
  stir(model);
  const Values x = testing::random_values(64 * 64, 61);
  GradCam grad_cam(model, 1);
  const Values map = maps_of(grad_cam, x, {1}), other = maps_of(grad_cam, x, {0});
  ASSERT_EQ(map.size(), 4u);
  ModelPlan& plan = model.prepare(1, false);
  std::copy(x.begin(), x.end(), static_cast<float*>(plan.input()));
  plan.forward({});
  const double logit = testing::floats_at(plan.logits(), 1)[0],
               bias = testing::parameters_of(model).at("dense.bias")[0];
  const double sum = std::accumulate(map.begin(), map.end(), 0.0) - std::accumulate(other.begin(), other.end(), 0.0);
  EXPECT_NEAR(sum, logit - bias, 1e-4 * std::abs(logit - bias));
  // Of each place one class has the evidence.
  for (std::size_t i = 0; i < map.size(); ++i) EXPECT_EQ(std::min(map[i], other[i]), 0.0f);
}

TEST(GradCam, RefusesLayersWithoutMapsAndSaysWhichHaveThem) {
  const auto device = make_cpu_device(1);
  Model model(*device, architecture("lenet"), {1, 32, 32, 1}, 2);
  const auto refusal = [&](const std::string& layer) {
    return testing::refused(ExitCode::kUsage, [&] { GradCam grad_cam(model, 1, layer); });
  };
  EXPECT_NE(refusal("dense1").find("those with maps are conv1, relu1, pool1"), std::string::npos) << refusal("dense1");
  EXPECT_NE(refusal("flatten"), "");
  EXPECT_NE(refusal("no such"), "");
  const ModelSpec no_convolution =
      parse_model_toml("name = 'flat'\n[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'dense'\n", "flat.toml");
  EXPECT_NE(testing::refused(ExitCode::kUsage, [&] { (void)default_layer(no_convolution); }).find("no convolution"),
            std::string::npos);
}

}  // namespace grad_cam_test
}  // namespace xrai
