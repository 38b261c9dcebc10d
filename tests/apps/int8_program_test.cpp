// --precision int8 as people meet it: what it does to the figures of a network that has learnt something, and what is
// said where it cannot be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/int8.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace int8_program_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::run_command;

class Int8Programs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::make_int8_device()) GTEST_SKIP() << testing::kNoInt8;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return "'" + (folder_ / name).string() + "'"; }

  /// Synthetic radiographs, and a network that tells them apart so far that its AUROC can be lost.
  void train() const {
    const auto drawn = run_command("xrai_dataset synth " + path("set.h5") + " --images 500 --size 32 --seed 3");
    ASSERT_EQ(drawn.exit_code, 0) << drawn.errors;
    const auto trained = run_command("xrai_gpu_train --device cpu --members 1 --data " + path("set.h5") + " --out " +
                                     path("run") + " --quiet");
    ASSERT_EQ(trained.exit_code, 0) << trained.errors;
  }
  [[nodiscard]] json evaluated(const std::string& precision) const {
    const auto result = run_command("xrai_evaluate --device cpu --checkpoint " + path("run") + " --data " +
                                    path("set.h5") + " --split train --json --precision " + precision);
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return result.exit_code == 0 ? json::parse(result.output) : json{};
  }
  testing::TemporaryFolder folder_;
};

// With radiographs it holds within a thousandth (docs/int8.md); a network that has learnt as little as this one has
// many scores next to each other.
TEST_F(Int8Programs, AurocHolds) {
  train();
  const json floats = evaluated("fp32"), bytes = evaluated("int8");
  EXPECT_EQ(floats["device"], "cpu");
  EXPECT_EQ(bytes["device"], "cpu, int8");
  const double auroc = floats["metrics"]["auroc"]["value"];
  EXPECT_GT(auroc, 0.6) << "a network that learnt nothing has nothing to lose";
  EXPECT_NEAR(bytes["metrics"]["auroc"]["value"].get<double>(), auroc, 0.003);
  EXPECT_NE(bytes["metrics"]["brier"]["value"], floats["metrics"]["brier"]["value"]) << "float was computed";
}

TEST_F(Int8Programs, WhereItCannotBeTheSentenceSaysWhatToTake) {
  const auto refused = [](const std::string& command) {
    const auto result = run_command(command + " --precision int8");
    EXPECT_EQ(result.exit_code, 2) << command;
    return result.errors;
  };
  EXPECT_THAT(refused("xrai_predict --checkpoint nowhere --device cuda picture.png"),
              AllOf(HasSubstr("int8 is the CPU's"), HasSubstr("--device cpu")));
  EXPECT_THAT(refused("xrai_gpu_train --data set.h5 --out run"), HasSubstr("int8"));
  EXPECT_THAT(refused("xrai_bench train --size 32 --batch-size 2"), HasSubstr("scoring"));
  EXPECT_THAT(refused("xrai_bench infer --size 32 --batch-size 2 --model lenet"), HasSubstr("conv1+relu1"));
}

TEST_F(Int8Programs, AProcessorThatAddsUpIn16BitsIsRefused) {
  const auto result = testing::run_shell("DNNL_MAX_CPU_ISA=AVX2 " + std::string(XRAI_BIN) +
                                         "/xrai_bench infer --size 32 --batch-size 2 --precision int8");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.errors, AllOf(HasSubstr("VNNI"), HasSubstr("--precision fp32")));
}

}  // namespace int8_program_test
}  // namespace xrai
