// A test of a kernel runs for every type of activations and every order of threads and blocks.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "device_memory.h"
#include "emulation.h"

namespace xrai::testing {

class KernelTest : public ::testing::TestWithParam<std::tuple<DataType, emulation::Order>> {
 protected:
  void SetUp() override {
    emulation::set_order(std::get<1>(GetParam()), 11);
    if (emulation::checks_races()) emulation::set_device_memory_check(is_device_memory);
  }
  void TearDown() override {
    emulation::set_order(emulation::Order::kForward);
    if (emulation::checks_races()) emulation::set_device_memory_check(nullptr);
  }
  static DataType type() { return std::get<0>(GetParam()); }
};

inline std::string type_and_order(const ::testing::TestParamInfo<KernelTest::ParamType>& info) {
  const auto [type, order] = info.param;
  return std::string(data_type_name(type)) + (order == emulation::Order::kForward   ? "_forward"
                                              : order == emulation::Order::kReverse ? "_reverse"
                                                                                    : "_random");
}

#define XRAI_FOR_TYPES_AND_ORDERS(Suite)                                                                          \
  INSTANTIATE_TEST_SUITE_P(                                                                                       \
      Types, Suite,                                                                                               \
      ::testing::Combine(                                                                                         \
          ::testing::Values(::xrai::DataType::kFloat32, ::xrai::DataType::kBfloat16, ::xrai::DataType::kFloat16), \
          ::testing::Values(::xrai::emulation::Order::kForward, ::xrai::emulation::Order::kReverse,               \
                            ::xrai::emulation::Order::kRandom)),                                                  \
      ::xrai::testing::type_and_order)

}  // namespace xrai::testing
