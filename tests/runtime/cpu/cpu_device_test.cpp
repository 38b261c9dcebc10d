// Memory of the CPU device, what it says about itself, and what it refuses.
#include "runtime/cpu/cpu_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "kernels/parallel.h"
#include "runtime/core/host.h"
#include "tests/support/errors.h"

namespace xrai {
namespace cpu_device_test {

using ::testing::HasSubstr;
using testing::refused;

class CpuDeviceTest : public ::testing::Test {
 protected:
  template <class Spec>
  std::string sentence(const Spec& spec) {
    return refused(ExitCode::kUsage, [&] { (void)device_->plan(spec); });
  }
  std::unique_ptr<Device> device_ = make_cpu_device(2);
};

TEST_F(CpuDeviceTest, MemoryIsZeroedAndAligned) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4097}, std::size_t{6} << 20}) {
    const Buffer buffer = device_->allocate(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_GE(buffer.size_bytes(), bytes);
    const auto* first = buffer.as<unsigned char>();
    EXPECT_TRUE(std::all_of(first, first + bytes, [](unsigned char b) { return b == 0; }));
  }
}

TEST_F(CpuDeviceTest, ABufferOfNothingHasAnAddress) {
  EXPECT_NE(device_->allocate(0).data(), nullptr);
}

TEST_F(CpuDeviceTest, ASenselessSizeIsOutOfMemoryAndSaysWhatToTry) {
  const std::string said = refused(ExitCode::kOutOfMemory, [&] { (void)device_->allocate(std::size_t{1} << 60); });
  EXPECT_THAT(said, HasSubstr("--batch-size"));
  EXPECT_THAT(said, HasSubstr("1099511627776.0 MiB"));
}

TEST_F(CpuDeviceTest, BuffersMoveAndFreeOnce) {
  Buffer a = device_->allocate(100);
  void* bytes = a.data();
  Buffer b = std::move(a);
  EXPECT_EQ(b.data(), bytes);
  Buffer c;
  c = std::move(b);
  EXPECT_EQ(c.data(), bytes);
}

TEST_F(CpuDeviceTest, WhatWasUploadedComesBack) {
  const Buffer buffer = device_->allocate(16);
  const float there[4] = {1, 2, 3, 4};
  float back[4] = {};
  device_->upload(buffer.data(), there, sizeof there, Queue::kCompute);
  device_->download(back, buffer.data(), sizeof back);
  EXPECT_EQ(std::memcmp(there, back, sizeof there), 0);
}

TEST_F(CpuDeviceTest, SaysWhatItIs) {
  EXPECT_EQ(device_->name(), "cpu");
  EXPECT_THAT(device_->description(), HasSubstr("2 threads"));
  EXPECT_GE(available_cores(), 1);
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_FALSE(cpu_features().empty());
}

TEST_F(CpuDeviceTest, SetsTheThreadsThatItWasGiven) {
  const int before = kernels::thread_count();
  (void)make_cpu_device(3);
  EXPECT_EQ(kernels::thread_count(), 3);
  (void)make_cpu_device();
  EXPECT_EQ(kernels::thread_count(), available_cores());
  kernels::set_thread_count(before);
}

TEST_F(CpuDeviceTest, SenselessConvolutionsAreRefusedInASentence) {
  ConvolutionSpec spec{{2, 8, 8, 6}, 4, {3, 3, 1, 1, 1, 1, 1, 1}};
  const auto with = [&](auto change) {
    ConvolutionSpec changed = spec;
    change(changed);
    return sentence(changed);
  };
  EXPECT_THAT(with([](auto& s) { s.groups = 4; }), HasSubstr("6 channels to 4 filters cannot have 4 groups"));
  EXPECT_THAT(with([](auto& s) { s.groups = 0; }), HasSubstr("0 groups"));
  EXPECT_THAT(with([](auto& s) { s.filters = 0; }), HasSubstr("0 filters"));
  EXPECT_THAT(with([](auto& s) { s.input.height = 0; }), HasSubstr("(2, 0, 8, 6)"));
  EXPECT_THAT(with([](auto& s) { s.window.stride_width = 0; }), HasSubstr("stride 1x0"));
  EXPECT_THAT(with([](auto& s) { s.window.kernel_height = 0; }), HasSubstr("0x3 window"));
  EXPECT_THAT(with([](auto& s) { s.window.pad_left = -1; }), HasSubstr("padding 1 1 -1 1"));
  EXPECT_THAT(with([](auto& s) { s.window.kernel_width = 11; }), HasSubstr("does not fit into maps of 8x8"));
}

TEST_F(CpuDeviceTest, SenselessPoolingIsRefusedInASentence) {
  const Shape input{2, 8, 8, 6};
  EXPECT_THAT(sentence(PoolingSpec{input, PoolingKind::kMax, {9, 9, 1, 1, 0, 0, 0, 0}}), HasSubstr("does not fit"));
  EXPECT_THAT(sentence(PoolingSpec{input, PoolingKind::kMax, {2, 2, 2, 2, 2, 0, 0, 0}}), HasSubstr("padding only"));
  EXPECT_THAT(sentence(PoolingSpec{{2, 8, 8, 0}, PoolingKind::kMax, {2, 2, 2, 2, 0, 0, 0, 0}}),
              HasSubstr("(2, 8, 8, 0)"));
}

TEST_F(CpuDeviceTest, SenselessDenseLayersAreRefusedInASentence) {
  EXPECT_THAT(sentence(DenseSpec{4, 0, 3}), HasSubstr("0 inputs"));
  EXPECT_THAT(sentence(DenseSpec{4, 3, -1}), HasSubstr("-1 outputs"));
  EXPECT_THAT(sentence(DenseSpec{0, 3, 3}), HasSubstr("0 images"));
}

}  // namespace cpu_device_test
}  // namespace xrai
