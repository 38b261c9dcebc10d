// Networks in whole numbers: which ones there are, what is said of the others, and how far their logits may be from
// those of float32.
#include "runtime/nn/byte_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/nn/byte_steps.h"
#include "runtime/nn/model.h"
#include "tests/support/errors.h"
#include "tests/support/int8.h"
#include "tests/support/random.h"

namespace xrai {
namespace byte_graph_test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::refused;
using testing::Values;

Graph blocks_of(const ModelSpec& spec) {
  return build_graph(spec, {1, 32, 32, 1}, 2, Fusing::kBlocks);
}

std::string refusal(const ModelSpec& spec) {
  return refused(ExitCode::kUsage, [&] { (void)byte_graph(blocks_of(spec), spec.name); });
}

const std::string kFirst =
    "name = 'mine'\n"
    "[[layer]]\nname = 'c1'\ntype = 'convolution'\nfilters = 16\nkernel = 3\npadding = 'same'\nbias = false\n"
    "[[layer]]\nname = 'n1'\ntype = 'batch_norm'\n[[layer]]\nname = 'r1'\ntype = 'relu'\n"
    "[[layer]]\nname = 'p1'\ntype = 'max_pool'\nkernel = 2\n";
const std::string kEnd =
    "[[layer]]\nname = 'average'\ntype = 'global_average_pool'\n[[layer]]\nname = 'dense'\ntype = 'dense'\n";

std::string convolution(const std::string& number, const std::string& more = "kernel = 3\npadding = 'same'\n") {
  return "[[layer]]\nname = 'c" + number + "'\ntype = 'convolution'\nfilters = 16\nbias = false\n" + more;
}
std::string normalisation(const std::string& number) {
  return "[[layer]]\nname = 'n" + number + "'\ntype = 'batch_norm'\n[[layer]]\nname = 'r" + number +
         "'\ntype = 'relu'\n";
}
ModelSpec with(const std::string& middle) {
  return parse_model_toml(kFirst + middle + kEnd, "mine.toml");
}

TEST(ByteGraph, BytesLieBetweenTheBlocksAndNowhereElse) {
  const Graph graph = byte_graph(blocks_of(architecture("plain5")), "plain5");
  EXPECT_THAT(graph.bytes, ElementsAre(false, true, true, true, true, false, false, false));
  EXPECT_TRUE(std::get<FirstBlockNode>(graph.nodes[0].kind).bytes);
  for (std::size_t i = 1; i < 5; ++i) {
    const auto& node = std::get<ByteBlockNode>(graph.nodes[i].kind);
    EXPECT_EQ(node.bytes, i < 4);
    EXPECT_EQ(node.before.shift + 3, node.block.normalisation.shift) << "weight, scale, shift a block";
  }
  EXPECT_TRUE(std::holds_alternative<GlobalAveragePoolNode>(graph.nodes[5].kind));
}

TEST(ByteGraph, WhatItCannotComputeIsNamed) {
  EXPECT_THAT(refusal(architecture("lenet")),
              AllOf(HasSubstr("conv1+relu1 of the model lenet"), HasSubstr("begin"), HasSubstr("fp32")));
  EXPECT_THAT(refusal(architecture("resnet18")), AllOf(HasSubstr("conv1"), HasSubstr("resnet18"), HasSubstr("begin")));
  EXPECT_THAT(refusal(with("")),
              AllOf(HasSubstr("c1+n1+r1+p1 of the model mine"), HasSubstr("no convolution follows")));
  EXPECT_THAT(refusal(with(convolution("2") + "[[layer]]\nname = 'r2'\ntype = 'relu'\n")),
              AllOf(HasSubstr("c2+r2 of"), HasSubstr("docs/int8.md")));
  EXPECT_THAT(refusal(with(convolution("2") + "[[layer]]\nname = 'n2'\ntype = 'batch_norm'\n")),
              AllOf(HasSubstr("c2+n2 of"), HasSubstr("no ReLU")));
  EXPECT_THAT(refusal(with("[[layer]]\nname = 'wide'\ntype = 'average_pool'\nkernel = 2\n" + convolution("2") +
                           normalisation("2"))),
              HasSubstr("wide of the model mine"));
  const std::string residual =
      "[[layer]]\nname = 'n3'\ntype = 'batch_norm'\n[[layer]]\nname = 'a'\ntype = "
      "'add'\nwith = 'r2'\n[[layer]]\nname = 'r3'\ntype = 'relu'\n";
  EXPECT_THAT(refusal(with(convolution("2") + normalisation("2") + convolution("3") + residual)),
              AllOf(HasSubstr("c3+n3+a+r3 of"), HasSubstr("adds")));
  EXPECT_THAT(refusal(with(convolution("2") + normalisation("2") + convolution("3") + normalisation("3") +
                           "[[layer]]\nname = 'a'\ntype = 'add'\nwith = 'r2'\n")),
              AllOf(HasSubstr("a of the model mine"), HasSubstr("bytes")));
}

class ByteNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!bytes_) GTEST_SKIP() << testing::kNoInt8;
  }

  static constexpr std::int64_t kPictures = 6, kSide = 40;

  /// Scales and shifts as training leaves them: others in every layer and channel.
  static void initialise(Model& model) {
    Parameters& parameters = model.parameters();
    parameters.initialise(3);
    testing::Random random(4);
    double spread = 0.2;
    for (const ParameterSpec& spec : parameters.specs()) {
      if (spec.role == ParameterRole::kNormScale) spread *= 1.5;
      for (float* value = parameters.values() + spec.offset; value < parameters.values() + spec.offset + spec.count();
           ++value) {
        if (spec.role == ParameterRole::kNormScale) *value = static_cast<float>(random.real(0.5, 1) * spread);
        if (spec.role == ParameterRole::kNormShift) *value = static_cast<float>(random.real(-0.5, 0.5) * spread);
      }
    }
  }
  static void see_pictures(Model& model, ModelPlan& plan) {
    const Values pictures = testing::random_values(kPictures * kSide * kSide, 9, -2, 2);
    model.device().upload(plan.input(), pictures.data(), pictures.size() * sizeof(float), Queue::kCompute);
  }
  /// What training leaves when it has seen the pictures often: with other statistics steps mean nothing.
  Values statistics_of(const ModelSpec& spec) const {
    Model model(*floats_, spec, {1, kSide, kSide, 1}, 2);
    initialise(model);
    ModelPlan& plan = model.prepare(kPictures, true);
    for (int step = 0; step < 60; ++step) see_pictures(model, plan), plan.forward({});
    return testing::floats_at(model.parameters().statistics(), model.parameters().statistics_count());
  }
  static Values logits(Device& device, const ModelSpec& spec, const Values& statistics) {
    Model model(device, spec, {1, kSide, kSide, 1}, 2);
    initialise(model);
    device.upload(model.parameters().statistics(), statistics.data(), statistics.size() * sizeof(float),
                  Queue::kCompute);
    ModelPlan& plan = model.prepare(kPictures, false);
    see_pictures(model, plan);
    plan.forward({});
    return testing::floats_at(plan.logits(), kPictures * model.n_logits());
  }

  std::unique_ptr<Device> floats_ = make_cpu_device(2), bytes_ = testing::make_int8_device();
};

// Pictures of noise, on which rounding shows most: with radiographs it is a hundredth (docs/int8.md).
TEST_F(ByteNetwork, HasTheLogitsOfFloat32ButForTheRounding) {
  const std::string wide =
      "[[layer]]\nname = 'c2'\ntype = 'convolution'\nfilters = 24\nbias = false\nkernel = 5\nstride = 2\npadding = "
      "'same'\n";
  for (const ModelSpec& spec : {architecture("plain5"), with(convolution("2") + normalisation("2")),
                                with(wide + normalisation("2") + convolution("3") + normalisation("3"))}) {
    const Values statistics = statistics_of(spec);
    const Values expected = logits(*floats_, spec, statistics), rounded = logits(*bytes_, spec, statistics);
    double whole = 0, off = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      whole += std::pow(expected[i], 2);
      off += std::pow(expected[i] - rounded[i], 2);
    }
    EXPECT_LT(std::sqrt(off), 0.1 * std::sqrt(whole)) << spec.name;
    EXPECT_GT(off, 0) << spec.name << " was computed in float";
  }
}

// Rounded to bytes it would be a number again.
TEST_F(ByteNetwork, AWeightThatIsNoNumberIsNoticedWhereverItIs) {
  const Graph graph = blocks_of(architecture("plain5"));
  for (const ParameterSpec& spec : graph.parameters) {
    Model model(*bytes_, architecture("plain5"), {1, 32, 32, 1}, 2);
    model.parameters().initialise(1);
    model.parameters().values()[spec.offset] = NAN;
    ModelPlan& plan = model.prepare(2, false);
    EXPECT_THAT(refused(ExitCode::kBadData, [&] { plan.forward({}); }), HasSubstr("not numbers")) << spec.name;
  }
  Model model(*bytes_, architecture("plain5"), {1, 32, 32, 1}, 2);
  model.parameters().initialise(1);
  model.parameters().statistics()[model.parameters().statistics_count() - 1] = INFINITY;
  ModelPlan& plan = model.prepare(2, false);
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { plan.forward({}); }), HasSubstr("not numbers"));
}

TEST_F(ByteNetwork, TakesLessMemory) {
  Model floats(*floats_, architecture("plain5"), {1, 64, 64, 1}, 2),
      bytes(*bytes_, architecture("plain5"), {1, 64, 64, 1}, 2);
  EXPECT_LT(2 * bytes.prepare(16, false).arena_bytes(), floats.prepare(16, false).arena_bytes());
}

TEST_F(ByteNetwork, IsNotTrained) {
  Model model(*bytes_, architecture("plain5"), {1, 64, 64, 1}, 2);
  EXPECT_THAT(refused(ExitCode::kUsage, [&] { (void)model.prepare(16, true); }), HasSubstr("scoring"));
}

TEST_F(ByteNetwork, ANetworkThatIsNotOfThisKindIsRefusedWhenItIsMade) {
  EXPECT_THAT(refused(ExitCode::kUsage,
                      [&] {
                        Model(*bytes_, architecture("lenet"), {1, 64, 64, 1}, 2);
                      }),
              HasSubstr("conv1+relu1"));
}

TEST(ByteSteps, ReachTwelveDeviationsAboveTheMeanOfTheWidestChannel) {
  const auto device = make_cpu_device(1);
  Model model(*device, with(convolution("2") + normalisation("2")), {1, 16, 16, 1}, 2);
  model.parameters().initialise(1);
  const auto& norm = std::get<FirstBlockNode>(model.graph().nodes[0].kind).normalisation;
  Parameters& parameters = model.parameters();
  const auto at = [&](int index) {
    return parameters.values() + parameters.specs()[static_cast<std::size_t>(index)].offset;
  };
  EXPECT_FLOAT_EQ(step_after(*device, parameters, norm), 12.0f / 255);
  at(norm.scale)[7] = -2, at(norm.shift)[7] = 1;
  EXPECT_FLOAT_EQ(step_after(*device, parameters, norm), 25.0f / 255);
  for (int c = 0; c < 16; ++c) at(norm.scale)[c] = 0, at(norm.shift)[c] = -1;
  EXPECT_EQ(step_after(*device, parameters, norm), 1) << "nothing gets through the ReLU";
  at(norm.scale)[3] = NAN;
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)step_after(*device, parameters, norm); }),
              HasSubstr("not a number"));
}

}  // namespace byte_graph_test
}  // namespace xrai
