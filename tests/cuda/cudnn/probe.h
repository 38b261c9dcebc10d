// Asking cuDNN for plans in a process of its own: the library can end a process with a signal, and a test has to say at
// which question.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/cuda/cudnn_operations.h"
#include "tests/cuda/cudnn/described_gpus.h"

namespace xrai::testing {

struct Question {
  std::function<cuda::CudnnGraph(const cuda::CudnnTarget&)> graph;
  cuda::CudnnPolicy policy;
};

struct Answer {
  enum Kind { kPlanned, kNotOffered, kFailed, kCrashed };
  Kind kind = kCrashed;
  std::size_t workspace_bytes = 0;
  bool tensor_cores = false, deterministic = true;
  std::string words;  // the plan's description, or why there is none
};

/// One answer each. The child begins with a fresh library; after a crash another goes on behind the question at fault.
std::vector<Answer> ask(const DescribedGpu& gpu, const std::vector<Question>& questions);

}  // namespace xrai::testing
