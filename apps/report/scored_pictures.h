// How a picture is prepared for a trained network, and what xrai_predict says of pictures: a table for people, CSV,
// JSON. All go to standard output.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loaders/image_decoder.h"
#include "runtime/train/predictor.h"

namespace xrai {

inline constexpr const char* kScoresNotice =
    "A research and teaching tool, not a medical device: do not base decisions on its output.";

/// What became of one picture.
struct ScoredPicture {
  std::filesystem::path path;
  std::vector<float> probabilities;  // per class; empty when unreadable
  std::string verdict, failure;
  std::filesystem::path heat_map;  // where it was written; may be empty
};

/// The way the training pictures were brought to size; warns when they came another way than new pictures can. Throws
/// Error(kBadData) when the checkpoint does not say it.
DecodeTarget target_of(const Preprocessing& preprocessing);
/// The class that is called for these probabilities.
std::string verdict_of(const Predictor& predictor, const std::vector<float>& probabilities);

void print_table(const Predictor& predictor, const std::vector<ScoredPicture>& scores);
void print_csv(const Predictor& predictor, const std::vector<ScoredPicture>& scores);
void print_scores_json(const Predictor& predictor, const std::vector<ScoredPicture>& scores);

}  // namespace xrai
