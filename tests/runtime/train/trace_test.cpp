// What a person sees of a training in a trace: which ranges, how many, and which inside which.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/core/chrome_trace.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"
#include "tests/support/trace_ranges.h"

namespace xrai {
namespace trace_test {

using ::testing::ElementsAre;
using testing::TemporaryFolder;
using testing::ToyRun;
using testing::TraceRange;

/// Two epochs of 7 steps with a log line every 3, each with a validation of 3 batches of 10, scored 7 at a time.
class TrainingTrace : public ::testing::Test {
 protected:
  void SetUp() override {
    TrainSettings settings = testing::toy_settings();
    settings.epochs = 2;
    ToyRun run(folder_.path(), settings);
    ChromeTrace trace;
    trace.name_thread("training");
    run.device->set_trace(&trace);
    run.run();
    trace.write(folder_ / "trace.json");
    ranges_ = testing::trace_ranges(folder_ / "trace.json");
    counts_ = testing::counted_paths(ranges_, "training");
  }
  /// Names of the ranges directly inside the nth range of this path.
  [[nodiscard]] std::vector<std::string> inside(const std::string& path, int nth = 0) const {
    auto range = ranges_.begin();
    for (; range != ranges_.end(); ++range)
      if (range->path == path && nth-- == 0) break;
    std::vector<std::string> names;
    for (auto next = range; next != ranges_.end() && (next == range || next->path != path); ++next) {
      const std::string start = path + " > ";
      if (!next->path.starts_with(start)) continue;
      const std::string name = next->path.substr(start.size());
      if (name.find(" > ") == std::string::npos) names.push_back(name);
    }
    return names;
  }
  TemporaryFolder folder_;
  std::vector<TraceRange> ranges_;
  std::map<std::string, int> counts_;
};

TEST_F(TrainingTrace, AStepIsUploadAugmentForwardLossBackwardUpdate) {
  EXPECT_EQ(counts_["epoch > step"], 14);
  for (const int nth : {0, 1, 8})
    EXPECT_THAT(
        inside("epoch > step", nth),
        ElementsAre("upload", "augment", "forward/convolution1+batch_norm2+relu3+max_pool4",
                    "forward/convolution5+relu6", "forward/dropout7", "forward/global_average_pool8", "forward/dense9",
                    "loss", "backward/dense9", "backward/global_average_pool8", "backward/dropout7",
                    "backward/convolution5+relu6", "backward/convolution1+batch_norm2+relu3+max_pool4", "update"))
        << nth;
}

TEST_F(TrainingTrace, AnEpochIsStepsThenAnEvaluationThenCheckpoints) {
  EXPECT_EQ(counts_["epoch"], 2);
  EXPECT_THAT(inside("epoch"), ElementsAre("wait-for-data", "step", "wait-for-data", "step", "wait-for-data", "step",
                                           "download", "wait-for-data", "step", "wait-for-data", "step",
                                           "wait-for-data", "step", "download", "wait-for-data", "step",
                                           "wait-for-data", "download", "evaluate", "checkpoint", "checkpoint"));
}

TEST_F(TrainingTrace, AnEvaluationGoesForwardOnly) {
  EXPECT_EQ(counts_["epoch > evaluate"], 2);
  EXPECT_EQ(counts_["epoch > evaluate > wait-for-data"], 8) << "three batches and the end";
  for (const char* name : {"upload", "augment", "forward/convolution5+relu6", "forward/dense9", "download"})
    EXPECT_EQ(counts_["epoch > evaluate > " + std::string(name)], 10) << name;
  EXPECT_EQ(counts_.count("epoch > evaluate > backward/dense9"), 0U);
}

TEST_F(TrainingTrace, TheNetworkIsTheSameWithAndWithout) {
  TrainSettings settings = testing::toy_settings();
  settings.epochs = 2;
  ToyRun run(folder_ / "untraced", settings);
  run.run();
  EXPECT_EQ(read_checkpoint(run.last()).checksum, read_checkpoint(folder_ / "checkpoints/last.h5").checksum);
}

}  // namespace trace_test
}  // namespace xrai
