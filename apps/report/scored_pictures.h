// What xrai_predict says of pictures: a table for people, CSV, JSON. All go to standard output.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

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

void print_table(const Predictor& predictor, const std::vector<ScoredPicture>& scores);
void print_csv(const Predictor& predictor, const std::vector<ScoredPicture>& scores);
void print_scores_json(const Predictor& predictor, const std::vector<ScoredPicture>& scores);

}  // namespace xrai
