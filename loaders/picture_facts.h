// What a data set may say of a picture beside its class: what stands in /split/lesion and /split/original_size, for
// whoever writes or reads it.
#pragma once

#include <array>
#include <cstdint>

namespace xrai {

/// Where the disease of a drawn picture is: centre x, y and radius in fractions of the side; all 0 where there is no
/// single place.
using LesionPlace = std::array<float, 3>;

/// The data set beside a split's pictures that holds their original sizes, (N, 2) whole numbers.
inline constexpr const char* kOriginalSizeName = "original_size";

/// Size of a picture in the file it was imported from, pixels.
struct OriginalSize {
  std::int32_t height = 0, width = 0;
};

}  // namespace xrai
