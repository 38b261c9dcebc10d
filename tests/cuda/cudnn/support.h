// What cuDNN offers one described GPU, as the lines of docs/gpu-support.md, and what in it breaks a promise.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/cuda/cudnn/described_gpus.h"
#include "tests/cuda/cudnn/model_operations.h"

namespace xrai::testing {

/// Rows of one GPU's column: the row's name, and the cell.
using Cells = std::vector<std::pair<std::string, std::string>>;

struct ConvolutionSupport {
  Cells workspaces;    // largest of a row at each batch, or how many operations have no plan
  Cells tensor_cores;  // how many of a row's plans use them, at batch 32
  std::vector<std::string> complaints;
};
/// All models, sizes, precisions and batches. bfloat16 is asked of GPUs before compute capability 8.0 at batch 32 only:
/// the answer, that our kernels are needed, does not change.
ConvolutionSupport convolution_support(const DescribedGpu& gpu);

struct PoolingSupport {
  Cells planned;  // "8 of 8"
  std::vector<std::string> complaints;
};
PoolingSupport pooling_support(const DescribedGpu& gpu, std::int64_t batch, std::int64_t picture_size, Poolings which);

/// The page, from what all GPUs were found to support.
struct SupportedGpu {
  std::string name;
  ConvolutionSupport convolutions;
  PoolingSupport poolings;
};
std::string render_page(const std::vector<SupportedGpu>& gpus);
/// "9.19.0", of the library that runs.
std::string cudnn_version();

}  // namespace xrai::testing
