// 2x2 max pooling of bytes, for scoring in whole numbers (--precision int8). Channels last. There is no CUDA twin: only
// the CPU scores so.
#pragma once

#include <cstdint>

namespace xrai::kernels::cpu {

/// x (n, height, width, channels) -> y (n, height / 2, width / 2, channels); an odd last row or column is left out.
void max_pool_bytes(const std::uint8_t* x, std::uint8_t* y, std::int64_t n, std::int64_t height, std::int64_t width,
                    std::int64_t channels);

}  // namespace xrai::kernels::cpu
