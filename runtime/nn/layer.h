// A node of the graph made ready for one batch size on one device: its plan, and what it asks of memory.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "runtime/core/device.h"
#include "runtime/nn/graph.h"

namespace xrai {

/// Device memory of one call. Gradients of inputs are null where nobody wants them.
struct LayerMemory {
  const void* inputs[2] = {nullptr, nullptr};
  void* output = nullptr;
  void* output_gradient = nullptr;  // a layer may overwrite it
  void* input_gradients[2] = {nullptr, nullptr};
  void* saved = nullptr;  // from forward to backward, saved_bytes()
  void* workspace = nullptr;
};

/// What varies from step to step: keys of the random numbers, in device memory. Null: all zero.
using StepContext = const kernels::StepNumbers*;

class Layer {
 public:
  explicit Layer(std::string name) : name_(std::move(name)) {}
  virtual ~Layer() = default;
  [[nodiscard]] const std::string& name() const { return name_; }

  virtual void forward(const LayerMemory& memory, StepContext context) = 0;
  virtual void backward(const LayerMemory& memory, StepContext context) = 0;
  /// forward for a second time in a step: the same bits into output and saved, and nothing else: running statistics
  /// stay.
  virtual void forward_again(const LayerMemory& memory, StepContext context) { forward(memory, context); }
  /// The same bits into the output alone, from what is saved, the second input and, if repeat_reads_input(), the first.
  /// Only where repeats_output().
  virtual void output_again(const LayerMemory&) { throw std::logic_error("this layer cannot repeat its output"); }

  [[nodiscard]] virtual std::string implementation() const { return "xrai"; }
  [[nodiscard]] virtual std::size_t saved_bytes() const { return 0; }
  [[nodiscard]] virtual std::size_t workspace_bytes() const { return 0; }
  /// Beside all that, from the first forward on, of parameters that stay as they are.
  [[nodiscard]] virtual std::size_t kept_bytes() const { return 0; }
  /// The first one; of a second one backward only asks whether it is there.
  [[nodiscard]] virtual bool backward_reads_input() const { return false; }
  [[nodiscard]] virtual bool backward_reads_output() const { return false; }
  /// backward may write the first input's gradient over the first input.
  [[nodiscard]] virtual bool gradient_may_replace_input() const { return false; }
  /// forward may write the output over the first input.
  [[nodiscard]] virtual bool output_may_replace_input() const { return false; }
  [[nodiscard]] virtual bool repeats_output() const { return false; }
  [[nodiscard]] virtual bool repeat_reads_input() const { return true; }

 private:
  std::string name_;
};

struct LayerRequest {
  const Node& node;
  std::int64_t n = 1;           // images
  bool training = false;        // plans with batch statistics, dropout and backward
  bool input_gradient = false;  // of the first input
  bool explaining = false;      // plans with backward, too, but with running statistics and no dropout
  [[nodiscard]] bool has_backward() const { return training || explaining; }
};

/// Plans the node on the device. Parameters must outlive the layer.
std::unique_ptr<Layer> make_layer(Device& device, Parameters& parameters, const LayerRequest& request);

}  // namespace xrai
