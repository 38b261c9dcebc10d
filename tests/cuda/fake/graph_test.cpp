// Capture and replay: the rules of capturing, and a graph's own edges as the only order of its nodes.
#include <gmock/gmock.h>

#include <utility>

#include "fake_fixture.h"

namespace xrai::fake {
namespace graph_test {

using ::testing::Each;

constexpr std::size_t kCount = 32, kBytes = kCount * sizeof(float);

enum class Join { kYes, kNo };

/// Uploads on one stream, computes on another, captured as one graph that begins and ends on the latter.
struct Step {
  cudaStream_t copies = new_stream(), work = new_stream();
  cudaEvent_t begun = new_event(), arrived = new_event();
  float* host = pinned(kCount, 1.0F);
  float *input = on_device(kCount), *output = on_device(kCount);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;

  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  ~Step() {
    if (executable != nullptr) cudaGraphExecDestroy(executable);
    if (graph != nullptr) cudaGraphDestroy(graph);
    for (float* memory : {input, output}) cudaFree(memory);
    cudaFreeHost(host);
    for (cudaEvent_t event : {begun, arrived}) cudaEventDestroy(event);
    for (cudaStream_t stream : {copies, work}) cudaStreamDestroy(stream);
  }

  // The join may come late: after the computation it orders nothing that matters.
  cudaError_t capture(Join before_compute = Join::kYes, Join at_end = Join::kNo) {
    cudaStreamBeginCapture(work, cudaStreamCaptureModeThreadLocal);
    cudaEventRecord(begun, work);
    cudaStreamWaitEvent(copies, begun, 0);
    cudaMemcpyAsync(input, host, kBytes, cudaMemcpyHostToDevice, copies);
    cudaEventRecord(arrived, copies);
    if (before_compute == Join::kYes) cudaStreamWaitEvent(work, arrived, 0);
    queue_increment(work, input, output, kCount);
    if (at_end == Join::kYes) cudaStreamWaitEvent(work, arrived, 0);
    return cudaStreamEndCapture(work, &graph);
  }
  void instantiate() { EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess); }
};

class Graphs : public UnderEveryPolicy {};
XRAI_UNDER_EVERY_POLICY(Graphs);

TEST_P(Graphs, ReplaysGiveRightResultsAndNoComplaint) {
  {
    Step step;
    ASSERT_EQ(step.capture(), cudaSuccess);
    step.instantiate();
    for (int i = 0; i < 3; ++i) {
      std::fill_n(step.host, kCount, static_cast<float>(i));
      EXPECT_EQ(cudaGraphLaunch(step.executable, step.work), cudaSuccess);
      EXPECT_EQ(cudaStreamSynchronize(step.work), cudaSuccess);
      EXPECT_THAT(download(step.output, kCount), Each(static_cast<float>(i) + 1));
    }
  }
  EXPECT_EQ(report().complaints(), "");
  EXPECT_EQ(report().graph_launches, 3);
  EXPECT_EQ(report().captures, 1);
}

TEST_P(Graphs, CapturingRunsNothing) {
  Step step;
  step.capture();
  cudaDeviceSynchronize();
  EXPECT_TRUE(report().executed.empty());
}

TEST_P(Graphs, MissingEdgeIsARaceInEveryReplayOrder) {
  Step step;
  ASSERT_EQ(step.capture(Join::kNo, Join::kYes), cudaSuccess);
  step.instantiate();
  cudaGraphLaunch(step.executable, step.work);
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 1);
}

TEST_P(Graphs, BranchesThatMeetAgainKeepAllTheirEdges) {
  Step step;
  float* third = on_device(kCount);
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeGlobal);
  cudaMemsetAsync(step.input, 0, kBytes, step.work);
  cudaEventRecord(step.begun, step.work);
  cudaStreamWaitEvent(step.copies, step.begun, 0);
  queue_increment(step.work, step.input, step.output, kCount);
  queue_increment(step.copies, step.input, third, kCount);
  cudaEventRecord(step.arrived, step.copies);
  cudaStreamWaitEvent(step.work, step.arrived, 0);
  queue_increment(step.work, third, step.input, kCount);
  ASSERT_EQ(cudaStreamEndCapture(step.work, &step.graph), cudaSuccess);
  step.instantiate();
  for (int i = 0; i < 2; ++i) cudaGraphLaunch(step.executable, step.work);
  cudaStreamSynchronize(step.work);
  EXPECT_TRUE(report().findings.empty()) << report().complaints();
  EXPECT_THAT(download(step.input, kCount), Each(2.0F));
}

TEST_P(Graphs, ReplaysOfOneGraphFollowEachOtherOnAnyStream) {
  Step step;
  step.capture();
  step.instantiate();
  cudaGraphLaunch(step.executable, step.work);
  cudaGraphLaunch(step.executable, step.copies);
  cudaDeviceSynchronize();
  EXPECT_TRUE(report().findings.empty()) << report().complaints();
}

TEST_P(Graphs, ReplayIsOrderedWithItsStream) {
  Step step;
  step.capture();
  step.instantiate();
  cudaMemsetAsync(step.input, 0, kBytes, step.work);
  cudaGraphLaunch(step.executable, step.work);
  queue_increment(step.work, step.output, step.output, kCount);
  cudaStreamSynchronize(step.work);
  EXPECT_TRUE(report().findings.empty()) << report().complaints();
  EXPECT_THAT(download(step.output, kCount), Each(3.0F));
}

TEST_P(Graphs, ReplayIsNotOrderedWithOtherStreams) {
  Step step;
  step.capture();
  step.instantiate();
  cudaMemsetAsync(step.input, 0, kBytes, step.copies);
  cudaGraphLaunch(step.executable, step.work);
  cudaDeviceSynchronize();
  EXPECT_GE(report().count(Fault::kRace), 1);
}

TEST_P(Graphs, HostBufferRefilledBeforeTheReplayIsOverIsReported) {
  Step step;
  step.capture();
  step.instantiate();
  cudaGraphLaunch(step.executable, step.work);
  step.host[0] = 7;
  cudaStreamSynchronize(step.work);
  EXPECT_EQ(report().count(Fault::kHostRace), 1);
}

TEST_P(Graphs, ExecutableOutlivesItsGraphAndMayGoBeforeItsLaunchIsOver) {
  Step step;
  step.capture();
  step.instantiate();
  cudaGraphDestroy(std::exchange(step.graph, nullptr));
  cudaGraphLaunch(step.executable, step.work);
  cudaGraphExecDestroy(std::exchange(step.executable, nullptr));
  cudaStreamSynchronize(step.work);
  EXPECT_THAT(download(step.output, kCount), Each(2.0F));
}

class Capturing : public OnLazyDevice {};

TEST_F(Capturing, ForkThatIsNeverJoinedEndsAsUnjoined) {
  Step step;
  EXPECT_EQ(step.capture(Join::kNo, Join::kNo), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(step.graph, nullptr);
}

TEST_F(Capturing, SynchronisingInvalidatesTheCapture) {
  Step step;
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeGlobal);
  EXPECT_EQ(cudaStreamSynchronize(step.work), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(step.work, &step.graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Capturing, AllocatingInvalidatesAGlobalCapture) {
  Step step;
  void* memory = nullptr;
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeGlobal);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(step.work, &step.graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Capturing, AllocatingIsAllowedInARelaxedCapture) {
  Step step;
  void* memory = nullptr;
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeRelaxed);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(step.work, &step.graph), cudaSuccess);
}

TEST_F(Capturing, WaitingForWhatWasNotCapturedIsRefused) {
  Step step;
  cudaEventRecord(step.arrived, step.copies);
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeGlobal);
  EXPECT_EQ(cudaStreamWaitEvent(step.work, step.arrived, 0), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(cudaStreamEndCapture(step.work, &step.graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Capturing, AskingForACapturedEventIsRefused) {
  Step step;
  step.capture();
  EXPECT_EQ(cudaEventSynchronize(step.arrived), cudaErrorCapturedEvent);
}

TEST_F(Capturing, DefaultStreamCannotBeCaptured) {
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal), cudaErrorStreamCaptureUnsupported);
}

TEST_F(Capturing, AnotherStreamCannotEndTheCapture) {
  Step step;
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeGlobal);
  cudaEventRecord(step.begun, step.work);
  cudaStreamWaitEvent(step.copies, step.begun, 0);
  EXPECT_EQ(cudaStreamEndCapture(step.copies, &step.graph), cudaErrorStreamCaptureUnmatched);
}

TEST_F(Capturing, StreamsSayWhetherTheyAreCaptured) {
  Step step;
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cudaStreamBeginCapture(step.work, cudaStreamCaptureModeGlobal);
  cudaStreamIsCapturing(step.work, &status);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  cudaStreamEndCapture(step.work, &step.graph);
  cudaStreamIsCapturing(step.work, &status);
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
}

TEST_F(Capturing, NodesAreCountedAndTyped) {
  Step step;
  step.capture();
  std::size_t count = 0;
  cudaGraphGetNodes(step.graph, nullptr, &count);
  ASSERT_EQ(count, 2U);
  cudaGraphNode_t nodes[2] = {};
  cudaGraphGetNodes(step.graph, nodes, &count);
  cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
  cudaGraphNodeGetType(nodes[0], &type);
  EXPECT_EQ(type, cudaGraphNodeTypeMemcpy);
}

TEST_F(Capturing, UpdateTakesAGraphOfTheSameShapeOnly) {
  Step step, same, other;
  step.capture();
  step.instantiate();
  same.capture();
  cudaStreamBeginCapture(other.work, cudaStreamCaptureModeGlobal);
  cudaMemsetAsync(other.input, 0, kBytes, other.work);
  cudaStreamEndCapture(other.work, &other.graph);
  cudaGraphExecUpdateResultInfo info{};
  EXPECT_EQ(cudaGraphExecUpdate(step.executable, other.graph, &info), cudaErrorGraphExecUpdateFailure);
  EXPECT_EQ(cudaGraphExecUpdate(step.executable, same.graph, &info), cudaSuccess);
  cudaGraphLaunch(step.executable, step.work);
  cudaStreamSynchronize(step.work);
  EXPECT_THAT(download(same.output, kCount), Each(2.0F));
}

TEST_F(Capturing, LeakedGraphsAreCounted) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaStream_t stream = new_stream();
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
  cudaStreamEndCapture(stream, &graph);
  cudaGraphInstantiate(&executable, graph, 0);
  EXPECT_EQ(report().leaks.graphs, 1);
  EXPECT_EQ(report().leaks.executable_graphs, 1);
}

TEST_F(Capturing, GraphDestroyedTwiceIsAFinding) {
  Step step;
  step.capture();
  cudaGraphDestroy(step.graph);
  EXPECT_EQ(cudaGraphDestroy(std::exchange(step.graph, nullptr)), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kInvalidHandle), 1);
}

}  // namespace graph_test
}  // namespace xrai::fake
