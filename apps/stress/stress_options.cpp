// See stress_options.h.
#include "apps/stress/stress_options.h"

#include <fmt/format.h>

#include "apps/report/contact_sheet.h"
#include "apps/stress/clusters.h"
#include "apps/stress/shortcut_words.h"
#include "apps/stress/shortcuts.h"
#include "apps/stress/stress_section.h"
#include "apps/stress/stress_suite.h"
#include "apps/stress/stress_words.h"
#include "apps/stress/variant_scores.h"
#include "apps/support/progress.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

GreyImage changed(const GreyImage& image, const Change& change) {
  GreyImage result = image;
  change(
      {.in = image.pixels.data(), .out = result.pixels.data(), .n = 1, .height = image.height, .width = image.width});
  return result;
}

void add_stress(FurtherResults& results, const StressResult& stress, const std::vector<Clustering>& clusterings,
                const std::vector<std::string>& classes) {
  results.text += stress_text(stress) + clusters_text(clusterings, classes);
  results.html += stress_section(stress) + clusters_section(clusterings, stress.clean.auroc);
  results.json["stress"] = stress_json(stress);
  results.json["clusters"] = clusters_json(clusterings, classes);
}

}  // namespace

void add_stress_options(CommandLine& line, StressOptions& options) {
  const std::string group = "shift and shortcuts";
  line.add({.group = group,
            .name = "stress",
            .target = &options.stress,
            .help = "score the split made worse on purpose, 19 ways in five steps, and by kind of picture"});
  line.add({.group = group,
            .name = "shortcuts",
            .target = &options.shortcuts,
            .help = "how far the label is known without the lungs, and whether the network knows it so"});
  line.add({.group = group,
            .name = "stress-sheet",
            .target = &options.sheet,
            .help = "draw the split's first picture under all that --stress does",
            .value_name = "SHEET.png"});
  line.add(
      {.group = group, .name = "stress-seed", .target = &options.seed, .help = "seed of directions, grain and draws"});
}

FurtherResults measure_further(const StressOptions& options, DatasetReader& data, const std::string& split,
                               const Predictions& clean, double threshold, const Predict& predict, bool quiet) {
  FurtherResults results;
  if (options.shortcuts) require_two_classes(data, clean);  // before anything that must be waited for
  if (!options.sheet.empty()) write_stress_sheet(options.sheet, data, split, options.seed);
  if (!options.stress && !options.shortcuts) return results;
  const auto columns = varying_columns(split_statistics(data, split));
  if (options.stress) {
    Progress progress("stress suite", clean.n_images() * stress_variants(), "images", quiet);
    const StressResult stress =
        measure_stress(data, split, clean, threshold, options.seed, predict, [&](std::int64_t done) {
          stop_if_requested("the stress suite was not finished");
          progress.update(done);
        });
    auto clusterings = clusters_by_statistics(clean, columns, threshold);
    clusterings.push_back(clusters_by_family(clean, threshold));
    add_stress(results, stress, clusterings, clean.classes);
  }
  if (options.shortcuts) {
    Progress progress("masked pictures", clean.n_images() * shortcut_variants(), "images", quiet);
    const auto shortcuts = measure_shortcuts(data, split, clean, threshold, columns, predict, [&](std::int64_t done) {
      stop_if_requested("the masked pictures were not all scored");
      progress.update(done);
    });
    results.text += shortcuts_text(shortcuts);
    results.html += shortcuts_section(shortcuts);
    results.json["shortcuts"] = shortcuts_json(shortcuts);
  }
  return results;
}

void write_stress_sheet(const std::filesystem::path& path, DatasetReader& data, const std::string& split,
                        std::uint64_t seed) {
  GreyImage image{static_cast<int>(data.width(split)), static_cast<int>(data.height(split)), {}};
  image.pixels.resize(static_cast<std::size_t>(data.width(split) * data.height(split)));
  const std::int64_t first_row = 0;
  data.read_rows(split, std::span(&first_row, 1), image.pixels.data());
  SheetRow stressed{fmt::format("as stored, then stressed: {} draws", kStressedDraws), {image}};
  for (std::uint64_t draw = 0; draw < kStressedDraws; ++draw)
    stressed.pictures.push_back(changed(image, [&](const PictureBlock& b) { draw_stressed_views(seed, draw, b); }));
  std::vector<SheetRow> rows{stressed};
  for (const Corruption& corruption : corruption_suite()) {
    SheetRow row{fmt::format("{}: {} {}", corruption.label, corruption.unit, fmt::join(corruption.amounts, ", ")),
                 {image}};
    for (int severity = 1; severity <= kSeverities; ++severity)
      row.pictures.push_back(changed(image, [&](const PictureBlock& b) { corrupt(corruption, severity, seed, b); }));
    rows.push_back(std::move(row));
  }
  write_contact_sheet(
      path, fmt::format("{}, split {}: the first picture under stress", data.path().filename().string(), split), rows);
}

}  // namespace xrai
