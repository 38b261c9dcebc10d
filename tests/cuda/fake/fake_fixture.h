// What the fake runtime's own tests share: a fresh device under each policy, and owners that are short to write.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/cuda/fake/fake_cuda.h"
#include "tests/cuda/fake/fake_stream.h"

namespace xrai::fake {

inline std::string policy_name(Policy::Order order) {
  constexpr const char* kNames[] = {"Eager", "Lazy", "OthersFirst", "Random"};
  return kNames[order];
}

/// The claims that hold in whatever order work runs.
class UnderEveryPolicy : public ::testing::TestWithParam<Policy::Order> {
 protected:
  void SetUp() override { reset({.policy = {GetParam(), 7}}); }
};
#define XRAI_UNDER_EVERY_POLICY(Suite)                                                                            \
  INSTANTIATE_TEST_SUITE_P(Policies, Suite,                                                                       \
                           testing::Values(Policy::kEager, Policy::kLazy, Policy::kOthersFirst, Policy::kRandom), \
                           [](const auto& parameter) { return policy_name(parameter.param); })

/// The claims for which the order is fixed.
class OnLazyDevice : public ::testing::Test {
 protected:
  void SetUp() override { reset(); }
};

inline cudaStream_t new_stream(unsigned int flags = cudaStreamNonBlocking) {
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, flags), cudaSuccess);
  return stream;
}

inline cudaEvent_t new_event(unsigned int flags = cudaEventDisableTiming) {
  cudaEvent_t event = nullptr;
  EXPECT_EQ(cudaEventCreateWithFlags(&event, flags), cudaSuccess);
  return event;
}

template <class T = float>
T* on_device(std::size_t count) {
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, count * sizeof(T)), cudaSuccess);
  return static_cast<T*>(memory);
}

template <class T = float>
T* pinned(std::size_t count, T value) {
  void* memory = nullptr;
  EXPECT_EQ(cudaMallocHost(&memory, count * sizeof(T)), cudaSuccess);
  std::fill_n(static_cast<T*>(memory), count, value);
  return static_cast<T*>(memory);
}

template <class T>
T* upload(const std::vector<T>& values) {
  T* memory = on_device<T>(values.size());
  EXPECT_EQ(cudaMemcpy(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  return memory;
}

template <class T>
std::vector<T> download(const T* memory, std::size_t count) {
  std::vector<T> values(count);
  EXPECT_EQ(cudaMemcpy(values.data(), memory, count * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
  return values;
}

/// to[i] = from[i] + 1, as a library would queue it.
inline void queue_increment(cudaStream_t stream, const float* from, float* to, std::size_t count,
                            const std::string& name = "increment") {
  const auto run = [=] {
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i] + 1;
  };
  EXPECT_EQ(enqueue_operation(stream, name, {{from, count * sizeof(float)}}, {{to, count * sizeof(float)}}, run),
            cudaSuccess);
}

}  // namespace xrai::fake
