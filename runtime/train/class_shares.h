// How unequal classes are made equal: what the loss is given of the shares that they have among the training pictures.
#pragma once

#include <cstdint>
#include <vector>

namespace xrai {

/// 1 / (n_classes * share of the class): mean 1 over the training pictures, so that 0.5 is a usable threshold on
/// unbalanced data. A class without pictures gets weight 0.
std::vector<float> balanced_class_weights(const std::vector<std::int32_t>& labels, std::int64_t n_classes);

/// Natural logarithm of each class's share of the labels, all of which must occur.
std::vector<float> log_class_shares(const std::vector<std::int32_t>& labels, std::int64_t n_classes);

}  // namespace xrai
