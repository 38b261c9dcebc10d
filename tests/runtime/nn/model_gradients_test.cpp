// Whole networks on the CPU device against the same networks in double: every kind of layer, alone and joined with its
// neighbours, and every way in which one tensor can be read by several layers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "tests/support/gradient_checker.h"

namespace xrai {
namespace model_gradients_test {

using testing::expect_near;
using testing::floats_at;
using testing::GradientChecker;
using testing::Values;

struct Network {
  const char* name;
  const char* layers;  // a line each: the type and its TOML keys
  std::int64_t n_classes = 2;
};

void PrintTo(const Network& network, std::ostream* out) {
  *out << network.name;
}

const Network kNetworks[] = {
    {"plain", R"(
      convolution filters=5 kernel=3 padding='same' bias=false
      batch_norm
      relu
      max_pool kernel=2
      convolution filters=17 kernel=3 padding='same'
      batch_norm
      relu
      global_average_pool
      dense)"},
    {"pooling_and_dense_layers", R"(
      convolution filters=6 kernel=3 padding='same'
      relu
      max_pool kernel=3 stride=2 padding=1
      convolution filters=4 kernel=3 padding='same' stride=2
      average_pool kernel=[2,3] stride=1 padding=[0,1,1,0]
      relu
      flatten
      dense units=9
      relu
      dropout probability=0.3
      dense)"},
    {"norm_then_pool_without_relu", R"(
      convolution filters=3 kernel=3 padding='same'
      batch_norm
      max_pool kernel=2
      convolution filters=4 kernel=3 padding='same'
      batch_norm
      average_pool kernel=2
      global_average_pool
      dense)"},
    {"residual_block", R"(
      convolution filters=4 kernel=3 padding='same'
      relu name='in'
      convolution filters=4 kernel=3 padding='same'
      batch_norm
      relu
      convolution filters=4 kernel=3 padding='same'
      batch_norm
      add with='in'
      relu
      max_pool kernel=2
      global_average_pool
      dense)"},
    {"residual_with_projection", R"(
      convolution filters=3 kernel=3 padding='same'
      relu name='in'
      convolution filters=5 kernel=3 padding='same' stride=2
      batch_norm name='body'
      convolution input='in' filters=5 kernel=1 stride=2
      batch_norm name='short'
      add input='body' with='short'
      relu
      global_average_pool
      dense)"},
    {"unfused_add", R"(
      convolution name='a' filters=4 kernel=3 padding='same'
      convolution name='b' input='picture' filters=4 kernel=3 padding='same'
      add input='a' with='b'
      relu
      convolution filters=4 kernel=3 padding='same'
      add with='a'
      global_average_pool
      dense)"},
    {"add_of_a_tensor_to_itself", R"(
      convolution filters=4 kernel=3 padding='same'
      relu name='r'
      add with='r'
      convolution filters=3 kernel=3 padding='same'
      batch_norm name='n'
      add with='n'
      global_average_pool
      dense)"},
    {"three_readers_of_one_tensor", R"(
      convolution filters=4 kernel=3 padding='same'
      batch_norm
      relu name='r'
      convolution name='a' filters=4 kernel=3 padding='same'
      convolution name='b' input='r' filters=4 kernel=3 padding='same'
      add input='a' with='b'
      add with='r'
      global_average_pool
      dense)"},
    {"norm_takes_in_the_norm_before_it", R"(
      convolution filters=4 kernel=3 padding='same'
      batch_norm name='n'
      convolution filters=4 kernel=3 padding='same'
      batch_norm
      add with='n'
      relu
      global_average_pool
      dense)"},
    {"residual_of_the_norms_own_input", R"(
      convolution name='c' filters=4 kernel=3 padding='same'
      batch_norm
      add with='c'
      relu
      global_average_pool
      dense)"},
    {"picture_added", R"(
      convolution filters=1 kernel=3 padding='same'
      batch_norm
      add with='picture'
      relu name='r'
      relu name='p' input='picture'
      add name='s' input='p' with='picture'
      add input='r' with='s'
      convolution filters=3 kernel=3 padding='same'
      global_average_pool
      dense)"},
    {"norm_on_the_picture", R"(
      batch_norm
      convolution filters=3 kernel=3 padding='same'
      relu
      global_average_pool
      dense)"},
    {"norm_relu_pool_on_the_picture", R"(
      batch_norm
      relu
      max_pool kernel=2
      convolution filters=3 kernel=3 padding='same'
      global_average_pool
      dense)"},
    {"nothing_learnt_before_the_head", R"(
      average_pool kernel=3
      dropout probability=0.2
      flatten
      dense)"},
    {"two_dropouts", R"(
      convolution filters=4 kernel=3 padding='same'
      relu
      dropout probability=0.4
      convolution filters=4 kernel=3 padding='same'
      batch_norm
      dropout probability=0.1
      global_average_pool
      dense)"},
    {"layers_behind_a_flatten", R"(
      convolution filters=2 kernel=3 padding='same' stride=3
      flatten
      batch_norm
      relu
      convolution filters=7 kernel=1
      relu
      global_average_pool
      dense)"},
    {"global_average_of_a_flattened_map", R"(
      convolution filters=2 kernel=3 padding='same' stride=4
      flatten
      global_average_pool
      dense)"},
    {"groups_and_three_classes", R"(
      convolution filters=6 kernel=3 padding='same'
      relu
      convolution filters=6 kernel=3 padding='same' groups=6
      batch_norm
      relu
      convolution filters=9 kernel=3 padding='same' groups=3 stride=[2,1]
      relu
      global_average_pool
      dense bias=false)",
     3},
    {"ends_with_an_average", R"(
      convolution filters=4 kernel=3 padding='same'
      relu
      convolution filters=1 kernel=1
      global_average_pool
      flatten)"},
};

std::string toml_of(const Network& network) {
  std::string text = std::string("name = '") + network.name + "'\n";
  std::istringstream lines(network.layers);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word)) continue;
    text += "[[layer]]\ntype = '" + word + "'\n";
    while (words >> word) text += word + "\n";
  }
  return text;
}

class NetworkGradients : public ::testing::TestWithParam<Network> {
 protected:
  // Odd sizes: rows and columns that pooling does not cover.
  static constexpr Shape kPictureShape{1, 9, 11, 1};

  NetworkGradients() {
    model_.parameters().initialise(3);
    // Scales and shifts of 1 and 0 would hide a mistake in either.
    for (const ParameterSpec& spec : model_.parameters().specs()) {
      if (spec.role == ParameterRole::kWeight) continue;
      const double centre = spec.role == ParameterRole::kNormScale ? 1 : 0;
      const Values values = testing::random_values(spec.count(), 50, centre - 0.5, centre + 0.5);
      std::copy(values.begin(), values.end(), model_.parameters().values() + spec.offset);
    }
  }

  std::unique_ptr<Device> device_ = make_cpu_device(1);
  Model model_{*device_, parse_model_toml(toml_of(GetParam()), "test.toml"), kPictureShape, GetParam().n_classes};
};

TEST_P(NetworkGradients, AgreeWithCentralDifferences) {
  const GradientChecker checker(model_, 4);
  checker.expect_logits();
  checker.expect_gradients();
}

TEST_P(NetworkGradients, AreRightForASmallerLastBatchToo) {
  const GradientChecker whole(model_, 4), partial(model_, 3);
  partial.expect_logits();
  partial.expect_gradients();
}

TEST_P(NetworkGradients, AreTheSameBitsTheSecondTime) {
  GradientChecker checker(model_, 4);
  const Values first = checker.gradients();
  checker.run();
  EXPECT_EQ(first, checker.gradients());
}

TEST_P(NetworkGradients, AreTheSameBitsWithCheckpointsAndFeedTheRunningStatisticsOnce) {
  const Model& model = model_;
  Model checkpointed(model_.device(), model.spec(), model.picture(), model.n_classes(), true);
  checkpointed.parameters().initialise(3);
  model_.parameters().initialise(3);
  EXPECT_EQ(GradientChecker(checkpointed, 4).gradients(), GradientChecker(model_, 4).gradients());
  const std::int64_t count = model_.parameters().statistics_count();
  EXPECT_EQ(floats_at(checkpointed.parameters().statistics(), count),
            floats_at(model_.parameters().statistics(), count));
}

TEST_P(NetworkGradients, InferenceUsesRunningStatisticsAndNoDropout) {
  for (int step = 0; step < 3; ++step) GradientChecker(model_, 4);  // feeds the running statistics
  ModelPlan& plan = model_.prepare(2, false);
  const Values x = testing::random_values(kPictureShape.count() * 2, 60);
  std::copy(x.begin(), x.end(), static_cast<float*>(plan.input()));
  plan.forward({});
  expect_near(floats_at(plan.logits(), 2 * model_.n_logits()),
              testing::network_reference(model_, testing::parameters_of(model_), testing::widened(x), 2, false), 2e-5,
              "logits");
}

INSTANTIATE_TEST_SUITE_P(Every, NetworkGradients, ::testing::ValuesIn(kNetworks),
                         [](const ::testing::TestParamInfo<Network>& network) {
                           return std::string(network.param.name);
                         });

class ShippedNetworkGradients : public ::testing::TestWithParam<std::pair<const char*, std::int64_t>> {};

TEST_P(ShippedNetworkGradients, AgreeWithCentralDifferences) {
  const auto [name, size] = GetParam();
  const auto device = make_cpu_device(1);
  Model model(*device, architecture(name), {1, size, size, 1}, 2);
  model.parameters().initialise(3);
  const GradientChecker checker(model, 2);
  checker.expect_logits(1e-4);
  checker.expect_gradients(1e-3);
}

INSTANTIATE_TEST_SUITE_P(Every, ShippedNetworkGradients,
                         ::testing::Values(std::pair{"plain5", 33}, std::pair{"lenet", 17}));

// Depth as people write it: TOML, ten blocks of which every second one takes in what went into the one before.
TEST(GradientCheckpointing, HalvesTheMemoryOfADeepNetworkAndChangesNoBit) {
  std::string layers =
      "name = 'deep'\n[[layer]]\ntype = 'convolution'\nfilters = 16\nkernel = 3\npadding = 'same'\n"
      "name = 'start'\n";
  for (int block = 0; block < 20; ++block) {
    layers +=
        "[[layer]]\ntype = 'convolution'\nfilters = 16\nkernel = 3\npadding = 'same'\nbias = false\n"
        "[[layer]]\ntype = 'batch_norm'\n";
    if (block % 2 == 1)
      layers += "[[layer]]\ntype = 'add'\nwith = '" + (block == 1 ? "start" : fmt::format("r{}", block - 2)) + "'\n";
    layers += fmt::format("[[layer]]\ntype = 'relu'\nname = 'r{}'\n", block);
  }
  layers +=
      "[[layer]]\ntype = 'dropout'\nprobability = 0.2\n[[layer]]\ntype = 'global_average_pool'\n"
      "[[layer]]\ntype = 'dense'\n";
  const auto device = make_cpu_device(1);
  std::vector<Values> gradients;
  std::vector<std::size_t> bytes;
  for (const bool checkpointing : {false, true}) {
    Model model(*device, parse_model_toml(layers, "deep.toml"), {1, 12, 12, 1}, 2, checkpointing);
    model.parameters().initialise(3);
    gradients.push_back(GradientChecker(model, 3).gradients());
    bytes.push_back(model.prepare(3, true).peak_alive_bytes() - model.prepare(3, true).workspace_bytes_at_peak());
  }
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_LE(2 * bytes[1], bytes[0]);
}

TEST(GradientCheckpointing, TakesLessMemoryForResnet18) {
  const auto device = make_cpu_device(1);
  const auto bytes = [&](bool checkpointing) {
    Model model(*device, architecture("resnet18"), {1, 128, 128, 1}, 2, checkpointing);
    return static_cast<double>(model.prepare(8, true).peak_alive_bytes());
  };
  EXPECT_LE(bytes(true), 0.8 * bytes(false));
}

TEST(Resnet18, SaysInInferenceWhatTheSameNetworkInDoubleSays) {
  const auto device = make_cpu_device(1);
  Model model(*device, architecture("resnet18"), {1, 33, 33, 1}, 2);
  model.parameters().initialise(3);
  ModelPlan& plan = model.prepare(1, false);
  const Values x = testing::random_values(33 * 33, 60);
  std::copy(x.begin(), x.end(), static_cast<float*>(plan.input()));
  plan.forward({});
  expect_near(floats_at(plan.logits(), 1),
              testing::network_reference(model, testing::parameters_of(model), testing::widened(x), 1, false), 1e-5,
              "logits");
}

}  // namespace model_gradients_test
}  // namespace xrai
