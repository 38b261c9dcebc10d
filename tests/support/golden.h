// Values recorded from PyTorch (tests/goldens/layers, schema in tests/goldens/make_layer_goldens.py), as tests read
// them: a vector of cases, each with its attributes and its tensors. Header only: each test binary knows its
// XRAI_SOURCE.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/core/shape.h"

namespace xrai::testing {

struct GoldenCase {
  std::string operation, name;
  nlohmann::json attributes, tensors;

  [[nodiscard]] bool has(const std::string& tensor) const { return tensors.contains(tensor); }
  template <class T = float>
  [[nodiscard]] std::vector<T> values(const std::string& tensor) const {
    return tensors.at(tensor).at("values").get<std::vector<T>>();
  }
  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& tensor) const {
    return tensors.at(tensor).at("shape").get<std::vector<std::int64_t>>();
  }
  /// Of a tensor with the axes (N,H,W,C).
  [[nodiscard]] Shape map_shape(const std::string& tensor) const {
    const std::vector<std::int64_t> axes = shape(tensor);
    return {axes.at(0), axes.at(1), axes.at(2), axes.at(3)};
  }
};

inline void PrintTo(const GoldenCase& golden, std::ostream* out) {
  *out << golden.operation << ' ' << golden.name;
}

inline std::vector<GoldenCase> golden_cases(const std::string& operation) {
  const std::string path = std::string(XRAI_SOURCE) + "/tests/goldens/layers/" + operation + ".json";
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  const nlohmann::json golden = nlohmann::json::parse(file);
  std::vector<GoldenCase> cases;
  for (const auto& one : golden.at("cases"))
    cases.push_back({operation, one.at("name").get<std::string>(), one.at("attributes"), one.at("tensors")});
  return cases;
}

/// For INSTANTIATE_TEST_SUITE_P.
inline std::string golden_name(const ::testing::TestParamInfo<GoldenCase>& info) {
  return info.param.name;
}

/// Every value within `tolerance` times the largest recorded one. Tensors are compared as a whole because a single
/// small value may be the difference of large ones.
inline void expect_near_golden(const std::vector<float>& computed, const GoldenCase& golden, const std::string& tensor,
                               double tolerance) {
  const auto recorded = golden.values<double>(tensor);
  ASSERT_EQ(computed.size(), recorded.size()) << tensor;
  double largest = 0;
  for (const double value : recorded) largest = std::max(largest, std::abs(value));
  const double allowed = tolerance * (largest > 0 ? largest : 1);
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    const double difference = std::abs(static_cast<double>(computed[i]) - recorded[i]);
    ASSERT_TRUE(difference <= allowed) << tensor << '[' << i << "] is " << computed[i] << ", recorded " << recorded[i];
  }
}

}  // namespace xrai::testing
