// An operation graph as plain data, read from the records, and its loops. Everything between is float32, sums are
// double. Internal to the fake.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fake_cudnn_records.h"

namespace xrai::fake {

struct CudnnTensorView {
  std::int64_t uid = 0, alignment = 1;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<std::int64_t, 4> size{1, 1, 1, 1}, stride{1, 1, 1, 1};  // n, channels, height, width
  bool is_virtual = false;

  [[nodiscard]] std::size_t element_bytes() const {
    return type == CUDNN_DATA_FLOAT ? 4 : type == CUDNN_DATA_INT8 ? 1 : 2;
  }
  /// From the first element to behind the last.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t offset(std::int64_t n, std::int64_t channel, std::int64_t row, std::int64_t column) const;
};

struct CudnnStep {
  enum Kind { kForward, kDataGradient, kFilterGradient, kAdd, kRelu, kPool, kPoolGradient } kind{};
  // inputs and outputs, by what the kind needs: (x, w -> y), (dy, w -> dx), (x, dy -> dw), (x, b -> y), (x -> y),
  // (x -> y, places), (dy, places -> dx)
  CudnnTensorView a, b, result, places;
  bool has_places = false;
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, pad{0, 0}, dilation{1, 1};
  bool average = false, keeps_nan = false;

  [[nodiscard]] std::vector<CudnnTensorView> inputs() const;
  [[nodiscard]] std::vector<CudnnTensorView> outputs() const;
};

struct CudnnProgram {
  std::vector<CudnnStep> steps;
  std::string name;  // "cuDNN convolution forward + add + relu"
};

/// Throws std::runtime_error for what the fake has no loops for.
CudnnProgram read_program(const CudnnRecord& graph);

/// Runs the steps on memory by uid.
void run_program(const CudnnProgram& program, const std::map<std::int64_t, void*>& memory);

}  // namespace xrai::fake
