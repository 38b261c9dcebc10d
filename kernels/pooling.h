// Pooling of any window for what the vendor's library has no plan for, on CUDA. (The usual 2x2 max pooling behind batch
// normalisation is part of kernels/batch_norm.h.) Channels last. There is no CPU twin: oneDNN has every pooling.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"
#include "kernels/window.h"

// x, y and their gradients are activations: x (n, height, width, channels), y (n, out_height, out_width, channels).
namespace xrai::kernels::cuda {

/// The largest of each window; a NaN is larger than any number. places, as y, or null: which position of its window,
/// counted row by row, the first of the largest has.
void max_pool(const WindowSizes& sizes, std::int64_t channels, const void* x, void* y, std::int32_t* places,
              DataType type, Stream stream);
void max_pool_backward(const WindowSizes& sizes, std::int64_t channels, const void* dy, const std::int32_t* places,
                       void* dx, DataType type, Stream stream);
/// The mean over the positions of each window that lie inside the map.
void average_pool(const WindowSizes& sizes, std::int64_t channels, const void* x, void* y, DataType type,
                  Stream stream);
void average_pool_backward(const WindowSizes& sizes, std::int64_t channels, const void* dy, void* dx, DataType type,
                           Stream stream);

}  // namespace xrai::kernels::cuda
