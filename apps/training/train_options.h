// Everything xrai_gpu_train can be told, with its defaults, and how that becomes TrainSettings.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/support/command_line.h"
#include "loaders/layout.h"
#include "runtime/train/settings.h"

namespace xrai {

struct TrainOptions {
  std::filesystem::path data, out;
  LayoutOptions layout;  // of the data
  std::string recipe = "default";
  std::string model = "plain5";
  std::optional<std::int64_t> image_size;  // default: from the stored pictures, see default_image_size
  std::int64_t epochs = 12, max_steps = 0;
  std::optional<std::int64_t> batch_size = 64;  // none: --batch-size auto, until the device is known
  std::string optimizer = "adamw";
  std::optional<double> lr;  // default depends on the optimiser
  double weight_decay = 1e-2, momentum = 0.9, clip_norm = 0;
  std::string schedule = "cosine";
  std::optional<double> warmup_epochs;  // default: a fifth of the epochs
  std::string keep;                     // default depends on the schedule
  std::string class_weight = "adjusted";
  double label_smoothing = 0;
  std::string operating_point = "default";
  std::uint64_t seed = 1;
  std::int64_t members = 6;               // networks whose probabilities are averaged
  std::optional<std::uint64_t> val_seed;  // of the choice of validation pictures; default: seed
  std::string shuffle = "all";
  bool augment = true;
  double rotation = 10, scale = 0.15, aspect = 0.2, shift = 0.05, gamma = 0.35, contrast = 0.25, brightness = 0.1,
         flip = 0;
  double crop = 0.9;
  bool standardise = false;
  double val_fraction = 0.15;
  std::string cache = "auto";
  std::string device = "auto", precision = "auto";
  int threads = 0, workers = 4;
  bool gradient_checkpointing = false, autotune = false, deterministic = false;
  std::string resume;
  bool fast_dev_run = false;
  std::int64_t log_interval = 20;
  bool quiet = false, json = false;
  std::filesystem::path trace;
  std::int64_t profile_start_step = 20, profile_steps = 0;
};

/// Registers all of them.
void add_train_options(CommandLine& command_line, TrainOptions& options);

/// Throws Error(kUsage) for --autotune beside what contradicts it.
void refuse_contradictions(const TrainOptions& options);

/// Three quarters of the stored side, at most 64 and at least 32: a family that was never trained on is told apart no
/// better at 96 px, for more than twice the time (docs/recipe.md).
std::int64_t default_image_size(std::int64_t stored_size);

/// Fills in what depends on other values (learning rate, warm-up, image size), so that what is printed and saved says
/// what is used. stored_size: side of the stored pictures.
void resolve_defaults(TrainOptions& options, std::int64_t stored_size);

/// Of resolved options. labels: of the training pictures, every class among them. batch_size is 0 while --batch-size
/// is auto.
TrainSettings train_settings(const TrainOptions& options, const std::vector<std::int32_t>& labels,
                             std::int64_t n_classes);

/// One a class: what its validation pictures weigh when the temperature is fitted. Alike with --class-weight none, else
/// so that the classes weigh alike, which is what the network's probabilities are of then.
std::vector<float> calibration_weights(const TrainOptions& options, const std::vector<std::int32_t>& labels,
                                       std::int64_t n_classes);

}  // namespace xrai
