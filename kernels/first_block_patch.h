// What the two passes of the first block see of a picture: the four rows under a row of 2x2 windows of 3x3
// convolutions.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/first_block.h"
#include "kernels/lanes.h"

namespace xrai::kernels::cpu {

/// Four rows with a zero on each side; rows outside of the picture are zero.
class PaddedRows {
 public:
  explicit PaddedRows(std::int64_t width) : stride_(width + 4), values_(static_cast<std::size_t>(4 * stride_)) {}

  /// `row` of windows, numbered over all pictures.
  void read(const float* x, const FirstBlockShape& s, std::int64_t row) {
    const std::int64_t rows = s.height / 2, image = row / rows, top = 2 * (row % rows) - 1;
    for (std::int64_t r = 0; r < 4; ++r) {
      float* to = values_.data() + r * stride_ + 1;
      const std::int64_t from = top + r;
      if (from >= 0 && from < s.height)
        std::copy_n(x + (image * s.height + from) * s.width, s.width, to);
      else
        std::fill_n(to, s.width, 0.0f);
    }
  }
  [[nodiscard]] const float* row(std::int64_t r) const { return values_.data() + r * stride_; }

 private:
  std::int64_t stride_;
  std::vector<float> values_;
};

}  // namespace xrai::kernels::cpu
