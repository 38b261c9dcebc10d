// From what was asked for to what the trainer takes.
#include <algorithm>

#include "apps/training/train_options.h"
#include "runtime/core/error.h"
#include "runtime/train/class_shares.h"

namespace xrai {

std::int64_t default_image_size(std::int64_t stored_size) {
  return std::clamp<std::int64_t>(stored_size * 3 / 4 / 8 * 8, 32, 64);
}

void refuse_contradictions(const TrainOptions& o) {
  if (o.autotune && o.deterministic)
    throw Error(ExitCode::kUsage,
                "--autotune and --deterministic contradict each other: what is fastest may add up in another order at "
                "every run; leave one of them out");
  if (o.autotune && o.device == "cpu")
    throw Error(ExitCode::kUsage,
                "--autotune times the plans of a GPU's library, and the CPU device has none; leave it out or take "
                "--device cuda");
}

void resolve_defaults(TrainOptions& o, std::int64_t stored_size) {
  if (!o.lr) o.lr = o.optimizer == "sgd" ? 0.05 : 4e-3;
  if (!o.warmup_epochs) o.warmup_epochs = static_cast<double>(o.epochs) / 5;
  if (o.keep.empty()) o.keep = o.schedule == "cosine" || o.schedule == "onecycle" ? "last" : "lowest-loss";
  if (!o.val_seed) o.val_seed = o.seed;
  if (!o.image_size) o.image_size = default_image_size(stored_size);
}

std::vector<float> calibration_weights(const TrainOptions& o, const std::vector<std::int32_t>& labels,
                                       std::int64_t n_classes) {
  return o.class_weight == "none" ? std::vector<float>(static_cast<std::size_t>(n_classes), 1.0f)
                                  : balanced_class_weights(labels, n_classes);
}

TrainSettings train_settings(const TrainOptions& o, const std::vector<std::int32_t>& labels, std::int64_t n_classes) {
  TrainSettings s;
  s.epochs = o.epochs;
  s.max_steps = o.max_steps;
  s.batch_size = o.batch_size.value_or(0);
  s.optimiser.kind = o.optimizer == "sgd" ? OptimiserKind::kSgd : OptimiserKind::kAdamW;
  s.optimiser.learning_rate = o.lr.value();
  s.optimiser.weight_decay = o.weight_decay;
  s.optimiser.momentum = o.momentum;
  s.optimiser.max_gradient_norm = o.clip_norm;
  s.schedule.kind = o.schedule == "onecycle"   ? ScheduleKind::kOneCycle
                    : o.schedule == "step"     ? ScheduleKind::kStep
                    : o.schedule == "constant" ? ScheduleKind::kConstant
                                               : ScheduleKind::kCosine;
  s.schedule.warmup_epochs = o.warmup_epochs.value();
  s.kept_epoch = o.keep == "lowest-loss" ? KeptEpoch::kLowestLoss : KeptEpoch::kLast;
  s.input.image_size = o.image_size.value();
  s.input.view.crop = static_cast<float>(o.crop);
  s.input.view.standardise = o.standardise;
  if (o.augment)
    s.augment = {static_cast<float>(o.rotation),   static_cast<float>(o.scale), static_cast<float>(o.aspect),
                 static_cast<float>(o.shift),      static_cast<float>(o.gamma), static_cast<float>(o.contrast),
                 static_cast<float>(o.brightness), static_cast<float>(o.flip)};
  s.label_smoothing = o.label_smoothing;
  s.class_weights = o.class_weight == "balanced" ? balanced_class_weights(labels, n_classes)
                                                 : std::vector<float>(static_cast<std::size_t>(n_classes), 1.0f);
  if (o.class_weight == "adjusted") s.log_priors = log_class_shares(labels, n_classes);
  s.seed = o.seed;
  s.log_every = o.log_interval;
  s.profile = {o.profile_start_step, o.profile_steps};
  return s;
}

}  // namespace xrai
