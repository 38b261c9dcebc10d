#include "runtime/nn/call_plan.h"

#include <algorithm>
#include <utility>

namespace xrai {
namespace {

class CallPlanner {
 public:
  /// segments[i]: the run of layers that layer i belongs to, numbered from 0 without gaps.
  CallPlanner(const CallPlanRequest& request, const std::vector<int>& segments)
      : request_(request), segments_(segments), tensors_(request.tensor_bytes.size()), saved_(request.layers.size()) {
    for (int i = 0; i < n_layers(); ++i) {
      for (const int input : layer(i).inputs) tensors_[at(input)].readers.push_back(i);
      tensors_[at(layer(i).output)].writer = i;
    }
    for (int t = 0; t < static_cast<int>(tensors_.size()); ++t) decide(t);
  }

  CallPlan plan() {
    tensors_[0].item = new_item(request_.tensor_bytes[0], -1);
    plan_.picture = tensors_[0].item;
    for (int i = 0; i < n_layers(); ++i) forward(i, CallKind::kForward);
    loss();
    for (int i = n_layers(); i-- > 0;)
      if (layer(i).runs_backward) backward(i);
    if (request_.explained >= 0) {
      const Tensor& explained = tensors_[at(request_.explained)];
      plan_.explained = explained.item, plan_.explained_gradient = explained.gradient;
      live(explained.item, step()), live(explained.gradient, step());
    }
    join_replaced();
    return std::move(plan_);
  }

 private:
  struct Tensor {
    std::vector<int> readers;
    int writer = -1;
    bool crosses = false;          // is read behind the end of its writer's segment
    bool again = false;            // what the backward pass reads is what kOutputAgain wrote
    bool there = false;            // whether it has been written for the backward pass
    int item = -1, gradient = -1;  // where it lies now
  };
  struct Saved {
    bool again = false, there = false;
    int item = -1;
  };
  // An output that went where the input of the layer had been, at the step at which it was written.
  struct Replacement {
    int input, output, step;
  };

  [[nodiscard]] int n_layers() const { return static_cast<int>(request_.layers.size()); }
  [[nodiscard]] const LayerUse& layer(int i) const { return request_.layers[at(i)]; }
  [[nodiscard]] int segment(int i) const { return segments_[at(i)]; }
  // Behind the last segment comes its backward pass at once: nothing of it is worth computing again.
  [[nodiscard]] bool runs_again(int i) const { return segment(i) != segments_.back(); }
  [[nodiscard]] int step() const { return static_cast<int>(plan_.calls.size()); }

  void decide(int t) {
    Tensor& tensor = tensors_[at(t)];
    if (tensor.writer < 0) return;
    tensor.crosses = std::any_of(tensor.readers.begin(), tensor.readers.end(),
                                 [&](int reader) { return segment(reader) != segment(tensor.writer); });
    const bool kept = tensor.crosses && runs_again(tensor.writer);
    tensor.again = request_.recompute != Recompute::kNothing && layer(tensor.writer).repeats_output && !kept &&
                   layer(tensor.writer).runs_backward && t != request_.explained;
    saved_[at(tensor.writer)].again = runs_again(tensor.writer);
  }

  int new_item(std::size_t bytes, int first) {
    plan_.lives.push_back({bytes, first, first});
    return static_cast<int>(plan_.lives.size()) - 1;
  }
  void live(int item, int last) {
    if (item >= 0) plan_.lives[at(item)].last = std::max(plan_.lives[at(item)].last, last);
  }

  // ---- forward, for the first time and again ------------------------------------------------------------------------

  Call call_of(CallKind kind, int i) {
    Call call{kind, i};
    for (std::size_t k = 0; k < layer(i).inputs.size(); ++k) call.inputs[k] = tensors_[at(layer(i).inputs[k])].item;
    call.saved = saved_[at(i)].item;
    if (layer(i).workspace_bytes > 0 && kind != CallKind::kOutputAgain)
      call.workspace = new_item(layer(i).workspace_bytes, step());
    return call;
  }
  void finish(const Call& call) {
    for (const int item : {call.inputs[0], call.inputs[1], call.output, call.saved, call.output_gradient,
                           call.input_gradients[0], call.input_gradients[1], call.add_to[0], call.add_to[1]})
      live(item, step());
    plan_.calls.push_back(call);
  }

  void forward(int i, CallKind kind) {
    Tensor& output = tensors_[at(layer(i).output)];
    if (layer(i).saved_bytes > 0) saved_[at(i)].item = new_item(layer(i).saved_bytes, step());
    // Again, it writes its own bits over what was kept.
    if (kind == CallKind::kForward || !output.crosses)
      output.item = new_item(request_.tensor_bytes[at(layer(i).output)], step());
    Call call = call_of(kind, i);
    call.output = output.item;
    if (kind == CallKind::kForward && layer(i).output_may_replace_input && layer(i).inputs[0] != 0)
      replacements_.push_back({call.inputs[0], call.output, step()});
    finish(call);
  }

  void loss() {
    Tensor& logits = tensors_[at(layer(n_layers() - 1).output)];
    if (request_.differentiated[at(layer(n_layers() - 1).output)])
      logits.gradient = new_item(request_.tensor_bytes[at(layer(n_layers() - 1).output)], step());
    Call call{CallKind::kLoss, -1};
    call.inputs[0] = logits.item, call.output_gradient = logits.gradient;
    finish(call);
  }

  // ---- what the backward pass finds ---------------------------------------------------------------------------------

  void need_saved(int i) {
    Saved& saved = saved_[at(i)];
    if (!saved.again || saved.there || layer(i).saved_bytes == 0) return;
    run_again(segment(i));
  }

  void need(int t) {
    Tensor& tensor = tensors_[at(t)];
    if (tensor.writer < 0 || tensor.there) return;
    if (runs_again(tensor.writer) && !tensor.crosses && !again_[at(segment(tensor.writer))])
      run_again(segment(tensor.writer));
    if (!tensor.again || tensor.there) return;
    tensor.there = true;
    const int i = tensor.writer;
    need_saved(i);
    // What was written or read just now is there anyway.
    if (plan_.lives[at(tensor.item)].last >= step() - 1) return;
    const bool reads_input = layer(i).repeat_reads_input;
    for (std::size_t k = reads_input ? 0 : 1; k < layer(i).inputs.size(); ++k) need(layer(i).inputs[k]);
    tensor.item = new_item(request_.tensor_bytes[at(t)], step());
    Call call = call_of(CallKind::kOutputAgain, i);
    if (!reads_input) call.inputs[0] = -1;
    call.output = tensor.item;
    finish(call);
  }

  void run_again(int which) {
    again_[at(which)] = true;
    for (int i = 0; i < n_layers(); ++i) {
      if (segment(i) != which) continue;
      saved_[at(i)].there = true;
      // A value that was kept is not wanted again for its own sake.
      if (layer(i).saved_bytes == 0 && tensors_[at(layer(i).output)].crosses) continue;
      forward(i, CallKind::kForwardAgain);
    }
  }

  // ---- backward -----------------------------------------------------------------------------------------------------

  // Whether the gradient may lie where the value is: its one reader has just been through with it.
  [[nodiscard]] bool over_value(int t) const {
    const Tensor& tensor = tensors_[at(t)];
    const int reader = tensor.readers[0];
    return t != request_.explained && tensor.readers.size() == 1 && !layer(tensor.writer).backward_reads_output &&
           layer(reader).inputs[0] == t && layer(reader).gradient_may_replace_input && !tensor.crosses;
  }

  // Who runs backward first writes the gradient itself, the others write aside and are added. Both inputs of one layer
  // may be the same tensor.
  void add_gradient(Call& call, int k) {
    const int t = layer(call.layer).inputs[at(k)];
    if (!request_.differentiated[at(t)]) return;
    Tensor& tensor = tensors_[at(t)];
    if (tensor.gradient >= 0) call.add_to[k] = tensor.gradient;
    call.input_gradients[k] =
        tensor.gradient < 0 && over_value(t) ? tensor.item : new_item(request_.tensor_bytes[at(t)], step());
    if (tensor.gradient < 0) tensor.gradient = call.input_gradients[k];
  }

  void backward(int i) {
    const LayerUse& use = layer(i);
    need_saved(i);
    if (use.backward_reads_output) need(use.output);
    if (use.backward_reads_input) need(use.inputs[0]);
    Call call = call_of(CallKind::kBackward, i);
    if (!use.backward_reads_input) call.inputs[0] = -1;
    // Where these were is told, what is there now is not read.
    const int second = std::exchange(call.inputs[1], -1), output = tensors_[at(use.output)].item;
    if (use.backward_reads_output) call.output = output;
    call.output_gradient = tensors_[at(use.output)].gradient;
    for (int k = 0; k < static_cast<int>(use.inputs.size()); ++k) add_gradient(call, k);
    finish(call);
    plan_.calls.back().inputs[1] = second, plan_.calls.back().output = output;
  }

  // An output takes its input's place when nobody reads the input any more.
  void join_replaced() {
    std::vector<int> place(plan_.lives.size());
    for (std::size_t item = 0; item < place.size(); ++item) place[item] = static_cast<int>(item);
    for (const Replacement& r : replacements_) {
      Lifetime& input = plan_.lives[at(place[at(r.input)])];
      const Lifetime output = plan_.lives[at(r.output)];
      if (input.bytes != output.bytes || input.last != r.step) continue;
      input.last = output.last;
      plan_.lives[at(r.output)].bytes = 0;
      place[at(r.output)] = place[at(r.input)];
    }
    const auto moved = [&](int item) { return item < 0 ? item : place[at(item)]; };
    for (Call& call : plan_.calls)
      for (int* item : {&call.inputs[0], &call.inputs[1], &call.output, &call.saved, &call.output_gradient,
                        &call.input_gradients[0], &call.input_gradients[1], &call.add_to[0], &call.add_to[1]})
        *item = moved(*item);
    plan_.explained = moved(plan_.explained);
  }

  const CallPlanRequest& request_;
  const std::vector<int>& segments_;
  std::vector<Tensor> tensors_;
  std::vector<Saved> saved_;                                                      // (layers)
  std::vector<bool> again_ = std::vector<bool>(at(segments_.back() + 1), false);  // (segments)
  std::vector<Replacement> replacements_;
  CallPlan plan_;
};

// Behind which layers a `shares`-th of what all layers write and save has come together.
std::vector<int> equal_shares(const CallPlanRequest& request, int shares) {
  std::size_t total = 0, so_far = 0;
  const auto bytes = [&](const LayerUse& layer) { return request.tensor_bytes[at(layer.output)] + layer.saved_bytes; };
  for (const LayerUse& layer : request.layers) total += bytes(layer);
  std::vector<int> ends;
  for (int i = 0; i + 1 < static_cast<int>(request.layers.size()); ++i) {
    so_far += bytes(request.layers[at(i)]);
    if (so_far * at(shares) < total) continue;
    ends.push_back(i);
    so_far = 0;
  }
  return ends;
}

/// The best division that was seen, and how to look for a better one.
class SegmentSearch {
 public:
  explicit SegmentSearch(const CallPlanRequest& request) : request_(request) { try_out({}); }

  bool try_out(const std::vector<int>& ends) {
    CallPlan plan = plan_calls(request_, ends);
    const std::size_t bytes = peak_bytes(plan.lives);
    if (bytes >= least_ && !best_.calls.empty()) return false;
    least_ = bytes, ends_ = ends, best_ = std::move(plan);
    return true;
  }
  // One round of moves, each of one end; whether any helped.
  bool improve() {
    bool helped = false;
    for (std::size_t k = 0; k < ends_.size(); ++k) {
      for (const int by : {-1, 1}) {
        std::vector<int> moved = ends_;
        moved[k] += by;
        if (fits(moved, k)) helped = try_out(moved) || helped;
      }
      std::vector<int> joined;
      for (std::size_t other = 0; other < ends_.size(); ++other)
        if (other != k) joined.push_back(ends_[other]);
      helped = try_out(joined) || helped;
    }
    return helped;
  }
  CallPlan take() { return std::move(best_); }

 private:
  [[nodiscard]] bool fits(const std::vector<int>& ends, std::size_t k) const {
    const int before = k == 0 ? -1 : ends[k - 1];
    const int behind = k + 1 < ends.size() ? ends[k + 1] : static_cast<int>(request_.layers.size()) - 1;
    return before < ends[k] && ends[k] < behind;
  }

  const CallPlanRequest& request_;
  CallPlan best_;
  std::vector<int> ends_;
  std::size_t least_ = 0;
};

}  // namespace

CallPlan plan_calls(const CallPlanRequest& request, const std::vector<int>& ends) {
  std::vector<int> segments(request.layers.size(), 0);
  for (const int end : ends)
    for (std::size_t i = at(end) + 1; i < segments.size(); ++i) ++segments[i];
  return CallPlanner(request, segments).plan();
}

CallPlan plan_calls(const CallPlanRequest& request) {
  if (request.recompute != Recompute::kSegments) return plan_calls(request, {});
  SegmentSearch search(request);
  for (int shares = 2; shares <= static_cast<int>(request.layers.size()); ++shares)
    search.try_out(equal_shares(request, shares));
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds && search.improve(); ++round) continue;
  return search.take();
}

}  // namespace xrai
