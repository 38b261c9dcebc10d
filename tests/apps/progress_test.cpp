#include "apps/support/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "apps/support/json_output.h"
#include "apps/support/run_program.h"
#include "runtime/core/error.h"

namespace xrai {
namespace progress_test {

using ::testing::HasSubstr;

TEST(Progress, DurationsReadLikeAClock) {
  EXPECT_EQ(duration_text(7.4), "0:07");
  EXPECT_EQ(duration_text(725), "12:05");
  EXPECT_EQ(duration_text(3725), "1:02:05");
  EXPECT_EQ(duration_text(-1), "0:00");
}

TEST(Progress, TheBarSaysShareRateAndRemainingTime) {
  const std::string bar = progress_bar({"import", "images", 250, 1000, 5.0, "loss 0.5"}, 120);
  for (const char* part : {"import [", " 25% ", "250/1000 images", "50 images/s", "ETA 0:15", "loss 0.5"})
    EXPECT_THAT(bar, HasSubstr(part));
}

TEST(Progress, NoTerminalIsTooNarrow) {
  for (int columns = 1; columns < 200; ++columns)
    EXPECT_LT(static_cast<int>(progress_bar({"import", "images", 250, 1000, 5.0, "loss 0.5"}, columns).size()),
              std::max(columns, 2));
}

TEST(Progress, NothingDoneAndNothingKnownAreFine) {
  EXPECT_THAT(progress_line({"import", "images", 0, 10, 0.0, ""}), HasSubstr("0/10 images"));
  EXPECT_THAT(progress_line({"import", "images", 5, 0, 1.0, ""}), HasSubstr("5 images, 5.0 images/s"));
  EXPECT_THAT(progress_line({"import", "images", 10, 10, 2.0, ""}), HasSubstr("took 0:02"));
}

TEST(JsonOutput, WhatIsNotFiniteBecomesNull) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const std::string text = json_text({{"a", nan}, {"b", {1.5, -infinity}}, {"c", "x"}});
  const auto read = nlohmann::json::parse(text);
  EXPECT_TRUE(read["a"].is_null());
  EXPECT_EQ(read["b"][0], 1.5);
  EXPECT_TRUE(read["b"][1].is_null());
}

TEST(JsonOutput, FileNamesNeedNotBeUtf8) {
  EXPECT_NO_THROW(json_text({{"path", "\xFF\xFE.png"}}));
}

TEST(RunProgram, ExceptionsBecomeTheirExitCodes) {
  EXPECT_EQ(run_program("p", [] { return 0; }), 0);
  EXPECT_EQ(run_program("p", []() -> int { throw Error(ExitCode::kBadData, "no"); }), 3);
  EXPECT_EQ(run_program("p", []() -> int { throw std::bad_alloc(); }), 5);
  EXPECT_EQ(run_program("p", []() -> int { throw std::logic_error("bug"); }), 1);
}

}  // namespace progress_test
}  // namespace xrai
