// The order of calls and the lives of what they read and write, executed on paper: every read must find what it is
// meant to find in the bytes that the memory plan gives it, whatever was written over others in between.
#include "runtime/nn/call_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/random.h"

namespace xrai {
namespace call_plan_test {

/// What lies where: labels of memory items, gone as soon as anything overlapping is written.
class Paper {
 public:
  explicit Paper(const CallPlan& plan) : plan_(plan), memory_(plan_memory(plan.lives)) {}

  void write(int item, const std::string& label) {
    ASSERT_GE(item, 0) << label << " has no place";
    for (auto it = labels_.begin(); it != labels_.end();)
      it = it->first != item && overlap(it->first, item) ? labels_.erase(it) : std::next(it);
    labels_[item] = label;
  }
  void expect(int item, const std::string& label, const std::string& who) const {
    ASSERT_GE(item, 0) << who << " misses " << label;
    const auto found = labels_.find(item);
    EXPECT_EQ(found == labels_.end() ? "nothing" : found->second, label) << "for " << who;
  }
  [[nodiscard]] bool overlap(int a, int b) const {
    const std::size_t a_at = memory_.offsets[at(a)], b_at = memory_.offsets[at(b)];
    return a_at < b_at + plan_.lives[at(b)].bytes && b_at < a_at + plan_.lives[at(a)].bytes;
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  const CallPlan& plan_;
  MemoryPlan memory_;
  std::map<int, std::string> labels_;
};

std::string value(int tensor) {
  return "value " + std::to_string(tensor);
}
std::string saved(int layer) {
  return "saved " + std::to_string(layer);
}
// The sum of what so many readers have written.
std::string gradient(int tensor, int parts) {
  return "gradient " + std::to_string(tensor) + " of " + std::to_string(parts);
}

/// One step of a network: forward, loss, backward.
class Execution {
 public:
  Execution(const CallPlanRequest& request, const CallPlan& plan) : request_(request), plan_(plan), paper_(plan) {}

  void run() {
    paper_.write(plan_.picture, value(0));
    for (std::size_t k = 0; k < plan_.calls.size() && !::testing::Test::HasFatalFailure(); ++k) call(plan_.calls[k], k);
  }

 private:
  const LayerUse& layer(const Call& call) const { return request_.layers[static_cast<std::size_t>(call.layer)]; }

  void call(const Call& call, std::size_t step) {
    const std::string who = "step " + std::to_string(step) + ", layer " + std::to_string(call.layer);
    switch (call.kind) {
      case CallKind::kForward:
      case CallKind::kForwardAgain:
        return forward(call, who);
      case CallKind::kOutputAgain:
        return output_again(call, who);
      case CallKind::kLoss:
        paper_.expect(call.inputs[0], value(request_.layers.back().output), who);
        if (call.output_gradient >= 0) paper_.write(call.output_gradient, gradient(request_.layers.back().output, 0));
        return;
      case CallKind::kBackward:
        return backward(call, who);
    }
  }

  void forward(const Call& call, const std::string& who) {
    const LayerUse& use = layer(call);
    for (std::size_t k = 0; k < use.inputs.size(); ++k) paper_.expect(call.inputs[k], value(use.inputs[k]), who);
    if (use.workspace_bytes > 0) paper_.write(call.workspace, "workspace");
    if (use.saved_bytes > 0) paper_.write(call.saved, saved(call.layer));
    // An output may go over the first input alone, and only where the layer can do with that.
    for (std::size_t k = 0; k < use.inputs.size(); ++k)
      if (paper_.overlap(call.inputs[k], call.output)) {
        EXPECT_TRUE(call.inputs[k] == call.output && use.output_may_replace_input && use.inputs[k] == use.inputs[0])
            << who;
      }
    paper_.write(call.output, value(use.output));
    if (use.saved_bytes > 0) paper_.expect(call.saved, saved(call.layer), who);
  }

  void output_again(const Call& call, const std::string& who) {
    const LayerUse& use = layer(call);
    EXPECT_TRUE(use.repeats_output) << who;
    if (use.saved_bytes > 0) paper_.expect(call.saved, saved(call.layer), who);
    for (std::size_t k = use.repeat_reads_input ? 0 : 1; k < use.inputs.size(); ++k)
      paper_.expect(call.inputs[k], value(use.inputs[k]), who);
    paper_.write(call.output, value(use.output));
  }

  void backward(const Call& call, const std::string& who) {
    const LayerUse& use = layer(call);
    paper_.expect(call.output_gradient, gradient(use.output, readers(use.output)), who);
    if (use.workspace_bytes > 0) paper_.write(call.workspace, "workspace");
    if (use.saved_bytes > 0) paper_.expect(call.saved, saved(call.layer), who);
    if (use.backward_reads_input) paper_.expect(call.inputs[0], value(use.inputs[0]), who);
    if (use.backward_reads_output) paper_.expect(call.output, value(use.output), who);
    paper_.expect(call.output_gradient, gradient(use.output, readers(use.output)), who);
    for (std::size_t k = 0; k < use.inputs.size(); ++k) {
      const int t = use.inputs[k];
      if (!request_.differentiated[static_cast<std::size_t>(t)]) continue;
      const int item = call.input_gradients[k];
      if (k == 0 && use.backward_reads_input && paper_.overlap(item, call.inputs[0])) {
        EXPECT_TRUE(item == call.inputs[0] && use.gradient_may_replace_input) << who;
      }
      EXPECT_FALSE(paper_.overlap(item, call.output_gradient)) << who;
      paper_.write(item, "part of " + gradient(t, 1));
    }
    add_gradients(call, use, who);
  }

  void add_gradients(const Call& call, const LayerUse& use, const std::string& who) {
    for (std::size_t k = 0; k < use.inputs.size(); ++k) {
      const int t = use.inputs[k];
      if (!request_.differentiated[static_cast<std::size_t>(t)]) continue;
      paper_.expect(call.input_gradients[k], "part of " + gradient(t, 1), who);
      const int before = parts_[t]++;
      if (before > 0) paper_.expect(call.add_to[k], gradient(t, before), who);
      EXPECT_EQ(call.add_to[k] >= 0, before > 0) << who;
      paper_.write(before > 0 ? call.add_to[k] : call.input_gradients[k], gradient(t, before + 1));
    }
  }

  [[nodiscard]] int readers(int tensor) const {
    int count = 0;
    for (const LayerUse& use : request_.layers)
      count += static_cast<int>(std::count(use.inputs.begin(), use.inputs.end(), tensor));
    return count;
  }

  const CallPlanRequest& request_;
  const CallPlan& plan_;
  Paper paper_;
  std::map<int, int> parts_;  // gradients written so far, by tensor
};

/// A network whose every layer reads one tensor or two of those before it, and every tensor but the last is read.
CallPlanRequest random_network(testing::Random& random, Recompute recompute) {
  CallPlanRequest request;
  request.recompute = recompute;
  const auto n_layers = static_cast<int>(random.whole(1, 14));
  std::set<int> unread{0};
  for (int i = 0; i < n_layers; ++i) {
    LayerUse use;
    use.inputs.push_back(i);  // tensor i is the output of the layer before
    if (random.whole(0, 2) == 0) use.inputs.push_back(static_cast<int>(random.whole(0, i)));
    use.output = i + 1;
    use.saved_bytes = random.coin() ? static_cast<std::size_t>(random.whole(1, 5000)) : 0;
    use.workspace_bytes = random.coin() ? static_cast<std::size_t>(random.whole(1, 3000)) : 0;
    use.runs_backward = true;
    use.backward_reads_input = random.coin(), use.backward_reads_output = random.coin();
    use.gradient_may_replace_input = random.coin(), use.output_may_replace_input = random.coin();
    use.repeats_output = random.coin(), use.repeat_reads_input = random.coin();
    request.layers.push_back(use);
  }
  const bool equal = random.coin();  // sizes, so that things can take each other's place
  for (int t = 0; t <= n_layers; ++t)
    request.tensor_bytes.push_back(equal ? 4096 : static_cast<std::size_t>(random.whole(1, 9000)));
  request.differentiated.assign(request.tensor_bytes.size(), true);
  request.differentiated[0] = false;
  return request;
}

TEST(CallPlans, EveryReadFindsWhatItIsMeantToFind) {
  for (const Recompute recompute : {Recompute::kNothing, Recompute::kOutputs, Recompute::kSegments})
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      SCOPED_TRACE("recompute " + std::to_string(static_cast<int>(recompute)) + ", seed " + std::to_string(seed));
      testing::Random random(seed);
      const CallPlanRequest request = random_network(random, recompute);
      std::vector<int> ends;
      for (int i = 0; i + 1 < static_cast<int>(request.layers.size()) && recompute == Recompute::kSegments; ++i)
        if (random.whole(0, 2) == 0) ends.push_back(i);
      const CallPlan plan = plan_calls(request, ends);
      Execution(request, plan).run();
      if (::testing::Test::HasFailure()) return;
    }
}

TEST(CallPlans, ScoringKeepsNothing) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    testing::Random random(seed);
    CallPlanRequest request = random_network(random, Recompute::kNothing);
    request.differentiated.assign(request.tensor_bytes.size(), false);
    for (LayerUse& use : request.layers) use.runs_backward = false;
    const CallPlan plan = plan_calls(request);
    EXPECT_EQ(plan.calls.size(), request.layers.size() + 1);
    Execution(request, plan).run();
    if (::testing::Test::HasFailure()) return;
  }
}

/// Convolutions that save nothing, each with a normalisation behind it that writes over what it read.
CallPlanRequest chain(int n_layers, Recompute recompute) {
  CallPlanRequest request;
  request.recompute = recompute;
  request.tensor_bytes.push_back(1 << 20);
  for (int i = 0; i < n_layers; ++i) {
    LayerUse use;
    use.inputs = {i}, use.output = i + 1, use.runs_backward = true, use.backward_reads_input = true;
    use.repeats_output = i % 2 == 1, use.repeat_reads_input = true;
    request.layers.push_back(use);
    request.tensor_bytes.push_back(1 << 20);
  }
  request.differentiated.assign(request.tensor_bytes.size(), true);
  request.differentiated[0] = false;
  return request;
}

std::size_t mebibytes(const CallPlan& plan) {
  return plan_memory(plan.lives).total_bytes >> 20;
}

TEST(CallPlans, OutputsThatAreWrittenAgainAreNotKept) {
  EXPECT_GE(mebibytes(plan_calls(chain(40, Recompute::kNothing))), 41u);
  EXPECT_LE(mebibytes(plan_calls(chain(40, Recompute::kOutputs))), 25u);
}

TEST(CallPlans, InSegmentsMemoryGrowsAsTheRootOfTheDepth) {
  const auto of_depth = [](int depth) { return mebibytes(plan_calls(chain(depth, Recompute::kSegments))); };
  EXPECT_LE(of_depth(100), 22u);
  EXPECT_LE(of_depth(400), 42u);
}

TEST(CallPlans, NoLayerRunsForwardMoreThanTwice) {
  const CallPlanRequest request = chain(60, Recompute::kSegments);
  const CallPlan plan = plan_calls(request);
  std::map<int, int> forwards;
  for (const Call& call : plan.calls)
    forwards[call.layer] += call.kind == CallKind::kForward || call.kind == CallKind::kForwardAgain;
  for (const auto& [layer, count] : forwards) EXPECT_LE(count, 2) << layer;
}

}  // namespace call_plan_test
}  // namespace xrai
