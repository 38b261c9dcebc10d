// What is joined into one walk over memory, and what must not be; places of tensors in the arena.
#include "runtime/nn/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "tests/support/random.h"

namespace xrai {
namespace graph_test {

using ::testing::Contains;
using ::testing::ElementsAre;

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> all;
  for (const Node& node : graph.nodes) all.push_back(node.name);
  return all;
}

Graph graph_of(const std::string& layers) {
  return build_graph(parse_model_toml(layers, "net.toml"), {1, 16, 16, 1}, 2);
}

TEST(Graphs, Plain5IsTwelveNodes) {
  EXPECT_THAT(names(build_graph(architecture("plain5"), {1, 64, 64, 1}, 2)),
              ElementsAre("conv1", "norm1+relu1+pool1", "conv2", "norm2+relu2+pool2", "conv3", "norm3+relu3+pool3",
                          "conv4", "norm4+relu4+pool4", "conv5", "norm5+relu5+pool5", "average", "dense"));
}

TEST(Graphs, LenetJoinsReluWithWhatIsBeforeItAndLosesFlatten) {
  EXPECT_THAT(names(build_graph(architecture("lenet"), {1, 64, 64, 1}, 2)),
              ElementsAre("conv1+relu1", "pool1", "conv2+relu2", "pool2", "conv3+relu3", "pool3", "dense1+relu4",
                          "dropout", "dense2"));
}

TEST(Graphs, Resnet18JoinsEveryAddition) {
  const Graph graph = build_graph(architecture("resnet18"), {1, 64, 64, 1}, 2);
  EXPECT_EQ(graph.nodes.size(), 3u + 8 * 4 + 3 * 2 + 2);
  EXPECT_THAT(names(graph), Contains("norm3a2+add3a+relu3a2"));
  EXPECT_THAT(names(graph), Contains("pool1"));  // 3x3 by 2: not the window that normalisation can take in
  int n_residual = 0;
  for (const Node& node : graph.nodes) {
    EXPECT_FALSE(std::holds_alternative<AddNode>(node.kind));
    const auto* norm = std::get_if<NormalisationNode>(&node.kind);
    n_residual += norm != nullptr && norm->residual ? 1 : 0;
  }
  EXPECT_EQ(n_residual, 8);
}

TEST(Graphs, EveryNodeComesAfterWhatItReads) {
  for (const std::string& name : architecture_names()) {
    const Graph graph = build_graph(architecture(name), {1, 64, 64, 1}, 2);
    std::vector<bool> there(graph.tensors.size(), false);
    there[0] = true;
    for (const Node& node : graph.nodes) {
      for (const int input : node.inputs) EXPECT_TRUE(there[static_cast<std::size_t>(input)]) << node.name;
      there[static_cast<std::size_t>(node.output)] = true;
    }
  }
}

TEST(Graphs, WhatSomeoneElseReadsIsNotJoinedAway) {
  const std::string conv = "[[layer]]\ntype='conv'\nfilters=1\nkernel=1\nname='c'\n";
  const std::string tail =
      "[[layer]]\ntype='relu'\nname='r'\n[[layer]]\ntype='add'\nname='a'\nwith='c'\n"
      "[[layer]]\ntype='global_average_pool'\nname='g'\n";
  EXPECT_THAT(names(graph_of(conv + tail)), ElementsAre("c", "r", "a", "g"));
}

TEST(Graphs, OnlyHalvingMaxPoolingIsTakenIntoANormalisation) {
  const std::string norm = "[[layer]]\ntype='batch_norm'\nname='n'\n",
                    end = "[[layer]]\ntype='global_average_pool'\nname='g'\n";
  const auto with = [&](const std::string& pool) {
    return names(graph_of(norm + "[[layer]]\nname='p'\n" + pool + end));
  };
  EXPECT_THAT(with("type='max_pool'\nkernel=2\n"), ElementsAre("n+p", "g"));
  EXPECT_THAT(with("type='average_pool'\nkernel=2\n"), ElementsAre("n", "p", "g"));
  EXPECT_THAT(with("type='max_pool'\nkernel=3\n"), ElementsAre("n", "p", "g"));
  EXPECT_THAT(with("type='max_pool'\nkernel=2\nstride=1\n"), ElementsAre("n", "p", "g"));
  EXPECT_THAT(with("type='max_pool'\nkernel=2\npadding=1\n"), ElementsAre("n", "p", "g"));
}

TEST(Graphs, BlocksAreOneNodeEachWhereADeviceHasThem) {
  EXPECT_THAT(names(build_graph(architecture("plain5"), {1, 64, 64, 1}, 2, Fusing::kBlocks)),
              ElementsAre("conv1+norm1+relu1+pool1", "conv2+norm2+relu2+pool2", "conv3+norm3+relu3+pool3",
                          "conv4+norm4+relu4+pool4", "conv5+norm5+relu5+pool5", "average", "dense"));
}

TEST(Graphs, OnlyTheKernelsOwnCaseIsAFirstBlock) {
  const auto first_node = [](const std::string& convolution, const std::string& pool) {
    const std::string layers = "[[layer]]\nname='c'\ntype='conv'\n" + convolution +
                               "[[layer]]\nname='n'\ntype='batch_norm'\n[[layer]]\nname='r'\ntype='relu'\n"
                               "[[layer]]\nname='p'\n" +
                               pool +
                               "[[layer]]\ntype='global_average_pool'\nname='g'\n[[layer]]\nname='d'\ntype='dense'\n";
    return build_graph(parse_model_toml(layers, "net.toml"), {1, 16, 16, 1}, 2, Fusing::kBlocks).nodes.front();
  };
  const auto is_first = [&](const std::string& convolution, const std::string& pool) {
    return std::holds_alternative<FirstBlockNode>(first_node(convolution, pool).kind);
  };
  const std::string same = "kernel=3\npadding='same'\nbias=false\n", halving = "type='max_pool'\nkernel=2\n";
  const std::string with_bias = "filters=16\nkernel=3\npadding='same'\nbias=true\n";
  EXPECT_TRUE(is_first("filters=16\n" + same, halving));
  EXPECT_FALSE(is_first("filters=8\n" + same, halving));
  EXPECT_FALSE(is_first(with_bias, halving));
  EXPECT_FALSE(is_first("filters=16\nkernel=5\npadding='same'\nbias=false\n", halving));
  EXPECT_FALSE(is_first("filters=16\n" + same, "type='average_pool'\nkernel=2\n"));
  // The others are blocks all the same, unless there is a bias; other pooling stays behind them.
  EXPECT_EQ(first_node("filters=8\n" + same, halving).name, "c+n+r+p");
  EXPECT_EQ(first_node("filters=16\n" + same, "type='average_pool'\nkernel=2\n").name, "c+n+r");
  EXPECT_EQ(first_node(with_bias, halving).name, "c");
}

TEST(Graphs, ABlockTakesAResidualInWhenItsLayersFollowEachOther) {
  const std::vector<std::string> all = names(build_graph(architecture("resnet18"), {1, 64, 64, 1}, 2, Fusing::kBlocks));
  const auto has = [&](const std::string& name) { return std::count(all.begin(), all.end(), name) == 1; };
  EXPECT_TRUE(has("conv2a1+norm2a1+relu2a1"));
  EXPECT_TRUE(has("conv2a2+norm2a2+add2a+relu2a2"));
  // Strides and other windows, too.
  for (const char* block : {"conv1+norm1+relu1", "conv3a1+norm3a1+relu3a1", "conv3a_shortcut+norm3a_shortcut"})
    EXPECT_TRUE(has(block)) << block;
  // A shortcut's layers are in between.
  for (const char* apart : {"conv3a2", "norm3a2+add3a+relu3a2"}) EXPECT_TRUE(has(apart)) << apart;
}

TEST(Graphs, ParametersHaveTheSamePlacesHoweverLayersAreJoined) {
  for (const std::string& name : architecture_names()) {
    const Graph all = build_graph(architecture(name), {1, 64, 64, 1}, 2, Fusing::kAll);
    const Graph apart = build_graph(architecture(name), {1, 64, 64, 1}, 2, Fusing::kNone);
    const Graph block = build_graph(architecture(name), {1, 64, 64, 1}, 2, Fusing::kBlocks);
    ASSERT_EQ(block.parameters.size(), all.parameters.size());
    ASSERT_EQ(apart.parameters.size(), all.parameters.size());
    for (std::size_t i = 0; i < all.parameters.size(); ++i) {
      EXPECT_EQ(apart.parameters[i].name, all.parameters[i].name);
      EXPECT_EQ(block.parameters[i].name, all.parameters[i].name);
      EXPECT_EQ(block.parameters[i].rectified, all.parameters[i].rectified) << all.parameters[i].name;
    }
  }
}

TEST(Graphs, WeightsBeforeAReluAreMarkedForTheInitialiser) {
  const Graph graph = build_graph(architecture("plain5"), {1, 64, 64, 1}, 2);
  for (const ParameterSpec& spec : graph.parameters)
    if (spec.role == ParameterRole::kWeight) {
      EXPECT_EQ(spec.rectified, spec.name != "dense.weight") << spec.name;
    }
}

bool overlap(std::size_t a, std::size_t a_bytes, std::size_t b, std::size_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

TEST(MemoryPlans, TensorsAliveTogetherNeverShareBytes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    testing::Random random(seed);
    std::vector<Lifetime> lives;
    for (std::int64_t i = random.whole(1, 40); i > 0; --i) {
      const int first = static_cast<int>(random.whole(-1, 30));
      const auto bytes = static_cast<std::size_t>(random.coin() ? random.whole(0, 200) : random.whole(1, 100000));
      lives.push_back({bytes, first, first + static_cast<int>(random.whole(0, 20))});
    }
    const MemoryPlan plan = plan_memory(lives);
    ASSERT_EQ(plan.offsets.size(), lives.size());
    EXPECT_GE(plan.total_bytes, peak_bytes(lives));
    for (std::size_t i = 0; i < lives.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % 256, 0u);
      EXPECT_LE(plan.offsets[i] + lives[i].bytes, plan.total_bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = lives[i].first <= lives[j].last && lives[j].first <= lives[i].last;
        ASSERT_FALSE(together && overlap(plan.offsets[i], lives[i].bytes, plan.offsets[j], lives[j].bytes))
            << "seed " << seed << ", items " << i << " and " << j;
      }
    }
  }
}

TEST(MemoryPlans, WhatIsNeverAliveTogetherSharesBytes) {
  EXPECT_EQ(plan_memory({{6400, 0, 1}, {6400, 2, 3}, {6400, 4, 5}}).total_bytes, 6400u);
  EXPECT_EQ(plan_memory({{6400, 0, 2}, {6400, 2, 3}}).total_bytes, 12800u);
  EXPECT_EQ(plan_memory({}).total_bytes, 0u);
}

TEST(MemoryPlans, ShippedModelsNeedLittleMoreThanWhatIsAliveAtOnce) {
  const auto device = make_cpu_device(1);
  for (const std::string& name : architecture_names())
    for (const bool training : {false, true}) {
      Model model(*device, architecture(name), {1, 96, 96, 1}, 2);
      const ModelPlan& plan = model.prepare(8, training);
      EXPECT_GE(plan.arena_bytes(), plan.peak_alive_bytes());
      EXPECT_LE(static_cast<double>(plan.arena_bytes()), 1.3 * static_cast<double>(plan.peak_alive_bytes()))
          << name << (training ? " training" : " inference");
    }
}

TEST(MemoryPlans, Plain5At224With64PicturesTrainsInHalfAGibibyte) {
  const auto device = make_cpu_device(1);
  Model model(*device, architecture("plain5"), {1, 224, 224, 1}, 2);
  EXPECT_LE(model.prepare(64, true).arena_bytes(), std::size_t{512} << 20);
  EXPECT_LE(model.prepare(64, false).arena_bytes(), std::size_t{256} << 20);
}

TEST(MemoryPlans, PlansOfOneModelTakeTurnsInTheLargestArena) {
  const auto device = make_cpu_device(1);
  Model model(*device, architecture("plain5"), {1, 32, 32, 1}, 2);
  const auto arena = model.prepare(8, true).arena();
  EXPECT_EQ(model.prepare(3, true).arena(), arena);
  EXPECT_EQ(model.prepare(8, false).arena(), arena);
  EXPECT_NE(model.prepare(16, true).arena(), arena);
  EXPECT_EQ(model.prepare(4, false).arena(), model.prepare(16, true).arena());
  EXPECT_EQ(model.prepare(8, true).arena(), arena) << "a plan that is there stays where it is";
}

TEST(MemoryPlans, Resnet18At224With64PicturesTrainsInLessThanAGibibyteAndScoresInAQuarter) {
  const auto device = make_cpu_device(1);
  Model model(*device, architecture("resnet18"), {1, 224, 224, 1}, 2);
  EXPECT_LE(model.prepare(64, true).arena_bytes(), std::size_t{900} << 20);
  EXPECT_LE(model.prepare(64, false).arena_bytes(), std::size_t{256} << 20);
}

}  // namespace graph_test
}  // namespace xrai
