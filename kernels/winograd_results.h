// Winograd's way back: from a block of tiles in the other basis to maps, as they are or normalised. For winograd.cpp.
#pragma once

#include "kernels/batch_norm.h"
#include "kernels/winograd_spectrum.h"

namespace xrai::kernels::winograd {

/// Tiles begin, begin + 1, ... of `results`, which are those from the batch's tile `first` on, to y (n, height, width,
/// outputs).
void write_results(const Spectrum& results, const WinogradShape& shape, std::int64_t first, std::int64_t begin,
                   std::int64_t end, float* y);

/// The same to norm.y, normalised by known statistics, with the residual, ReLU and pooling that `norm` says.
void write_normalised(const Spectrum& results, const WinogradShape& shape, std::int64_t first, std::int64_t begin,
                      std::int64_t end, const BatchNormArguments& norm);

}  // namespace xrai::kernels::winograd
