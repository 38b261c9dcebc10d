// Scores pictures with a trained network: through the decoder and the resize of the import, then the network.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include "apps/report/heat_map_files.h"
#include "apps/report/heat_map_picture.h"
#include "apps/report/scored_pictures.h"
#include "apps/report/scoring_point.h"
#include "apps/support/command_line.h"
#include "apps/support/common_options.h"
#include "apps/support/devices.h"
#include "apps/support/progress.h"
#include "apps/support/waiting_threads.h"
#include "loaders/folder_scan.h"
#include "loaders/image_decoder.h"
#include "loaders/ordered_pool.h"
#include "runtime/core/error.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/explainer.h"
#include "runtime/train/predictor.h"

namespace {

using namespace xrai;

constexpr std::int64_t kBatch = 64;

struct Options {
  std::filesystem::path checkpoint;
  std::vector<std::filesystem::path> pictures;
  std::string device = "auto", precision = "auto";
  int jobs = 0;
  bool json = false, csv = false, quiet = false, force = false;
  std::filesystem::path heat_maps;     // folder; empty: none
  std::string heat_class, heat_layer;  // empty: the class that is called, the last convolution
};

/// Draws heat maps of pictures that were scored.
struct HeatMapWriter {
  Explainer explainer;
  std::vector<std::string> classes;
  std::string of_class;                      // empty: the class that was called
  std::vector<std::filesystem::path> files;  // one a picture

  void write(std::span<const std::uint8_t> pixels, int side, std::size_t picture, ScoredPicture& score) {
    const std::string& name = of_class.empty() ? score.verdict : of_class;
    const auto place = static_cast<std::int32_t>(std::find(classes.begin(), classes.end(), name) - classes.begin());
    const HeatMap map = explainer.explain(pixels.data(), side, side, {&place, 1}).front();
    write_heat_map(files[picture], pixels, side, side, map,
                   {name, score.probabilities[static_cast<std::size_t>(place)], score.verdict, explainer.layer()});
    score.heat_map = files[picture];
  }
};

void register_options(CommandLine& line, Options& options) {
  line.add({.group = "Input and output",
            .name = "pictures",
            .target = &options.pictures,
            .help = "JPEG and PNG files, or folders of them",
            .value_name = "IMAGE...",
            .positional = true,
            .required = true});
  line.add({.group = "Input and output",
            .name = "checkpoint",
            .target = &options.checkpoint,
            .help = "a run folder (the mean of its networks) or a checkpoint file",
            .value_name = "RUN",
            .required = true});
  line.add(
      {.group = "Input and output", .name = "json", .target = &options.json, .help = "print JSON", .in_config = false});
  line.add({.group = "Input and output",
            .name = "csv",
            .target = &options.csv,
            .help = "print comma-separated values",
            .in_config = false});
  line.add({.group = "Input and output",
            .name = "quiet",
            .short_name = "q",
            .target = &options.quiet,
            .help = "no progress",
            .in_config = false});
  line.add({.group = "Work",
            .name = "device",
            .target = &options.device,
            .help = "auto, cpu, cuda or cuda:N",
            .check = check_device_name});
  add_precision_option(line, "Work", options.precision, Computes::kScoresOnly);
  line.add({.group = "Work",
            .name = "jobs",
            .short_name = "j",
            .target = &options.jobs,
            .help = "threads that decode",
            .at_least = 0,
            .at_most = 1024,
            .default_text = "0, one a core"});
  line.add({.group = "Heat maps",
            .name = "heatmap",
            .target = &options.heat_maps,
            .help = "draw where the evidence for the class lies (Grad-CAM): NAME-heatmap.png in DIR for each picture",
            .value_name = "DIR"});
  line.add({.group = "Heat maps",
            .name = "heatmap-class",
            .target = &options.heat_class,
            .help = "whose evidence",
            .value_name = "CLASS",
            .default_text = "the class that is called"});
  line.add({.group = "Heat maps",
            .name = "heatmap-layer",
            .target = &options.heat_layer,
            .help = "layer whose maps are weighted",
            .value_name = "LAYER",
            .default_text = "the last convolution, before it is pooled"});
  line.add({.group = "Heat maps",
            .name = "force",
            .target = &options.force,
            .help = "replace heat maps that are there",
            .in_config = false});
  line.set_examples(
      "  xrai_predict --checkpoint runs/chest scan1.jpeg scan2.png\n"
      "  xrai_predict --checkpoint runs/chest scans/ --heatmap seen/\n"
      "  xrai_predict --checkpoint runs/chest scans/ --csv > scores.csv\n");
}

std::vector<std::filesystem::path> all_pictures(const std::vector<std::filesystem::path>& arguments) {
  std::vector<std::filesystem::path> pictures;
  for (const std::filesystem::path& argument : arguments) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(argument, ignored)) {
      pictures.push_back(argument);
      continue;
    }
    const std::vector<std::filesystem::path> inside = pictures_in(argument);
    if (inside.empty()) log::warning(fmt::format("there is no JPEG or PNG in {}", argument.string()));
    pictures.insert(pictures.end(), inside.begin(), inside.end());
  }
  return pictures;
}

/// Scores the pictures gathered in `pixels`, whose places in `scores` are `waiting`, and empties both.
void score_batch(Predictor& predictor, HeatMapWriter* heat_maps, int side, std::vector<std::uint8_t>& pixels,
                 std::vector<std::size_t>& waiting, std::vector<ScoredPicture>& scores) {
  if (waiting.empty()) return;
  const auto n = static_cast<std::int64_t>(waiting.size());
  const std::vector<float> probabilities = predictor.predict(pixels.data(), n, side, side);
  const std::size_t n_classes = predictor.classes().size();
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    ScoredPicture& score = scores[waiting[i]];
    const auto first = probabilities.begin() + static_cast<std::ptrdiff_t>(i * n_classes);
    score.probabilities.assign(first, first + static_cast<std::ptrdiff_t>(n_classes));
    score.verdict = verdict_of(predictor, score.probabilities);
  }
  const auto square = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  for (std::size_t i = 0; heat_maps != nullptr && i < waiting.size(); ++i) {
    if (interrupt_requested() != 0) throw Error(ExitCode::kInterrupted, "interrupted");
    heat_maps->write(std::span(pixels).subspan(i * square, square), side, waiting[i], scores[waiting[i]]);
  }
  pixels.clear();
  waiting.clear();
}

/// `ended_by`: what ended it before the last picture, Ctrl-C or a disk that is full; scores are of those before.
struct Scores {
  std::vector<ScoredPicture> pictures;
  std::optional<Error> ended_by;
};

Scores score_pictures(Predictor& predictor, HeatMapWriter* heat_maps,
                      const std::vector<std::filesystem::path>& pictures, const DecodeTarget& target,
                      const Options& options) {
  struct Decoded {
    GreyImage square;
    std::string failure;
  };
  const auto decode = [&](std::int64_t i) {
    Decoded decoded;
    try {
      decoded.square = load_square_picture(pictures[static_cast<std::size_t>(i)], target).image;
    } catch (const Error& error) {
      decoded.failure = error.what();
    }
    return decoded;
  };
  Scores scores{std::vector<ScoredPicture>(pictures.size()), std::nullopt};
  std::vector<std::uint8_t> pixels;  // (waiting, size, size)
  std::vector<std::size_t> waiting;
  const auto n = static_cast<std::int64_t>(pictures.size());
  const bool few = n <= kBatch;
  Progress bar("score", n, "images", options.quiet || few);
  const auto take = [&](std::int64_t i, Decoded decoded) {
    if (interrupt_requested() != 0) throw Error(ExitCode::kInterrupted, "interrupted");
    const auto place = static_cast<std::size_t>(i);
    scores.pictures[place].path = pictures[place];
    scores.pictures[place].failure = decoded.failure;
    if (decoded.failure.empty()) {
      pixels.insert(pixels.end(), decoded.square.pixels.begin(), decoded.square.pixels.end());
      waiting.push_back(place);
    }
    if (static_cast<std::int64_t>(waiting.size()) == kBatch)
      score_batch(predictor, heat_maps, target.size, pixels, waiting, scores.pictures);
    bar.update(i + 1);
  };
  try {
    produce_in_parallel(n, options.jobs > 0 ? options.jobs : available_cores(), decode, take);
    score_batch(predictor, heat_maps, target.size, pixels, waiting, scores.pictures);
  } catch (const Error& error) {
    scores.ended_by = error;
  }
  std::erase_if(scores.pictures, [](const ScoredPicture& s) { return s.failure.empty() && s.probabilities.empty(); });
  return scores;
}

/// Null when none were asked for. Everything that can be refused is refused before the first picture is read.
std::unique_ptr<HeatMapWriter> make_heat_map_writer(Predictor& predictor, const Options& options,
                                                    const std::vector<std::filesystem::path>& pictures) {
  const std::vector<std::string>& classes = predictor.classes();
  if (options.heat_maps.empty()) {
    if (!options.heat_class.empty() || !options.heat_layer.empty())
      throw Error(ExitCode::kUsage, "--heatmap-class and --heatmap-layer say how to draw what --heatmap DIR asks for");
    return nullptr;
  }
  if (!options.heat_class.empty() && std::find(classes.begin(), classes.end(), options.heat_class) == classes.end())
    throw Error(ExitCode::kUsage, fmt::format("--heatmap-class {} is none of the network's classes, {}",
                                              options.heat_class, fmt::join(classes, ", ")));
  return std::unique_ptr<HeatMapWriter>(new HeatMapWriter{predictor.make_explainer(options.heat_layer), classes,
                                                          options.heat_class,
                                                          heat_map_files(options.heat_maps, pictures, options.force)});
}

int run(const Options& options) {
  install_interrupt_handlers();
  log::set_quiet(options.quiet);
  if (options.json && options.csv) throw Error(ExitCode::kUsage, "--json and --csv exclude each other; take one");
  const std::unique_ptr<Device> device = make_device({options.device, 0, options.precision});
  Predictor predictor = Predictor::load(options.checkpoint, *device, kBatch);
  const DecodeTarget target = target_of(predictor.preprocessing());
  if (const auto doubt = fitted_for_others_warning(predictor.facts(), predictor.n_members()); !doubt.empty())
    log::warning(doubt);
  const std::vector<std::filesystem::path> pictures = all_pictures(options.pictures);
  const std::unique_ptr<HeatMapWriter> heat_maps = make_heat_map_writer(predictor, options, pictures);
  const auto [scores, ended_by] = score_pictures(predictor, heat_maps.get(), pictures, target, options);
  if (heat_maps) log::info(fmt::format("heat maps: {}", options.heat_maps.string()));
  if (options.json) {
    print_scores_json(predictor, scores);
  } else if (options.csv) {
    print_csv(predictor, scores);
  } else {
    print_table(predictor, scores);
  }
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", kScoresNotice);
  bool all_read = true;
  for (const ScoredPicture& score : scores) {
    if (score.failure.empty()) continue;
    log::warning(fmt::format("cannot score {}: {}", score.path.string(), score.failure));
    all_read = false;
  }
  if (ended_by) {
    const auto n_scored = std::count_if(scores.begin(), scores.end(),
                                        [](const ScoredPicture& score) { return !score.probabilities.empty(); });
    throw Error(ended_by->code(), fmt::format("{}; {} of {} pictures were scored, and the result is of these",
                                              ended_by->what(), n_scored, pictures.size()));
  }
  return static_cast<int>(all_read ? ExitCode::kDone : ExitCode::kBadData);
}

}  // namespace

int main(int argc, char** argv) {
  let_waiting_threads_sleep(argv);
  return run_program("xrai_predict", [&] {
    Options options;
    CommandLine line("xrai_predict", "Scores chest X-rays with a trained network: a probability for every class.");
    register_options(line, options);
    if (!line.parse(argc, argv)) return 0;
    return run(options);
  });
}
