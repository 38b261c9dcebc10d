// See explanations.h.
#include "apps/report/explanations.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/report/html.h"
#include "apps/report/score_split.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"
#include "runtime/train/confidence.h"

namespace xrai {
namespace {

constexpr std::size_t kPicturesAtOnce = 64;

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100.0 * share);
}

void add_heat_maps(std::vector<Mistake>& mistakes, Explainer& explainer) {
  for (Mistake& mistake : mistakes) {
    const std::int32_t of_class = mistake.predicted;
    mistake.heat_map = explainer.explain(mistake.pixels.data(), mistake.height, mistake.width, {&of_class, 1}).front();
  }
}

/// A picture with a lesion: its row in the split, the class whose evidence should lie on it.
struct Shown {
  std::int64_t row;
  std::int32_t label;
  Lesion lesion;
};

std::vector<Shown> with_lesions(const std::vector<LesionPlace>& places, std::span<const std::int64_t> rows,
                                const Predictions& predictions) {
  std::vector<Shown> shown;
  for (std::size_t i = 0; i < predictions.labels.size(); ++i) {
    const std::int64_t row = rows.empty() ? static_cast<std::int64_t>(i) : rows[i];
    const auto [x, y, radius] = places[static_cast<std::size_t>(row)];
    if (radius > 0) shown.push_back({row, predictions.labels[i], {{x, y}, radius}});
  }
  return shown;
}

}  // namespace

Explanations explain_result(DatasetReader& data, const std::string& split, std::span<const std::int64_t> rows,
                            const Predictions& predictions, double threshold, const Predictor& predictor) {
  Explanations explanations{mistakes_with_pixels(data, split, rows, predictions, threshold), std::nullopt};
  try {
    Explainer explainer = predictor.make_explainer();
    add_heat_maps(explanations.mistakes, explainer);
    explanations.pointing = play_pointing_game(data, split, rows, predictions, explainer);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    log::info(fmt::format("no heat maps: {}", error.what()));
  }
  return explanations;
}

std::optional<PointingResult> play_pointing_game(DatasetReader& data, const std::string& split,
                                                 std::span<const std::int64_t> rows, const Predictions& predictions,
                                                 Explainer& explainer) {
  const std::vector<LesionPlace> places = data.lesions(split);
  if (places.empty()) return std::nullopt;
  const std::vector<Shown> shown = with_lesions(places, rows, predictions);
  const std::int64_t height = data.height(split), width = data.width(split);
  PointingResult result{{}, explainer.layer(), explainer.map_height(), explainer.map_width()};
  std::vector<std::uint8_t> pixels;
  for (std::size_t first = 0; first < shown.size(); first += kPicturesAtOnce) {
    const auto some = std::span(shown).subspan(first, std::min(kPicturesAtOnce, shown.size() - first));
    std::vector<std::int64_t> read;
    std::vector<std::int32_t> labels;
    for (const Shown& one : some) read.push_back(one.row), labels.push_back(one.label);
    pixels.resize(some.size() * static_cast<std::size_t>(height * width));
    data.read_rows(split, read, pixels.data());
    const std::vector<HeatMap> maps = explainer.explain(pixels.data(), height, width, labels);
    for (std::size_t i = 0; i < some.size(); ++i) result.game.play(maps[i], some[i].lesion);
  }
  return result.game.accuracy().of > 0 ? std::optional(result) : std::nullopt;
}

nlohmann::ordered_json pointing_json(const PointingResult& result) {
  const PointingGame& game = result.game;
  const auto interval = wilson_interval(game.accuracy());
  nlohmann::ordered_json json;
  json["accuracy"] = {{"value", game.accuracy().value().value_or(0.0)},
                      {"ci95", {interval ? interval->low : 0.0, interval ? interval->high : 1.0}},
                      {"method", "wilson"}};
  json["chance"] = game.chance().value_or(0.0);
  json["heat_inside"] = game.mean_heat_inside().value_or(0.0);
  json["area"] = game.area().value_or(0.0);
  json["n_lesions"] = game.accuracy().of;
  json["layer"] = result.layer;
  json["map"] = {result.map_height, result.map_width};
  return json;
}

std::string pointing_text(const PointingResult& result) {
  const PointingGame& game = result.game;
  const auto interval = wilson_interval(game.accuracy());
  return fmt::format(
      "\n  pointing game: {} of {} heat maps are highest on the lesion or half a cell beside, {} ({} to {}; by chance "
      "{})\n"
      "  {} of the heat lies on it, which covers {} of what is seen (Grad-CAM at {}, {} x {} cells)\n",
      game.accuracy().hits, game.accuracy().of, percent(game.accuracy().value().value_or(0.0)),
      percent(interval ? interval->low : 0.0), percent(interval ? interval->high : 1.0),
      percent(game.chance().value_or(0.0)), percent(game.mean_heat_inside().value_or(0.0)),
      percent(game.area().value_or(0.0)), result.layer, result.map_height, result.map_width);
}

std::string pointing_section(const PointingResult& result) {
  const PointingGame& game = result.game;
  const auto interval = wilson_interval(game.accuracy());
  return fmt::format(
      "<section>\n<h2>Does it look at the lesion?</h2>\n<p>This data set says where the lesions are. Of {} heat maps "
      "(Grad-CAM at {}, {} x {} cells) <b>{}</b> are highest on the lesion or half a cell beside (95 % interval {} to "
      "{}); by chance it "
      "would be "
      "{}. {} of the heat lies on lesions, which cover {} of what the network sees.</p>\n</section>\n",
      game.accuracy().of, html_escape(result.layer), result.map_height, result.map_width,
      percent(game.accuracy().value().value_or(0.0)), percent(interval ? interval->low : 0.0),
      percent(interval ? interval->high : 1.0), percent(game.chance().value_or(0.0)),
      percent(game.mean_heat_inside().value_or(0.0)), percent(game.area().value_or(0.0)));
}

}  // namespace xrai
