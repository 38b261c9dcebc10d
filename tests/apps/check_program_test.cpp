// xrai_check as people start it on a machine without a card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/support/devices.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace check_program_test {

using ::testing::HasSubstr;
using testing::run_command;

TEST(CheckProgram, HoldsManyThreadsAgainstOne) {
  const auto result = run_command("xrai_check --device cpu --size 32 --batch-size 4 --steps 2");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("agree with the CPU device"));
  EXPECT_THAT(result.output, HasSubstr("gradient of"));
}

TEST(CheckProgram, JsonIsAllThatIsOnStandardOutput) {
  const auto json = nlohmann::json::parse(
      run_command("xrai_check --device cpu --model lenet --size 32 --batch-size 4 --steps 1 --json").output);
  EXPECT_EQ(json.at("holds"), true);
  EXPECT_GT(json.at("tensors").size(), 5u);
  EXPECT_GT(json.at("speed").at("copy_gb_per_s"), 0);
}

// How often the loader reports itself, which it does where a program begins.
std::int64_t starts_of(const std::string& command) {
  const auto result = testing::run_shell("unset OMP_WAIT_POLICY GOMP_SPINCOUNT; LD_DEBUG=statistics " +
                                         std::string(XRAI_BIN) + "/" + command);
  std::int64_t starts = 0;
  const std::string report = "total startup time in dynamic loader";
  for (std::size_t at = result.errors.find(report); at != std::string::npos; at = result.errors.find(report, at + 1))
    ++starts;
  return starts;
}

TEST(CheckProgram, StartsASecondTimeToComputeAndNotToAnswer) {
  if (starts_of("xrai_info --help") == 0) GTEST_SKIP() << "the loader reports nothing here";
  for (const char* question : {"--help", "-h", "--version", "--completion bash"})
    EXPECT_EQ(starts_of(std::string("xrai_check ") + question), 1) << question;
  EXPECT_EQ(starts_of("xrai_check --no-such-option"), 2);
}

TEST(CheckProgram, WithoutACardItEndsWithItsOwnExitCode) {
  for (const DeviceStatus& status : device_statuses())
    if (status.name.starts_with("cuda") && status.usable) GTEST_SKIP() << "there is a card: " << status.description;
  const auto result = run_command("xrai_check");
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.errors, HasSubstr("--device cuda cannot be used"));
}

}  // namespace check_program_test
}  // namespace xrai
