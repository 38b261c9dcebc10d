// Reads tests/goldens/metrics.json: predictions and what scikit-learn and SciPy say about them.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "runtime/train/evaluation.h"

namespace xrai {

/// "cases", "comparisons" or "temperatures".
inline nlohmann::json metric_goldens(const char* part = "cases") {
  std::ifstream file(XRAI_SOURCE "/tests/goldens/metrics.json");
  if (!file) throw std::runtime_error("tests/goldens/metrics.json is missing");
  return nlohmann::json::parse(file)[part];
}

inline Predictions predictions_of(const nlohmann::json& golden) {
  Predictions p;
  p.classes = golden["classes"].get<std::vector<std::string>>();
  p.labels = golden["labels"].get<std::vector<std::int32_t>>();
  p.probabilities = golden["probabilities"].get<std::vector<float>>();
  p.groups = golden["groups"].get<std::vector<std::string>>();
  return p;
}

}  // namespace xrai
