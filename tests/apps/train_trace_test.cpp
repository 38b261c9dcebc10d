// xrai_gpu_train --trace and --profile-steps as a user meets them.
#include <gmock/gmock.h>

#include "runtime/core/error.h"
#include "tests/apps/training_runs.h"
#include "tests/support/trace_ranges.h"

namespace xrai {
namespace train_trace_test {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::counted_paths;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::quoted;
using testing::run_command;
using testing::text_of;
using testing::trace_ranges;

class TrainTrace : public testing::TrainingRuns {
 protected:
  [[nodiscard]] std::string traced(const std::string& more) const {
    return new_run("r", more + " --trace " + quoted(file()));
  }
  [[nodiscard]] fs::path file() const { return folder_ / "trace.json"; }
};

TEST_F(TrainTrace, HoldsTheTrainingAndTheLoaderBesideIt) {
  const auto result = run_command(traced("--epochs 2 --batch-size 8"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("perfetto"));
  const auto ranges = trace_ranges(file());
  auto training = counted_paths(ranges, "training"), loader = counted_paths(ranges, "loader, train");
  EXPECT_EQ(training["epoch"], 2);
  EXPECT_EQ(training["epoch > step"], 12);
  EXPECT_EQ(training["epoch > step > forward/conv1+norm1+relu1"], 12);
  EXPECT_EQ(training["epoch > evaluate"], 2);
  EXPECT_EQ(training["evaluate"], 1) << "of the best network, for the report";
  EXPECT_GE(loader["read"], 12);
}

TEST_F(TrainTrace, AFailedTrainingLeavesOneToo) {
  const auto result = run_command(traced("--epochs 2 --lr 1e30 --clip-norm 0 --log-interval 1"));
  EXPECT_EQ(result.exit_code, static_cast<int>(ExitCode::kDiverged)) << result.errors;
  EXPECT_GE(counted_paths(trace_ranges(file()), "training")["epoch > step"], 1);
}

TEST_F(TrainTrace, AFolderThatIsNotThereIsRefusedBeforeAnythingIsMade) {
  const auto result = run_command(new_run("r", "--trace " + quoted(folder_ / "missing" / "trace.json")));
  EXPECT_EQ(result.exit_code, static_cast<int>(ExitCode::kUsage));
  EXPECT_THAT(result.errors, AllOf(HasSubstr("--trace"), HasSubstr("missing")));
  EXPECT_FALSE(fs::exists(run("r")));
}

TEST_F(TrainTrace, ConcernsOneCallOnly) {
  ASSERT_EQ(run_command(traced("--epochs 1 --profile-steps 2")).exit_code, 0);
  EXPECT_THAT(text_of(run("r") / "config.toml"), AllOf(Not(HasSubstr("trace")), Not(HasSubstr("profil"))));
}

TEST_F(TrainTrace, TheCpuDeviceSaysThatItHasNoProfiler) {
  const auto result = run_command(new_run("r", "--epochs 1 --device cpu --profile-start-step 1 --profile-steps 1"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.errors, HasSubstr("no profiler"));
}

TEST_F(TrainTrace, AWindowBehindTheEndIsSaid) {
  const auto result = run_command(new_run("r", "--epochs 1 --profile-start-step 900 --profile-steps 5"));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.errors, HasSubstr("nothing was profiled: that was to begin with step 900"));
}

}  // namespace train_trace_test
}  // namespace xrai
