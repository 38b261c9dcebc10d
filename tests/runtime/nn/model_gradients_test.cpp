// Whole networks on the CPU device against the same networks in double: every kind of layer, alone and joined with its
// neighbours, and every way in which one tensor can be read by several layers.
#include <gtest/gtest.h>

#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "tests/support/gradient_checker.h"

namespace xrai {
namespace {

using testing::expect_near;
using testing::GradientChecker;
using testing::Values;

struct Network {
  const char* name;
  const char* layers;  // TOML
  std::int64_t n_classes = 2;
};

void PrintTo(const Network& network, std::ostream* out) {
  *out << network.name;
}

#define CONV "[[layer]]\ntype = 'convolution'\nkernel = 3\npadding = 'same'\n"
#define HEAD "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n"
#define LAYER(words) "[[layer]]\ntype = '" words "'\n"

const Network kNetworks[] = {
    {"plain", CONV "filters = 5\nbias = false\n" LAYER("batch_norm") LAYER("relu") LAYER("max_pool") "kernel = 2\n"
              CONV "filters = 17\n" LAYER("batch_norm") LAYER("relu") HEAD},
    {"pooling_and_dense_layers",
     CONV "filters = 6\n" LAYER("relu") LAYER("max_pool") "kernel = 3\nstride = 2\npadding = 1\n" CONV
          "filters = 4\nstride = 2\n" LAYER("average_pool") "kernel = [2, 3]\nstride = 1\npadding = [0, 1, 1, 0]\n"
          LAYER("relu") LAYER("flatten") LAYER("dense") "units = 9\n" LAYER("relu") LAYER("dropout")
          "probability = 0.3\n" LAYER("dense")},
    {"norm_then_pool_without_relu",
     CONV "filters = 3\n" LAYER("batch_norm") LAYER("max_pool") "kernel = 2\n" CONV "filters = 4\n" LAYER("batch_norm")
          LAYER("average_pool") "kernel = 2\n" HEAD},
    {"residual_block",
     CONV "filters = 4\n" LAYER("relu") "name = 'in'\n" CONV "filters = 4\n" LAYER("batch_norm") LAYER("relu") CONV
          "filters = 4\n" LAYER("batch_norm") LAYER("add") "with = 'in'\n" LAYER("relu") LAYER("max_pool")
          "kernel = 2\n" HEAD},
    {"residual_with_projection",
     CONV "filters = 3\n" LAYER("relu") "name = 'in'\n" CONV "filters = 5\nstride = 2\n" LAYER("batch_norm")
          "name = 'body'\n" LAYER("convolution") "input = 'in'\nfilters = 5\nkernel = 1\nstride = 2\n"
          LAYER("batch_norm") "name = 'short'\n" LAYER("add") "input = 'body'\nwith = 'short'\n" LAYER("relu") HEAD},
    {"unfused_add",
     CONV "filters = 4\nname = 'a'\n" CONV "filters = 4\ninput = 'picture'\nname = 'b'\n" LAYER("add")
          "input = 'a'\nwith = 'b'\n" LAYER("relu") CONV "filters = 4\nname = 'c'\n" LAYER("add") "with = 'a'\n" HEAD},
    {"add_of_a_tensor_to_itself",
     CONV "filters = 4\n" LAYER("relu") "name = 'r'\n" LAYER("add") "with = 'r'\n" CONV "filters = 3\n" LAYER("batch_norm")
     "name = 'n'\n" LAYER("add") "with = 'n'\n" HEAD},
    {"three_readers_of_one_tensor",
     CONV "filters = 4\n" LAYER("batch_norm") LAYER("relu") "name = 'r'\n" CONV "filters = 4\nname = 'a'\n" CONV
          "filters = 4\ninput = 'r'\nname = 'b'\n" LAYER("add") "input = 'a'\nwith = 'b'\n" LAYER("add")
          "with = 'r'\n" HEAD},
    {"norm_takes_in_the_norm_before_it",
     CONV "filters = 4\n" LAYER("batch_norm") "name = 'n1'\n" CONV "filters = 4\n" LAYER("batch_norm") LAYER("add")
          "with = 'n1'\n" LAYER("relu") HEAD},
    {"residual_of_the_norms_own_input",
     CONV "filters = 4\nname = 'c'\n" LAYER("batch_norm") LAYER("add") "with = 'c'\n" LAYER("relu") HEAD},
    {"picture_added",
     CONV "filters = 1\n" LAYER("batch_norm") LAYER("add") "with = 'picture'\n" LAYER("relu") "name = 'r'\n"
     LAYER("relu") "input = 'picture'\nname = 'p'\n" LAYER("add") "input = 'p'\nwith = 'picture'\nname = 's'\n"
     LAYER("add") "input = 'r'\nwith = 's'\n" CONV "filters = 3\n" HEAD},
    {"norm_on_the_picture", LAYER("batch_norm") CONV "filters = 3\n" LAYER("relu") HEAD},
    {"norm_relu_pool_on_the_picture",
     LAYER("batch_norm") LAYER("relu") LAYER("max_pool") "kernel = 2\n" CONV "filters = 3\n" HEAD},
    {"nothing_learnt_before_the_head",
     LAYER("average_pool") "kernel = 3\n" LAYER("dropout") "probability = 0.2\n" LAYER("flatten") LAYER("dense")},
    {"two_dropouts",
     CONV "filters = 4\n" LAYER("relu") LAYER("dropout") "probability = 0.4\n" CONV "filters = 4\n" LAYER("batch_norm")
          LAYER("dropout") "probability = 0.1\n" HEAD},
    {"layers_behind_a_flatten",
     CONV "filters = 2\nstride = 3\n" LAYER("flatten") LAYER("batch_norm") LAYER("relu") LAYER("convolution")
     "kernel = 1\nfilters = 7\n" LAYER("relu") LAYER("global_average_pool") LAYER("dense")},
    {"global_average_of_a_flattened_map",
     CONV "filters = 2\nstride = 4\n" LAYER("flatten") LAYER("global_average_pool") LAYER("dense")},
    {"groups_and_three_classes",
     CONV "filters = 6\n" LAYER("relu") CONV "filters = 6\ngroups = 6\n" LAYER("batch_norm") LAYER("relu") CONV
          "filters = 9\ngroups = 3\nstride = [2, 1]\n" LAYER("relu") LAYER("global_average_pool") LAYER("dense")
          "bias = false\n", 3},
    {"ends_with_an_average",
     CONV "filters = 4\n" LAYER("relu") LAYER("convolution") "kernel = 1\nfilters = 1\n" LAYER("global_average_pool")
     LAYER("flatten")},
};

std::string toml_of(const Network& network) {
  return std::string("name = '") + network.name + "'\n" + network.layers;
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

TEST_P(NetworkGradients, InferenceUsesRunningStatisticsAndNoDropout) {
  for (int step = 0; step < 3; ++step) GradientChecker(model_, 4);  // feeds the running statistics
  ModelPlan& plan = model_.prepare(2, false);
  const Values x = testing::random_values(kPictureShape.count() * 2, 60);
  std::copy(x.begin(), x.end(), plan.input());
  plan.forward({});
  expect_near(Values(plan.logits(), plan.logits() + 2 * model_.n_logits()),
              testing::network_reference(model_, testing::parameters_of(model_), testing::widened(x), 2, false), 2e-5,
              "logits");
}

INSTANTIATE_TEST_SUITE_P(Every, NetworkGradients, ::testing::ValuesIn(kNetworks),
                         [](const ::testing::TestParamInfo<Network>& network) { return std::string(network.param.name); });

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

}  // namespace
}  // namespace xrai
