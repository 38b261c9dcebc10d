#include "apps/report/scored_pictures.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/support/csv_field.h"
#include "apps/support/json_output.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace xrai {

DecodeTarget target_of(const Preprocessing& preprocessing) {
  if (preprocessing.stored_size < 1)
    throw Error(ExitCode::kBadData,
                "the checkpoint does not say the size of the pictures it was trained on; train again");
  if (preprocessing.decoder.find("synthetic") != std::string::npos) {
    log::warning("the network was trained on synthetic drawings: what it says about a real radiograph means nothing");
  } else if (!preprocessing.decoder.starts_with(kDecoderName)) {
    log::warning(
        fmt::format("the network was trained on pictures prepared by \"{}\"; these go through \"{}\", and scores "
                    "may be off",
                    preprocessing.decoder.empty() ? "an unknown program" : preprocessing.decoder, kDecoderName));
  }
  const std::string fit = preprocessing.fit.empty() ? fit_name(Fit::kSquash) : preprocessing.fit;
  return {static_cast<int>(preprocessing.stored_size), fit_from_name(fit)};
}

std::string verdict_of(const Predictor& predictor, const std::vector<float>& probabilities) {
  if (probabilities.size() == 2) return predictor.classes()[probabilities[1] >= predictor.threshold() ? 1 : 0];
  const auto highest = std::max_element(probabilities.begin(), probabilities.end());
  return predictor.classes()[static_cast<std::size_t>(highest - probabilities.begin())];
}

void print_table(const Predictor& predictor, const std::vector<ScoredPicture>& scores) {
  if (std::none_of(scores.begin(), scores.end(), [](const ScoredPicture& score) { return score.failure.empty(); }))
    return;
  std::size_t width = 7;
  for (const ScoredPicture& score : scores) width = std::max(width, score.path.string().size());
  fmt::print("{:<{}}", "picture", width);
  for (const std::string& name : predictor.classes()) fmt::print("  {:>10}", "p(" + name + ")");
  fmt::print("  verdict\n");
  for (const ScoredPicture& score : scores) {
    if (score.probabilities.empty()) continue;
    fmt::print("{:<{}}", score.path.string(), width);
    for (std::size_t k = 0; k < score.probabilities.size(); ++k)
      fmt::print("  {:>{}.4f}", score.probabilities[k], std::max<std::size_t>(10, predictor.classes()[k].size() + 3));
    fmt::print("  {}\n", score.verdict);
  }
  if (predictor.classes().size() == 2)
    fmt::print("{} from a probability of {:.4f}\n", predictor.classes()[1], predictor.threshold());
}

void print_csv(const Predictor& predictor, const std::vector<ScoredPicture>& scores) {
  fmt::print("picture");
  for (const std::string& name : predictor.classes()) fmt::print(",{}", csv_field("probability_" + name));
  fmt::print(",verdict,error\n");
  for (const ScoredPicture& score : scores) {
    fmt::print("{}", csv_field(score.path.string()));
    for (std::size_t k = 0; k < predictor.classes().size(); ++k)
      fmt::print(",{}", score.probabilities.empty() ? "" : fmt::format("{:.6f}", score.probabilities[k]));
    fmt::print(",{},{}\n", csv_field(score.verdict), csv_field(score.failure));
  }
}

void print_scores_json(const Predictor& predictor, const std::vector<ScoredPicture>& scores) {
  nlohmann::ordered_json json{{"notice", kScoresNotice},
                              {"checkpoint", predictor.checkpoint_path().string()},
                              {"model", predictor.model_name()},
                              {"classes", predictor.classes()},
                              {"threshold", predictor.threshold()},
                              {"temperature", predictor.temperature().value_or(1.0)},
                              {"predictions", nlohmann::ordered_json::array()},
                              {"unreadable", nlohmann::ordered_json::array()}};
  for (const ScoredPicture& score : scores) {
    if (!score.failure.empty()) {
      json["unreadable"].push_back({{"picture", score.path.string()}, {"reason", score.failure}});
      continue;
    }
    nlohmann::ordered_json probabilities;
    for (std::size_t k = 0; k < score.probabilities.size(); ++k)
      probabilities[predictor.classes()[k]] = score.probabilities[k];
    nlohmann::ordered_json prediction{
        {"picture", score.path.string()}, {"probabilities", probabilities}, {"verdict", score.verdict}};
    if (!score.heat_map.empty()) prediction["heatmap"] = score.heat_map.string();
    json["predictions"].push_back(prediction);
  }
  print_json(json);
}

}  // namespace xrai
