// Scores pictures with a trained network: through the decoder and the resize of the import, then the network.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/support/command_line.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "apps/support/waiting_threads.h"
#include "loaders/folder_scan.h"
#include "loaders/image_decoder.h"
#include "loaders/ordered_pool.h"
#include "runtime/core/error.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/predictor.h"

namespace {

using namespace xrai;

constexpr const char* kNotice =
    "A research and teaching tool, not a medical device: do not base decisions on its output.";
constexpr std::int64_t kBatch = 64;

struct Options {
  std::filesystem::path checkpoint;
  std::vector<std::filesystem::path> pictures;
  std::string device = "auto";
  int jobs = 0;
  bool json = false, csv = false, quiet = false;
};

/// What became of one picture.
struct Score {
  std::filesystem::path path;
  std::vector<float> probabilities;  // per class; empty when unreadable
  std::string verdict, failure;
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
            .help = "a run folder (its best network) or a checkpoint file",
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
  line.add({.group = "Work",
            .name = "jobs",
            .short_name = "j",
            .target = &options.jobs,
            .help = "threads that decode",
            .at_least = 0,
            .at_most = 1024,
            .default_text = "0, one a core"});
  line.set_examples(
      "  xrai_predict --checkpoint runs/chest scan1.jpeg scan2.png\n"
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

/// The way the training pictures were brought to size; warns when they came another way than new pictures can.
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

/// Scores the pictures gathered in `pixels`, whose places in `scores` are `waiting`, and empties both.
void score_batch(Predictor& predictor, int side, std::vector<std::uint8_t>& pixels, std::vector<std::size_t>& waiting,
                 std::vector<Score>& scores) {
  if (waiting.empty()) return;
  const auto n = static_cast<std::int64_t>(waiting.size());
  const std::vector<float> probabilities = predictor.predict(pixels.data(), n, side, side);
  const std::size_t n_classes = predictor.classes().size();
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    Score& score = scores[waiting[i]];
    const auto first = probabilities.begin() + static_cast<std::ptrdiff_t>(i * n_classes);
    score.probabilities.assign(first, first + static_cast<std::ptrdiff_t>(n_classes));
    score.verdict = verdict_of(predictor, score.probabilities);
  }
  pixels.clear();
  waiting.clear();
}

std::vector<Score> score_pictures(Predictor& predictor, const std::vector<std::filesystem::path>& pictures,
                                  const DecodeTarget& target, const Options& options) {
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
  std::vector<Score> scores(pictures.size());
  std::vector<std::uint8_t> pixels;  // (waiting, size, size)
  std::vector<std::size_t> waiting;
  const auto n = static_cast<std::int64_t>(pictures.size());
  const bool few = n <= kBatch;
  Progress bar("score", n, "images", options.quiet || few);
  produce_in_parallel(n, options.jobs > 0 ? options.jobs : available_cores(), decode,
                      [&](std::int64_t i, Decoded decoded) {
                        if (interrupt_requested() != 0)
                          throw Error(ExitCode::kInterrupted, fmt::format("stopped after {} of {} pictures", i, n));
                        const auto place = static_cast<std::size_t>(i);
                        scores[place].path = pictures[place];
                        scores[place].failure = decoded.failure;
                        if (decoded.failure.empty()) {
                          pixels.insert(pixels.end(), decoded.square.pixels.begin(), decoded.square.pixels.end());
                          waiting.push_back(place);
                        }
                        if (static_cast<std::int64_t>(waiting.size()) == kBatch)
                          score_batch(predictor, target.size, pixels, waiting, scores);
                        bar.update(i + 1);
                      });
  score_batch(predictor, target.size, pixels, waiting, scores);
  return scores;
}

void print_table(const Predictor& predictor, const std::vector<Score>& scores) {
  if (std::none_of(scores.begin(), scores.end(), [](const Score& score) { return score.failure.empty(); })) return;
  std::size_t width = 7;
  for (const Score& score : scores) width = std::max(width, score.path.string().size());
  fmt::print("{:<{}}", "picture", width);
  for (const std::string& name : predictor.classes()) fmt::print("  {:>10}", "p(" + name + ")");
  fmt::print("  verdict\n");
  for (const Score& score : scores) {
    if (score.probabilities.empty()) continue;
    fmt::print("{:<{}}", score.path.string(), width);
    for (std::size_t k = 0; k < score.probabilities.size(); ++k)
      fmt::print("  {:>{}.4f}", score.probabilities[k], std::max<std::size_t>(10, predictor.classes()[k].size() + 3));
    fmt::print("  {}\n", score.verdict);
  }
  if (predictor.classes().size() == 2)
    fmt::print("{} from a probability of {:.4f}\n", predictor.classes()[1], predictor.threshold());
}

/// RFC 4180.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char character : text) quoted += character == '"' ? std::string("\"\"") : std::string(1, character);
  return quoted + "\"";
}

void print_csv(const Predictor& predictor, const std::vector<Score>& scores) {
  fmt::print("picture");
  for (const std::string& name : predictor.classes()) fmt::print(",{}", csv_field("probability_" + name));
  fmt::print(",verdict,error\n");
  for (const Score& score : scores) {
    fmt::print("{}", csv_field(score.path.string()));
    for (std::size_t k = 0; k < predictor.classes().size(); ++k)
      fmt::print(",{}", score.probabilities.empty() ? "" : fmt::format("{:.6f}", score.probabilities[k]));
    fmt::print(",{},{}\n", csv_field(score.verdict), csv_field(score.failure));
  }
}

void print_scores_json(const Predictor& predictor, const std::vector<Score>& scores) {
  nlohmann::ordered_json json{{"notice", kNotice},
                              {"checkpoint", predictor.checkpoint_path().string()},
                              {"model", predictor.model_name()},
                              {"classes", predictor.classes()},
                              {"threshold", predictor.threshold()},
                              {"temperature", predictor.temperature().value_or(1.0)},
                              {"predictions", nlohmann::ordered_json::array()},
                              {"unreadable", nlohmann::ordered_json::array()}};
  for (const Score& score : scores) {
    if (!score.failure.empty()) {
      json["unreadable"].push_back({{"picture", score.path.string()}, {"reason", score.failure}});
      continue;
    }
    nlohmann::ordered_json probabilities;
    for (std::size_t k = 0; k < score.probabilities.size(); ++k)
      probabilities[predictor.classes()[k]] = score.probabilities[k];
    json["predictions"].push_back(
        {{"picture", score.path.string()}, {"probabilities", probabilities}, {"verdict", score.verdict}});
  }
  print_json(json);
}

int run(const Options& options) {
  install_interrupt_handlers();
  log::set_quiet(options.quiet);
  if (options.json && options.csv) throw Error(ExitCode::kUsage, "--json and --csv exclude each other; take one");
  const std::unique_ptr<Device> device = make_device({options.device});
  Predictor predictor = Predictor::load(options.checkpoint, *device, kBatch);
  const DecodeTarget target = target_of(predictor.preprocessing());
  const std::vector<Score> scores = score_pictures(predictor, all_pictures(options.pictures), target, options);
  if (options.json) {
    print_scores_json(predictor, scores);
  } else if (options.csv) {
    print_csv(predictor, scores);
  } else {
    print_table(predictor, scores);
  }
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", kNotice);
  bool all_read = true;
  for (const Score& score : scores) {
    if (score.failure.empty()) continue;
    log::warning(fmt::format("cannot score {}: {}", score.path.string(), score.failure));
    all_read = false;
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
