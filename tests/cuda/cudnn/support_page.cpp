// The words of docs/gpu-support.md around the tables.
#include <fmt/format.h>

#include "tests/cuda/cudnn/support.h"

namespace xrai::testing {
namespace {

constexpr const char* kOpening = R"(# What cuDNN offers the shipped models, GPU by GPU

Written by `scripts/gpu_support`; a test compares it with the library. Not measured on cards: cuDNN {} was asked, without a
device, to make plans for GPUs described by their published properties (`tests/cuda/cudnn/devices.json`). A plan that
is ready has passed the library's own checks of shapes, types and hardware; its speed is not known from this.

Every plan taken is deterministic and needs a workspace of at most 256 MiB. `fp32` is true float32: no tensor cores, no
Winograd, no FFT. `tf32` may use tensor cores, which keep 10 bits of a factor's mantissa; cards before Ampere have none
for float and compute it as float32.

**What takes over where there is no plan:** before compute capability 8.0 (T4) cuDNN knows next to nothing in bfloat16. A pass
without a plan is then `convolution_kernel`, `data_gradient_kernel` or `filter_gradient_kernel` of `kernels/convolution.cu`
(products by tiles in shared memory, float32 sums, no tensor cores), a pooling those of `kernels/pooling.cu`, and a dense layer
that cuBLAS has no algorithm for a convolution. So `--precision bf16` works there, which helps to go on with what was trained on a
newer card; `fp16` is faster, and `auto` takes fp32. Everything else below is done by cuDNN on all of these cards. Batch
normalisation, its fused ReLU and 2x2 max pooling, global average pooling, bias gradients, losses and the optimiser are
kernels of ours everywhere; dense layers are cuBLAS.

Filter gradients and biases have the type of the activations: for bfloat16 and float16 the library has no engine that leaves
or takes float32 there. Sums inside are float32 in all rows.
)";

std::string header(const std::vector<SupportedGpu>& gpus) {
  std::string names = "| |", rule = "|---|";
  for (const SupportedGpu& gpu : gpus) {
    names += " " + gpu.name + " |";
    rule += "---|";
  }
  return names + "\n" + rule + "\n";
}

template <class CellsOf>
std::string table(const std::vector<SupportedGpu>& gpus, CellsOf cells_of) {
  std::string text = header(gpus);
  for (std::size_t row = 0; row < cells_of(gpus.front()).size(); ++row) {
    text += "| " + cells_of(gpus.front())[row].first + " |";
    for (const SupportedGpu& gpu : gpus) text += " " + cells_of(gpu).at(row).second + " |";
    text += "\n";
  }
  return text;
}

}  // namespace

std::string render_page(const std::vector<SupportedGpu>& gpus) {
  std::string page = fmt::format(kOpening, cudnn_version());
  page +=
      "\n## Convolutions: largest workspace in MiB at batch 1 / 32 / 256\n\n"
      "Forward (with bias and ReLU where the model has them), filter gradient, data gradient, each plan the first of "
      "the\n"
      "heuristics' list that the policy allows; or how many of the operations are left to our kernels.\n\n";
  page += table(gpus, [](const SupportedGpu& gpu) -> const Cells& { return gpu.convolutions.workspaces; });
  page += "\n## Convolutions on tensor cores, at batch 32\n\n";
  page += table(gpus, [](const SupportedGpu& gpu) -> const Cells& { return gpu.convolutions.tensor_cores; });
  page +=
      "\n## Pooling with a plan, at batch 32\n\n"
      "The windows of the models and 2x2 average pooling: forward with and without places of the maxima, gradient. "
      "cuDNN\n"
      "compiles these kernels when the plan is made, a third of a second each; other batches and 224 px are asked by\n"
      "`scripts/gpu_support --all`.\n\n";
  page += table(gpus, [](const SupportedGpu& gpu) -> const Cells& { return gpu.poolings.planned; });
  return page;
}

}  // namespace xrai::testing
