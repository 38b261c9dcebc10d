// From a data set and a network to predictions with the pictures' names: rows out of the file, through the network,
// labels brought into the network's order of classes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "apps/report/mistakes.h"
#include "loaders/reader.h"
#include "runtime/train/evaluation.h"

namespace xrai {

/// Whether all names are whole numbers, as a file without names of its classes gives.
bool are_numbers(const std::vector<std::string>& names);

/// Place in `wanted` of each of `found`: by name, or in order where one of the two has numbers for names. Throws
/// Error(kBadData) when the names differ otherwise; the sentence says whose names they are (`found_in`, `wanted_by`:
/// files).
std::vector<std::int32_t> class_places(const std::vector<std::string>& found, const std::vector<std::string>& wanted,
                                       const std::string& found_in, const std::string& wanted_by);

/// The split to score when none was asked for: "test" if the file has one, else "val". Throws Error(kUsage) when it has
/// only "train", and when `asked` is not in the file.
std::string split_to_score(const DatasetReader& data, const std::string& asked);

/// What somebody who reads the figures must know: the split is the one that was trained on, or shares patients with it.
/// Empty when there is nothing to say.
std::string split_warning(const DatasetReader& data, const std::string& split);

/// pixels: (n, height, width); returns (n, classes) probabilities. Predictor::predict, or a stand-in for tests.
using Predict = std::function<std::vector<float>(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                                 std::int64_t width)>;

/// Scores these rows of a split (all of them when `rows` is empty). `classes`: the network's, in its order;
/// `checkpoint` names it in errors. `on_images` is told how many are done. At most 64 MiB of pixels are held at a time.
Predictions score_split(DatasetReader& data, const std::string& split, std::span<const std::int64_t> rows,
                        const std::vector<std::string>& classes, const std::string& checkpoint, const Predict& predict,
                        const std::function<void(std::int64_t)>& on_images = {});

/// The most confident mistakes with their pixels; `rows` as given to score_split.
std::vector<Mistake> mistakes_with_pixels(DatasetReader& data, const std::string& split,
                                          std::span<const std::int64_t> rows, const Predictions& predictions,
                                          double threshold, std::size_t most = 12);

/// Whether the file says that its pictures are drawn by a program.
bool data_is_synthetic(const DatasetReader& data);

}  // namespace xrai
