// Where the disease of a drawn picture is: what /split/lesion holds, for whoever writes or reads it.
#pragma once

#include <array>

namespace xrai {

/// Centre x, y and radius in fractions of the side; all 0 where there is no single place.
using LesionPlace = std::array<float, 3>;

}  // namespace xrai
