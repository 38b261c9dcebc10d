// What a step launches on the CUDA device, name by name: a launch that comes or goes is noticed here. The device that
// xrai_bench models cards with must launch the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

#include "apps/bench/modelled_device.h"
#include "apps/bench/network_step.h"
#include "tests/cuda/device/doubled_card.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace launches_test {

using ::testing::HasSubstr;
using Counts = std::map<std::string, int>;

/// "moments" of the linker's name of an instance of moments_kernel.
std::string short_name(const std::string& name) {
  const std::size_t end = name.find("_kernel");
  if (end == std::string::npos) return name.starts_with("cuDNN convolution forward") ? "cuDNN forward" : name;
  const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::size_t begin = end;
  while (begin > 0 && in_word(name[begin - 1])) --begin;
  return name.substr(begin, end - begin);
}

Counts difference(const Counts& after, const Counts& before) {
  Counts counts;
  for (const auto& [name, count] : after) {
    const auto found = before.find(name);
    const int added = count - (found == before.end() ? 0 : found->second);
    if (added > 0) counts[short_name(name)] += added;
  }
  return counts;
}

// plain5 halves its maps five times.
BenchOptions small(const std::string& model) {
  BenchOptions options;
  options.model = model, options.size = model == "plain5" ? 32 : 12, options.batch_size = 2;
  return options;
}

/// Of the second step: nothing is made ready any more.
Counts launched(const BenchOptions& options, const std::string& precision, bool training) {
  const auto device = testing::fresh_cuda(precision);
  NetworkStep step(*device, options, training);
  step.queue();
  device->synchronize();
  const Counts before = fake::report().executed;
  step.queue();
  device->synchronize();
  EXPECT_EQ(testing::findings(), "");
  return difference(fake::report().executed, before);
}

/// The modelled device's words for what has another name, or shares one, on the CUDA device.
const std::map<std::string, std::string> kNames{{"convolution", "cuDNN forward"},
                                                {"filter_gradient", "cuDNN convolution filter gradient"},
                                                {"data_gradient", "cuDNN convolution data gradient"},
                                                {"pooling", "cuDNN pooling"},
                                                {"pooling_gradient", "cuDNN pooling gradient"},
                                                {"product", "cublasLtMatmul"},
                                                {"copy", "memcpy device to device"},
                                                {"widen", "map"},
                                                {"narrow", "map"},
                                                {"relu", "map"},
                                                {"relu_backward", "map_two"},
                                                {"add", "map_two"},
                                                {"column_sums", "sum_rows"},
                                                {"global_average_pool", "sum_rows"},
                                                {"global_average_pool_backward", "spread_rows"},
                                                {"loss", "binary_loss"},
                                                {"probabilities", "binary_probabilities"}};

Counts modelled(const BenchOptions& options, Precision precision, bool training) {
  const auto device = make_modelled_device("no card", precision);
  NetworkStep step(*device, options, training);
  device->take_launches();
  step.queue();
  Counts counts;
  for (const Launch& launch : device->take_launches()) {
    const auto found = kNames.find(launch.name);
    ++counts[found == kNames.end() ? launch.name : found->second];
  }
  return counts;
}

const Counts kPlain5InBfloat16{{"augment_whole", 1},
                               {"cuDNN forward", 5},
                               {"moments", 5},
                               {"merge_moments", 5},
                               {"normalise_and_pool", 5},
                               {"sum_rows", 2},  // global average, gradient of the dense layer's bias
                               {"cublasLtMatmul", 3},
                               {"binary_loss", 1},
                               {"spread_rows", 1},
                               {"winner_sums", 5},
                               {"merge_sums", 5},
                               {"window_gradient", 5},
                               {"cuDNN convolution filter gradient", 5},
                               {"map", 5},  // filter gradients made float
                               {"cuDNN convolution data gradient", 4},
                               {"decide", 1},
                               {"adamw", 1}};

TEST(Launches, OfAStepOfPlain5AreTheseAndNoOthers) {
  EXPECT_EQ(launched(small("plain5"), "bf16", true), kPlain5InBfloat16);
}

TEST(Launches, InFloat32NeedNothingMadeFloat) {
  Counts expected = kPlain5InBfloat16;
  expected.erase("map");
  EXPECT_EQ(launched(small("plain5"), "fp32", true), expected);
}

TEST(Launches, InFloat16KeepTheStatisticsAndMeasureTheGradient) {
  Counts expected = kPlain5InBfloat16;
  expected["memcpy device to device"] = expected["squares"] = expected["undo"] = 1;
  EXPECT_EQ(launched(small("plain5"), "fp16", true), expected);
}

TEST(Launches, ThatThePageShowsAreThese) {
  std::ostringstream page;
  page << std::ifstream(XRAI_SOURCE "/docs/cuda.md").rdbuf();
  int sum = 0;
  for (const auto& [name, count] : kPlain5InBfloat16) {
    EXPECT_THAT(page.str(), HasSubstr("| `" + name + "` | " + std::to_string(count) + " |"));
    sum += count;
  }
  EXPECT_THAT(page.str(), HasSubstr("| together | " + std::to_string(sum) + " |"));
}

/// What plain5 has none of: biases and ReLUs of convolutions and dense layers, a residual, pooling by the library,
/// dropout, an addition that nothing can be fused with.
constexpr const char* kBranches =
    "name = 'branches'\n"
    "[[layer]]\ntype = 'convolution'\nfilters = 8\nkernel = 3\npadding = 'same'\nname = 'before'\n"
    "[[layer]]\ntype = 'relu'\nname = 'between'\n"
    "[[layer]]\ntype = 'convolution'\nfilters = 8\nkernel = 3\npadding = 'same'\nbias = false\n"
    "[[layer]]\ntype = 'batch_norm'\n[[layer]]\ntype = 'add'\nwith = 'between'\n[[layer]]\ntype = 'relu'\n"
    "[[layer]]\ntype = 'max_pool'\nkernel = 3\nname = 'smaller'\n"
    "[[layer]]\ntype = 'dropout'\nprobability = 0.1\n[[layer]]\ntype = 'add'\nwith = 'smaller'\n"
    "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\nunits = 6\n[[layer]]\ntype = 'relu'\n"
    "[[layer]]\ntype = 'dense'\n";

TEST(Launches, OfTheModelledDeviceAreThoseOfTheCudaDevice) {
  const testing::TemporaryFolder folder;
  const std::string branches = (folder / "branches.toml").string();
  std::ofstream(branches) << kBranches;
  EXPECT_EQ(modelled(small("plain5"), Precision::kBfloat16, true), kPlain5InBfloat16);
  EXPECT_EQ(modelled(small("plain5"), Precision::kFloat32, false), launched(small("plain5"), "fp32", false));
  for (const bool training : {true, false})
    EXPECT_EQ(modelled(small(branches), Precision::kFloat16, training), launched(small(branches), "fp16", training))
        << (training ? "training" : "inference");
}

}  // namespace launches_test
}  // namespace xrai
