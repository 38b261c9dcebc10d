// What a training run can be told, as plain data; the programs fill it from flags and configuration files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/augment.h"

namespace xrai {

enum class OptimiserKind { kAdamW, kSgd };

struct OptimiserSettings {
  OptimiserKind kind = OptimiserKind::kAdamW;
  double learning_rate = 4e-3;
  double weight_decay = 1e-2;                         // on weights only
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // AdamW
  double momentum = 0.9;                              // SGD, Nesterov
  double max_gradient_norm = 0;                       // 0: no clipping
};

enum class ScheduleKind { kCosine, kOneCycle, kStep, kConstant };

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::kCosine;
  double warmup_epochs = 2.4;  // linear from 0; one-cycle has its own rise and ignores it
};

/// Which epoch's network is kept in checkpoints/best.h5 and evaluated. A schedule that ends at a rate of 0 is made for
/// its end: the validation loss is flat before, and its lowest epoch is a little worse on pictures of another kind
/// (docs/recipe.md).
enum class KeptEpoch { kLast, kLowestLoss };

/// How pictures are looked at; part of the checkpoint, since evaluation must do the same.
struct InputSettings {
  std::int64_t image_size = 64;  // side of what the network sees, in pixels
  kernels::ViewSettings view;
};

/// Which steps a profiler looks at, counted from 1 in this call of the program.
struct ProfileSettings {
  std::int64_t first_step = 20, steps = 0;  // 0 steps: no profiling
};

struct TrainSettings {
  std::int64_t epochs = 12;
  std::int64_t max_steps = 0;  // stops there; 0: no limit. The schedule spans the epochs all the same
  std::int64_t batch_size = 64;
  std::int64_t evaluation_batch_size = 64;
  OptimiserSettings optimiser;
  ScheduleSettings schedule;
  KeptEpoch kept_epoch = KeptEpoch::kLast;
  InputSettings input;
  kernels::AugmentRanges augment;
  double label_smoothing = 0;
  std::vector<float> class_weights;  // one a class
  std::vector<float> log_priors;     // one a class, what the loss adds to the logits (kernels/loss.h); empty: nothing
  std::uint64_t seed = 1;
  std::int64_t log_every = 20;  // steps between step lines
  ProfileSettings profile;
};

}  // namespace xrai
