// Scores changed copies of a split: each block of pictures is read once, then changed and scored in every way.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "apps/report/score_split.h"
#include "loaders/stress/corruption.h"

namespace xrai {

/// Changes a block of pictures.
using Change = std::function<void(const PictureBlock&)>;

/// Probabilities (n, classes) of the split under each of the changes, in their order. `on_images` is told how many
/// pictures were scored, over all changes. Throws what reading, `changes` and `predict` throw.
std::vector<std::vector<float>> score_variants(DatasetReader& data, const std::string& split,
                                               const std::vector<Change>& changes, const Predict& predict,
                                               const std::function<void(std::int64_t)>& on_images);

}  // namespace xrai
