// See score_split.h.
#include "apps/report/score_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::int64_t kMostBytesAtOnce = std::int64_t{64} << 20;

std::vector<std::int64_t> all_rows_if_empty(std::span<const std::int64_t> rows, std::int64_t n) {
  std::vector<std::int64_t> chosen(rows.begin(), rows.end());
  if (chosen.empty()) {
    chosen.resize(static_cast<std::size_t>(n));
    std::iota(chosen.begin(), chosen.end(), std::int64_t{0});
  }
  return chosen;
}

std::vector<std::string> chosen_names(const std::vector<std::string>& names, const std::vector<std::int64_t>& rows) {
  if (names.empty()) return {};
  std::vector<std::string> chosen;
  for (const std::int64_t row : rows) chosen.push_back(names[static_cast<std::size_t>(row)]);
  return chosen;
}

}  // namespace

bool are_numbers(const std::vector<std::string>& names) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), is_digit);
  });
}

std::vector<std::int32_t> class_places(const std::vector<std::string>& found, const std::vector<std::string>& wanted,
                                       const std::string& found_in, const std::string& wanted_by) {
  std::vector<std::string> a = found, b = wanted;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  if (a != b && a.size() == b.size() && (are_numbers(found) || are_numbers(wanted))) {
    std::vector<std::int32_t> in_order(found.size());
    std::iota(in_order.begin(), in_order.end(), 0);
    return in_order;
  }
  if (a != b) {
    throw Error(ExitCode::kBadData,
                fmt::format("the classes of {} are {}, but {} was trained on {}; score a file with the same classes, "
                            "or import the pictures into folders of those names",
                            found_in, fmt::join(found, ", "), wanted_by, fmt::join(wanted, ", ")));
  }
  std::vector<std::int32_t> places;
  for (const std::string& name : found) {
    places.push_back(static_cast<std::int32_t>(std::find(wanted.begin(), wanted.end(), name) - wanted.begin()));
  }
  return places;
}

std::string split_to_score(const DatasetReader& data, const std::string& asked) {
  const auto splits = data.splits();
  const auto has = [&](std::string_view name) { return std::find(splits.begin(), splits.end(), name) != splits.end(); };
  if (!asked.empty()) {
    if (has(asked)) return asked;
    throw Error(ExitCode::kUsage, fmt::format("{} has no split '{}', only {}; choose one of these with --split",
                                              data.path().string(), asked, fmt::join(splits, ", ")));
  }
  for (const char* name : {"test", "val"}) {
    if (has(name)) return name;
  }
  throw Error(ExitCode::kUsage,
              fmt::format("{} has neither a test nor a val split, and figures on training pictures say little; import "
                          "with --splits train=0.7,val=0.15,test=0.15, or insist with --split train",
                          data.path().string()));
}

std::string split_warning(const DatasetReader& data, const std::string& split) {
  if (split == "train")
    return "These are pictures of the training split: the figures say how well they were learnt by heart.";
  const auto splits = data.splits();
  if (std::find(splits.begin(), splits.end(), "train") == splits.end()) return {};
  const auto trained = data.groups("train"), scored = data.groups(split);
  const std::set<std::string> known(trained.begin(), trained.end());
  const auto n =
      std::count_if(scored.begin(), scored.end(), [&](const auto& g) { return !g.empty() && known.contains(g); });
  if (n == 0) return {};
  return fmt::format(
      "{} of {} pictures of the {} split belong to patients (or groups) that the training split of this "
      "file holds too: the figures flatter the network.",
      n, scored.size(), split);
}

Predictions score_split(DatasetReader& data, const std::string& split, std::span<const std::int64_t> rows,
                        const std::vector<std::string>& classes, const std::string& checkpoint, const Predict& predict,
                        const std::function<void(std::int64_t)>& on_images) {
  const auto places = class_places(data.classes(), classes, data.path().string(), checkpoint);
  const auto chosen = all_rows_if_empty(rows, data.n_images(split));
  const std::int64_t height = data.height(split), width = data.width(split);
  Predictions p;
  p.classes = classes;
  p.groups = chosen_names(data.groups(split), chosen);
  p.sources = chosen_names(data.sources(split), chosen);
  for (const std::int64_t row : chosen) {
    const std::int32_t label = data.labels(split)[static_cast<std::size_t>(row)];
    p.labels.push_back(places[static_cast<std::size_t>(label)]);
  }
  // Whole chunks of the file at a time where that is possible.
  const std::int64_t chunk = std::max<std::int64_t>(1, data.rows_per_chunk(split));
  const std::int64_t most = std::max<std::int64_t>(1, kMostBytesAtOnce / (height * width));
  const auto at_once = static_cast<std::size_t>(most >= chunk ? std::min<std::int64_t>(most / chunk, 8) * chunk : most);
  std::vector<std::uint8_t> pixels;
  for (std::size_t first = 0; first < chosen.size(); first += at_once) {
    const std::size_t n = std::min(at_once, chosen.size() - first);
    pixels.resize(n * static_cast<std::size_t>(height * width));
    data.read_rows(split, std::span(chosen).subspan(first, n), pixels.data());
    const auto probabilities = predict(pixels.data(), static_cast<std::int64_t>(n), height, width);
    p.probabilities.insert(p.probabilities.end(), probabilities.begin(), probabilities.end());
    if (on_images) on_images(static_cast<std::int64_t>(first + n));
  }
  return p;
}

std::vector<Mistake> mistakes_with_pixels(DatasetReader& data, const std::string& split,
                                          std::span<const std::int64_t> rows, const Predictions& predictions,
                                          double threshold, std::size_t most) {
  const auto chosen = all_rows_if_empty(rows, data.n_images(split));
  auto mistakes = most_confident_mistakes(predictions, threshold, most);
  for (Mistake& mistake : mistakes) {
    mistake.row = chosen[static_cast<std::size_t>(mistake.row)];
    mistake.height = data.height(split);
    mistake.width = data.width(split);
    mistake.pixels.resize(static_cast<std::size_t>(mistake.height * mistake.width));
    data.read_rows(split, std::span(&mistake.row, 1), mistake.pixels.data());
  }
  return mistakes;
}

bool data_is_synthetic(const DatasetReader& data) {
  const auto attribute = data.attribute("synthetic");
  if (!attribute) return false;
  if (const auto* number = std::get_if<std::int64_t>(&*attribute)) return *number != 0;
  if (const auto* text = std::get_if<std::string>(&*attribute))
    return !text->empty() && *text != "false" && *text != "0";
  return true;
}

}  // namespace xrai
