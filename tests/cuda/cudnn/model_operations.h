// Every convolution and pooling that the shipped models ask of cuDNN, at the sizes and batches that the promise covers,
// as questions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/cuda/cudnn/probe.h"

namespace xrai::testing {

constexpr std::int64_t kPictureSizes[] = {96, 224};  // of recipes/best.toml, and the one of the literature
constexpr std::int64_t kBatches[] = {1, 32, 256};

/// One line of a table: what belongs together, and the questions behind it.
struct Group {
  std::string row;  // "plain5, 96 px, bf16"
  std::int64_t batch = 0;
  std::vector<std::string> operations;  // one a question, for messages
  std::vector<Question> questions;
};

/// Forward (with bias and ReLU where the model has them), data and filter gradients; equal convolutions once a model.
std::vector<Group> convolution_groups(std::int64_t batch);
/// Max pooling of the models, forward in training and by itself, and backward. plain5 has none: its pooling is part of
/// our batch normalisation. And 2x2 average pooling, which models written by users may have. These plans are compiled,
/// a third of a second each, so that a test takes the first pooling of each window.
enum class Poolings { kFirstOfEachWindow, kAll };
std::vector<Group> pooling_groups(std::int64_t batch, std::int64_t picture_size, Poolings which);

}  // namespace xrai::testing
