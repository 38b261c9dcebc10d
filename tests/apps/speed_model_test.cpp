// The model of a step's speed on a card that is not here: what is counted, and what the sums come to.
#include "apps/bench/speed_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/errors.h"

namespace xrai {
namespace speed_model_test {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::refused;

BenchOptions on(const std::string& card, std::int64_t batch_size = 64) {
  BenchOptions options;
  options.device_model = card, options.batch_size = batch_size;
  return options;
}

double floor_us(const BenchOptions& options, const std::string& mode = "train") {
  return model_speed(options, mode)["step"]["floor_us"].get<double>();
}

std::string printed(const BenchOptions& options) {
  ::testing::internal::CaptureStdout();
  print_speed_model(model_speed(options, "train"));
  return ::testing::internal::GetCapturedStdout();
}

TEST(SpeedModel, CountsAConvolutionAsOneDoesByHand) {
  const auto device = make_modelled_device("no card", Precision::kBfloat16);
  const auto plan = device->plan(ConvolutionSpec{.input = {2, 5, 7, 3},
                                                 .filters = 4,
                                                 .window = {3, 3, 1, 1, 1, 1, 1, 1},
                                                 .bias = true,
                                                 .training = true,
                                                 .input_gradient = true});
  float dx = 0;
  plan->forward(nullptr, nullptr, nullptr, nullptr, nullptr);
  plan->backward(nullptr, nullptr, nullptr, nullptr, &dx, nullptr, nullptr, nullptr);
  const std::vector<Launch> launches = device->take_launches();
  constexpr double kX = 2 * 5 * 7 * 3, kY = 2 * 5 * 7 * 4, kWeights = 4 * 27, kFlops = 2 * kY * 27;
  const std::vector<std::tuple<std::string, double, double>> expected{
      {"convolution", kFlops, 2 * (kX + kWeights + 4 + kY)},
      {"column_sums", 0, 2 * kY + 4 * 4},
      {"filter_gradient", kFlops, 2 * (kX + kY + kWeights)},
      {"widen", 0, (2 + 4) * kWeights},
      {"data_gradient", kFlops, 2 * (kY + kWeights + kX)}};
  ASSERT_EQ(launches.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(std::tuple(launches[i].name, launches[i].flops, launches[i].bytes), expected[i]);
}

TEST(SpeedModel, ALaunchTakesTheLongerOfArithmeticAndMemoryAndItsStart) {
  const Roofline roof{100, 10, 1};
  const Launch product{"product", 1000, 50}, walk{"walk", 100, 50}, small{"small", 50, 5};
  EXPECT_EQ(roof.floor_us(product), 10 + 1);
  EXPECT_EQ(roof.floor_us(walk), 5 + 1);
  EXPECT_EQ(roof.floor_us(small), 0.5 + 1);
  EXPECT_STREQ(roof.bound(product), "arithmetic");
  EXPECT_STREQ(roof.bound(walk), "memory");
  EXPECT_STREQ(roof.bound(small), "launch");
}

TEST(SpeedModel, AStepIsTheSumOfItsPartsAndOfItsLaunches) {
  for (const char* mode : {"train", "infer"}) {
    const nlohmann::ordered_json result = model_speed(on("a100"), mode);
    const auto& step = result["step"];
    const auto sum = [&](const char* rows, const char* figure) {
      double total = 0;
      for (const auto& row : result[rows]) total += row[figure].get<double>();
      return total;
    };
    for (const char* figure : {"flops", "bytes", "floor_us"}) {
      const auto whole = step[figure].get<double>();
      EXPECT_NEAR(sum("parts", figure), whole, 1e-9 * whole) << figure;
      EXPECT_NEAR(sum("launches", figure), whole, 1e-9 * whole) << figure;
    }
    EXPECT_EQ(sum("parts", "launches"), step["launches"].get<double>());
    EXPECT_EQ(result["launches"].size(), step["launches"].get<std::size_t>());
    EXPECT_NEAR(sum("parts", "forward_us") + sum("parts", "backward_us"), step["floor_us"].get<double>(), 1e-6);
    EXPECT_NEAR(step["arithmetic_us"].get<double>() + step["memory_us"].get<double>() + step["launch_us"].get<double>(),
                step["floor_us"].get<double>(), 1e-6);
    EXPECT_NEAR(result["images_per_second"].get<double>(), 64e6 / step["floor_us"].get<double>(), 1e-6);
  }
}

TEST(SpeedModel, ALargerBatchTakesLongerButLessAPicture) {
  for (const std::string& card : card_words()) {
    double before = floor_us(on(card, 1));
    for (const std::int64_t batch : {2, 8, 64, 512}) {
      const double floor = floor_us(on(card, batch));
      EXPECT_GT(floor, before) << card << ", batch " << batch;
      EXPECT_LT(floor / static_cast<double>(batch), floor_us(on(card, 1))) << card << ", batch " << batch;
      before = floor;
    }
  }
}

TEST(SpeedModel, ASinglePictureIsAMatterOfLaunchesAndALargeBatchOfMemory) {
  EXPECT_EQ(model_speed(on("h100", 1), "train")["step"]["dominated_by"], "launch");
  EXPECT_EQ(model_speed(on("h100", 64), "train")["step"]["dominated_by"], "memory");
}

TEST(SpeedModel, HalfTheBytesAndFasterProductsMakeNarrowTypesFaster) {
  BenchOptions wide = on("a100"), rounded = on("a100"), narrow = on("a100");
  wide.precision = "fp32", rounded.precision = "tf32", narrow.precision = "bf16";
  EXPECT_GT(floor_us(wide), floor_us(rounded));
  EXPECT_GT(floor_us(rounded), 1.5 * floor_us(narrow));
}

TEST(SpeedModel, AnUnknownCardIsRefusedWithTheNearest) {
  EXPECT_THAT(refused(ExitCode::kUsage, [] { model_speed(on("a10"), "train"); }),
              AllOf(HasSubstr("did you mean a100?"), HasSubstr("t4, a100, h100")));
}

TEST(SpeedModel, ATypeThatACardLacksIsRefused) {
  BenchOptions options = on("t4");
  options.precision = "tf32";
  EXPECT_THAT(refused(ExitCode::kUsage, [&] { model_speed(options, "train"); }), HasSubstr("fp16 or fp32"));
  options.precision = "auto";
  EXPECT_EQ(model_speed(options, "train")["device_model"]["precision"], "fp32");
}

TEST(SpeedModel, SaysThatItIsOneWhereverItIsPrinted) {
  EXPECT_THAT(model_speed(on("h100"), "infer")["what"].get<std::string>(), HasSubstr("a model, not a measurement"));
  EXPECT_THAT(printed(on("h100")), AllOf(HasSubstr("modelled NVIDIA H100"), HasSubstr("a model, not a measurement")));
}

TEST(SpeedModel, ThePageShowsWhatIsPrinted) {
  std::ostringstream page;
  page << std::ifstream(XRAI_SOURCE "/docs/speed-model.md").rdbuf();
  for (const char* card : {"h100", "a100"})
    EXPECT_THAT(page.str(), HasSubstr(printed(on(card))))
        << "paste what xrai_bench train --device-model " << card << " prints";
}

}  // namespace speed_model_test
}  // namespace xrai
