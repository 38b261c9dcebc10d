// Which queue an operation goes to, and who waits for what is on it. The double runs nothing before it is forced to,
// and then what the host waits for and no more.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/cuda/device/doubled_card.h"

namespace xrai {
namespace queues_test {

using testing::findings;
using testing::fresh_cuda;

int executed_operations() {
  int all = 0;
  for (const auto& [name, count] : fake::report().executed) all += count;
  return all;
}
int queued_operations() {
  const fake::Report report = fake::report();
  return report.launches + report.memcpys + report.memsets;
}

TEST(Queues, SynchronizeWaitsForBoth) {
  const auto device = fresh_cuda();
  const Buffer staged = device->allocate_staging(4), computed = device->allocate(4), copied = device->allocate(4);
  *staged.as<float>() = 2;
  device->relu(computed.data(), computed.data(), 1);
  device->upload(copied.data(), staged.data(), 4, Queue::kCopy);
  device->synchronize();
  EXPECT_EQ(executed_operations(), queued_operations());
  *staged.as<float>() = 3;
  EXPECT_EQ(testing::get_floats(*device, copied.as<float>(), 1).at(0), 2);
  EXPECT_EQ(findings(), "");
}

TEST(Queues, WhatIsOnThemIsDoneBeforeTheirDeviceIsGone) {
  auto device = fresh_cuda();
  const Buffer x = testing::put(*device, {7}), here = device->allocate_staging(4);
  *here.as<float>() = 0;
  device->download_later(here.data(), x.data(), 4);
  device.reset();
  EXPECT_EQ(*here.as<float>(), 7);
  // The double finishes what is on a stream that is destroyed; a card only lets it run on.
  EXPECT_GT(fake::report().synchronisations["cudaDeviceSynchronize"], 0);
  EXPECT_EQ(findings(), "");
}

/// Memory for any operation's operands: 4 pictures of 4x4 with 8 channels are 2 KiB at most.
struct Operands {
  explicit Operands(Device& device) : memory(device.allocate(std::size_t{32} << 12)) {}
  template <class T>
  T* at(int place) const {
    return reinterpret_cast<T*>(memory.as<std::byte>() + place * 4096);
  }
  [[nodiscard]] float* floats(int place) const { return at<float>(place); }
  Buffer memory;
};
constexpr kernels::BatchNormShape kMaps{4, 4, 4, 8};
constexpr std::int64_t kCount = 4 * 4 * 4 * 8;

kernels::BatchNormArguments normalisation(const Operands& o) {
  return {o.floats(0), nullptr, o.floats(1), o.floats(2), o.floats(3), o.floats(4),
          o.floats(5), nullptr, kMaps,       true,        false};
}

struct OperationCase {
  const char* name;
  void (*queue)(Device&, const Operands&);
};
class Operations : public ::testing::TestWithParam<OperationCase> {};

TEST_P(Operations, RunOnTheComputeQueue) {
  const auto device = fresh_cuda("fp16");
  const Operands operands(*device);
  device->synchronize();
  GetParam().queue(*device, operands);
  EXPECT_LT(executed_operations(), queued_operations()) << "nothing was queued";
  float first = 0;
  device->download(&first, operands.memory.data(), 4);  // waits for the compute queue
  EXPECT_EQ(executed_operations(), queued_operations());
  EXPECT_EQ(findings(), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, Operations,
    ::testing::Values(
        OperationCase{"Augment",
                      [](Device& d, const Operands& o) {
                        d.augment({o.at<std::uint8_t>(0), nullptr, o.at<std::int64_t>(1), o.floats(2), 1, 4, 4, 4, 4, {}, {}, nullptr});
                      }},
        OperationCase{"BatchStatistics",
                      [](Device& d, const Operands& o) {
                        d.batch_statistics({o.floats(0), kMaps, 1e-5f, 0.1f, o.floats(1), o.floats(2), o.floats(3),
                                            o.floats(4), o.at<double>(8)});
                      }},
        OperationCase{"BatchNorm", [](Device& d, const Operands& o) { d.batch_norm(normalisation(o)); }},
        OperationCase{"BatchNormBackward",
                      [](Device& d, const Operands& o) {
                        d.batch_norm_backward({normalisation(o), o.floats(6), o.floats(7), nullptr, o.floats(8), o.floats(9),
                                               o.at<double>(12)});
                      }},
        OperationCase{"InverseDeviation",
                      [](Device& d, const Operands& o) { d.inverse_deviation(o.floats(0), 1e-5f, 8, o.floats(1)); }},
        OperationCase{"Add", [](Device& d, const Operands& o) { d.add(o.floats(0), o.floats(1), o.floats(2), kCount); }},
        OperationCase{"Relu", [](Device& d, const Operands& o) { d.relu(o.floats(0), o.floats(1), kCount); }},
        OperationCase{"ReluBackward",
                      [](Device& d, const Operands& o) { d.relu_backward(o.floats(0), o.floats(1), o.floats(2), kCount); }},
        OperationCase{"Dropout",
                      [](Device& d, const Operands& o) {
                        d.dropout({o.floats(0), o.floats(1), kCount, 0.5f, o.at<kernels::StepNumbers>(2), 0});
                      }},
        OperationCase{"GlobalAveragePool",
                      [](Device& d, const Operands& o) { d.global_average_pool(o.floats(0), o.floats(1), 4, 16, 8); }},
        OperationCase{"GlobalAveragePoolBackward",
                      [](Device& d, const Operands& o) { d.global_average_pool_backward(o.floats(0), o.floats(1), 4, 16, 8); }},
        OperationCase{"Loss",
                      [](Device& d, const Operands& o) {
                        d.loss({o.floats(0), o.at<std::int32_t>(1), o.floats(2), o.floats(3), o.at<kernels::LossResult>(4), 4, 1,
                                0, o.at<kernels::StepNumbers>(5), nullptr});
                      }},
        OperationCase{"Probabilities",
                      [](Device& d, const Operands& o) { d.probabilities({o.floats(0), o.floats(1), 4, 1}); }},
        OperationCase{"SumOfSquares",
                      [](Device& d, const Operands& o) {
                        d.sum_of_squares(o.floats(0), kCount, o.at<double>(1), o.at<double>(2));
                      }},
        OperationCase{"DecideUpdate",
                      [](Device& d, const Operands& o) {
                        kernels::DecideUpdateArguments decide;
                        decide.gradients = o.floats(0);
                        decide.n = kCount;
                        decide.max_gradient_norm = 1;
                        decide.numbers = o.at<kernels::StepNumbers>(1);
                        decide.workspace = o.at<double>(2);
                        decide.decision = o.at<kernels::UpdateDecision>(3);
                        d.decide_update(decide);
                      }},
        OperationCase{"UndoIfSkipped",
                      [](Device& d, const Operands& o) {
                        d.undo_if_skipped(o.at<kernels::UpdateDecision>(0), o.floats(1), o.floats(2), 8);
                      }},
        OperationCase{"AdamW",
                      [](Device& d, const Operands& o) {
                        d.adamw({o.floats(0), o.floats(1), o.floats(2), o.floats(3), o.floats(4), 8, 8, 0.9f, 0.999f, 1e-8f, 0,
                                 o.at<kernels::UpdateDecision>(5)});
                      }},
        OperationCase{"Sgd",
                      [](Device& d, const Operands& o) {
                        d.sgd({o.floats(0), o.floats(1), o.floats(2), o.floats(3), 8, 8, 0.9f, 0,
                               o.at<kernels::UpdateDecision>(5)});
                      }},
        OperationCase{"Narrow", [](Device& d, const Operands& o) { d.narrow(o.floats(0), o.floats(1), kCount); }},
        OperationCase{"Widen", [](Device& d, const Operands& o) { d.widen(o.floats(0), o.floats(1), kCount); }},
        OperationCase{"Copy", [](Device& d, const Operands& o) { d.copy(o.floats(0), o.floats(1), 64); }}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace queues_test
}  // namespace xrai
