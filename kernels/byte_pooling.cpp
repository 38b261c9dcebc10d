// As many channels at once as divide their number: one vector of four pixels each, and the largest of every lane.
#include "kernels/byte_pooling.h"

#include <cstring>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

typedef std::uint8_t Bytes64 __attribute__((vector_size(64)));
typedef std::uint8_t Bytes32 __attribute__((vector_size(32)));
typedef std::uint8_t Bytes16 __attribute__((vector_size(16)));

// Two rows of x under one of y.
struct RowPair {
  const std::uint8_t *top, *bottom;
  std::uint8_t* y;
  std::int64_t windows, channels;
};

// Of two pixels beside each other, in every channel of a vector.
template <class V>
XRAI_INLINE V larger(const std::uint8_t* left, std::int64_t channels) {
  V a, b;
  std::memcpy(&a, left, sizeof(V));
  std::memcpy(&b, left + channels, sizeof(V));
  return a > b ? a : b;
}

template <class V>
XRAI_INLINE void pool_row(const RowPair& rows) {
  const std::int64_t channels = rows.channels;
  for (std::int64_t window = 0; window < rows.windows; ++window)
    for (std::int64_t c = 0; c < channels; c += static_cast<std::int64_t>(sizeof(V))) {
      const std::int64_t left = 2 * window * channels + c;
      const V above = larger<V>(rows.top + left, channels), below = larger<V>(rows.bottom + left, channels);
      const V largest = above > below ? above : below;
      std::memcpy(rows.y + window * channels + c, &largest, sizeof(V));
    }
}

XRAI_VECTORISE void any_row(const RowPair& rows) {
  if (sixteen_lanes() && rows.channels % 64 == 0)  // 64 bytes in a register, too
    pool_row<Bytes64>(rows);
  else if (rows.channels % 32 == 0)
    pool_row<Bytes32>(rows);
  else if (rows.channels % 16 == 0)
    pool_row<Bytes16>(rows);
  else
    pool_row<std::uint8_t>(rows);
}

}  // namespace

void max_pool_bytes(const std::uint8_t* x, std::uint8_t* y, std::int64_t n, std::int64_t height, std::int64_t width,
                    std::int64_t channels) {
  const std::int64_t rows = height / 2, row_bytes = width * channels, windows = width / 2;
  parallel_for(n * rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::uint8_t* top = x + (r / rows * height + 2 * (r % rows)) * row_bytes;
      any_row({top, top + row_bytes, y + r * windows * channels, windows, channels});
    }
  });
}

}  // namespace xrai::kernels::cpu
