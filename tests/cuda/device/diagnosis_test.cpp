// What is said about a machine that lacks something, and which precision a card gets.
#include "runtime/cuda/diagnosis.h"

#include <cudnn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cuda/device/doubled_card.h"
#include "tests/support/errors.h"

namespace xrai {
namespace diagnosis_test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::fresh_cuda;
using ::testing::HasSubstr;
using testing::refused;

std::string refusal(const fake::Settings& settings, int ordinal = 0) {
  fake::reset(settings);
  return refused(ExitCode::kNoDevice, [&] { cuda::make_cuda_device({ordinal, ""}); });
}

TEST(Diagnosis, AGoodMachineIsUsableAndItsCardsAreNamed) {
  fake::reset({.gpu = "H100", .devices = 2});
  const CudaStatus status = cuda::diagnose();
  EXPECT_TRUE(status.usable);
  EXPECT_EQ(status.reason, "");
  EXPECT_THAT(status.cards,
              ElementsAre(AllOf(HasSubstr("cuda:0: "), HasSubstr("H100"), HasSubstr("9.0")), HasSubstr("cuda:1: ")));
  EXPECT_THAT(status.details,
              ElementsAre(HasSubstr("driver"), HasSubstr("CUDA runtime"), HasSubstr("cuDNN"), HasSubstr("cuBLAS")));
}

TEST(Diagnosis, NoCardIsSaidTogetherWithWhatHidesIt) {
  ::setenv("CUDA_VISIBLE_DEVICES", "7", 1);
  EXPECT_THAT(refusal({.devices = 0}), AllOf(HasSubstr("sees no GPU"), HasSubstr("CUDA_VISIBLE_DEVICES is \"7\"")));
  ::unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST(Diagnosis, AnOldDriverIsToldItsVersionAndTheOneNeeded) {
  EXPECT_THAT(refusal({.driver_version = 11080, .runtime_version = 13000}),
              AllOf(HasSubstr("CUDA 11.8"), HasSubstr("needs 13.0"), HasSubstr("update the driver")));
}

TEST(Diagnosis, ACardOlderThanWhatWasBuiltForIsToldBothCapabilities) {
  EXPECT_THAT(refusal({.gpu = "V100"}), AllOf(HasSubstr("V100"), HasSubstr("7.0"), HasSubstr("7.5 and later")));
}

TEST(Diagnosis, ACudnnOlderThanItsHeadersIsToldBothVersions) {
  EXPECT_THAT(refusal({.injected_errors = {{"cudnnGetVersion", 1, CUDNN_VERSION - 1}}}),
              AllOf(HasSubstr("cuDNN 9"), HasSubstr("was found"), HasSubstr("or a later 9.x")));
}

TEST(Diagnosis, ACardThatIsNotThereIsCounted) {
  EXPECT_THAT(refusal({.devices = 2}, 2), AllOf(HasSubstr("cuda:2"), HasSubstr("there are 2 GPUs")));
}

TEST(Precision, IsBfloat16WhereTheCardHasItElseFloat32) {
  EXPECT_EQ(fresh_cuda("", {.gpu = "A100"})->activation_type(), DataType::kBfloat16);
  EXPECT_EQ(fresh_cuda("", {.gpu = "T4"})->activation_type(), DataType::kFloat32);
  EXPECT_EQ(fresh_cuda("fp16", {.gpu = "T4"})->activation_type(), DataType::kFloat16);
  EXPECT_EQ(fresh_cuda("bf16", {.gpu = "T4"})->activation_type(), DataType::kBfloat16) << "by our own kernels";
}

TEST(Precision, WhatACardLacksOrNobodyKnowsIsRefused) {
  fake::reset({.gpu = "T4"});
  EXPECT_THAT(refused(ExitCode::kNoDevice,
                      [] {
                        cuda::make_cuda_device({0, "tf32"});
                      }),
              AllOf(HasSubstr("8.0"), HasSubstr("try fp16")));
  EXPECT_THAT(refused(ExitCode::kUsage, [] { cuda::make_cuda_device({0, "fp8"}); }), HasSubstr("take fp32"));
}

TEST(CudaDevice, LeavesNothingBehind) {
  fresh_cuda("fp16");
  EXPECT_EQ(fake::report().complaints(), "");
}

TEST(CudaDevice, OutOfMemorySaysWhatIsNeededAndFree) {
  const auto device = fresh_cuda("fp32", {.memory_bytes = std::size_t{64} << 20});
  EXPECT_THAT(
      refused(ExitCode::kOutOfMemory, [&] { device->allocate(std::size_t{65} << 20); }),
      AllOf(HasSubstr("65.0 MiB more are needed"), HasSubstr("of 64.0 MiB are free"), HasSubstr("--batch-size")));
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  EXPECT_EQ(device->allocate(1 << 20).size_bytes(), std::size_t{1} << 20) << "the device goes on";
}

TEST(CudaDevice, TellsWhatIsFreeOfItsOwnMemory) {
  const auto device = fresh_cuda("fp32", {.memory_bytes = std::size_t{64} << 20});
  const std::uint64_t before = device->free_bytes();
  EXPECT_LE(before, std::uint64_t{64} << 20);
  const Buffer buffer = device->allocate(std::size_t{16} << 20);
  EXPECT_EQ(device->free_bytes(), before - (std::uint64_t{16} << 20));
}

TEST(CudaDevice, ABatchThatDoesNotFitNamesOneThatMay) {
  const auto device = fresh_cuda("fp32", {.memory_bytes = std::size_t{64} << 20});
  Model model(*device, architecture("plain5"), {1, 128, 128, 1}, 2);
  EXPECT_THAT(refused(ExitCode::kOutOfMemory, [&] { model.prepare(256, true); }),
              AllOf(HasSubstr("for batches of 256"), HasSubstr("128 need about half")));
  EXPECT_EQ(model.prepare(1, true).batch_size(), 1) << "and what was taken is given back";
}

TEST(CudaDevice, ALostContextIsSaidOnceAndNamesTheWayOn) {
  const auto device = fresh_cuda("fp32", {.sticky_error = {3, cudaErrorIllegalAddress}});
  const std::string sentence = refused(ExitCode::kFailure, [&] {
    for (int i = 0; i < 10; ++i) {
      const Buffer buffer = device->allocate(64);
      device->synchronize();
    }
  });
  EXPECT_THAT(sentence, AllOf(HasSubstr("cudaErrorIllegalAddress"), HasSubstr("--resume auto")));
}

// Work of others on the default stream, a library's say, holds nothing up: the double sees that nothing orders the two.
TEST(CudaDevice, ItsStreamsDoNotWaitForTheDefaultStream) {
  const auto device = fresh_cuda();
  const Buffer x = device->allocate(64);
  device->copy(x.data(), x.as<std::byte>() + 32, 32);
  ASSERT_EQ(cudaMemsetAsync(x.data(), 0, 64, nullptr), cudaSuccess);
  device->synchronize();
  cudaDeviceSynchronize();
  EXPECT_GT(fake::report().count(fake::Fault::kRace), 0);
}

TEST(CudaDevice, FreshMemoryIsZero) {
  const auto device = fresh_cuda();
  const Buffer buffer = device->allocate(1000);
  std::vector<char> bytes(1000, 1);
  device->download(bytes.data(), buffer.data(), 1000);
  EXPECT_EQ(bytes, std::vector<char>(1000, 0));
}

TEST(CudaDevice, MemoryOfAnyKindIsReadBeforeUploadReturnsUnlessItIsStaging) {
  const auto device = fresh_cuda();
  const std::size_t n = (std::size_t{9} << 20) + 5;  // more than two pieces
  std::vector<char> expected(n), back(n, 0);
  for (std::size_t i = 0; i < n; ++i) expected[i] = static_cast<char>((i >> 16) + i % 7);  // no piece like another
  std::vector<char> from = expected;
  const Buffer to = device->allocate(n);
  device->upload(to.data(), from.data(), n, Queue::kCopy);
  from.assign(n, 9);
  device->download(back.data(), to.data(), n);
  EXPECT_TRUE(back == expected);
  EXPECT_EQ(fake::report().pageable_async, 0);
}

TEST(CudaDevice, UploadFromStagingOnlyQueues) {
  const auto device = fresh_cuda();
  const Buffer staged = device->allocate_staging(64), to = device->allocate(64);
  const auto before = fake::report().synchronisations;
  device->upload(to.data(), staged.data(), 64, Queue::kCopy);
  EXPECT_EQ(fake::report().synchronisations, before);
  device->synchronize();
}

}  // namespace diagnosis_test
}  // namespace xrai
