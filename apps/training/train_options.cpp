#include "apps/training/train_options.h"

#include "apps/support/common_options.h"
#include "runtime/train/operating_point.h"

namespace xrai {
namespace {

void add_data_options(CommandLine& c, TrainOptions& o) {
  c.add({.group = "Data",
         .name = "data",
         .target = &o.data,
         .help = "data set to learn from, made by xrai_dataset or by anyone else",
         .value_name = "FILE.h5",
         .required = true});
  c.add({.group = "Data",
         .name = "out",
         .short_name = "o",
         .target = &o.out,
         .help = "run folder to make: checkpoints, curves, report",
         .value_name = "RUN",
         .required = true,
         .in_resolved = false});
  c.add({.group = "Data",
         .name = "val-fraction",
         .target = &o.val_fraction,
         .help = "part of the training patients kept for validation when the file has no val split",
         .above = 0,
         .at_most = 0.5});
  c.add({.group = "Data",
         .name = "val-seed",
         .target = &o.val_seed,
         .help = "of the choice of these patients",
         .value_name = "N",
         .default_text = "--seed"});
  c.add({.group = "Data",
         .name = "cache",
         .target = &o.cache,
         .help = "where pictures stay once they were read; auto: on a GPU, else in host memory, where they take a "
                 "quarter of what is free or less",
         .allowed = {"auto", "none", "host", "device"}});
  add_layout_options(c, o.layout);
}

void add_model_options(CommandLine& c, TrainOptions& o) {
  c.add({.group = "Model",
         .name = "recipe",
         .target = &o.recipe,
         .help = "set of values for all that is not given: default, fast, best (recipes/), or a TOML file",
         .value_name = "NAME|FILE.toml",
         .in_resolved = false});
  c.add({.group = "Model",
         .name = "model",
         .target = &o.model,
         .help = "network: plain5, lenet, resnet18, or a TOML file that lists layers (docs/models.md)",
         .value_name = "NAME|FILE.toml"});
  c.add({.group = "Model",
         .name = "members",
         .target = &o.members,
         .help = "networks to train, with seeds of their own; their probabilities are averaged (RUN/members)",
         .value_name = "N",
         .at_least = 1,
         .at_most = 100});
  c.add({.group = "Model",
         .name = "image-size",
         .target = &o.image_size,
         .help = "side in pixels of what the network sees",
         .value_name = "N",
         .at_least = 8,
         .at_most = 2048,
         .default_text = "3/4 of the stored side, 32 to 64"});
}

void add_training_options(CommandLine& c, TrainOptions& o) {
  const std::string g = "Training";
  c.add(
      {.group = g, .name = "epochs", .target = &o.epochs, .help = "passes over the training pictures", .at_least = 1});
  c.add({.group = g,
         .name = "max-steps",
         .target = &o.max_steps,
         .help = "stop at this step of the run (0: no limit); the schedule spans the epochs all the same, and --resume "
                 "auto goes on",
         .at_least = 0,
         .in_resolved = false});
  c.add({.group = g,
         .name = "batch-size",
         .short_name = "b",
         .target = &o.batch_size,
         .help =
             "pictures a step; auto: the largest power of two, up to 256 and to the number of training pictures, that "
             "needs at most half of the free memory",
         .value_name = "N|auto",
         .at_least = 1,
         .at_most = 65536,
         .unset_word = "auto"});
  c.add({.group = g,
         .name = "optimizer",
         .target = &o.optimizer,
         .help = "rule by which weights follow gradients",
         .allowed = {"adamw", "sgd"}});
  c.add({.group = g,
         .name = "lr",
         .target = &o.lr,
         .help = "highest learning rate",
         .value_name = "RATE",
         .above = 0,
         .default_text = "0.004 for adamw, 0.05 for sgd"});
  c.add({.group = g,
         .name = "weight-decay",
         .target = &o.weight_decay,
         .help = "on weights only, not on biases or norms",
         .at_least = 0});
  c.add({.group = g,
         .name = "momentum",
         .target = &o.momentum,
         .help = "of sgd (Nesterov)",
         .at_least = 0,
         .at_most = 0.9999});
  c.add({.group = g,
         .name = "clip-norm",
         .target = &o.clip_norm,
         .help = "largest norm of the gradient (0: no clipping)",
         .at_least = 0});
  c.add({.group = g,
         .name = "schedule",
         .target = &o.schedule,
         .help = "course of the learning rate",
         .allowed = {"cosine", "onecycle", "step", "constant"}});
  c.add({.group = g,
         .name = "warmup-epochs",
         .target = &o.warmup_epochs,
         .help = "linear rise of the rate at the beginning (onecycle has its own)",
         .value_name = "N",
         .at_least = 0,
         .default_text = "a fifth of --epochs"});
  c.add({.group = g,
         .name = "keep",
         .target = &o.keep,
         .help =
             "epoch whose network is checkpoints/best.h5, which evaluation and prediction take: the last, or the one "
             "with the lowest validation loss",
         .allowed = {"last", "lowest-loss"},
         .default_text = "last where the schedule ends at 0 (cosine, onecycle), else lowest-loss"});
  c.add({.group = g,
         .name = "class-weight",
         .target = &o.class_weight,
         .help =
             "so that 0.5 is a usable threshold though one class is rare: adjusted, the loss itself knows the shares "
             "of the classes, or balanced, pictures of rare classes count more",
         .allowed = {"adjusted", "balanced", "none"}});
  c.add({.group = g,
         .name = "label-smoothing",
         .target = &o.label_smoothing,
         .help = "part of each label that is spread over all classes",
         .at_least = 0,
         .at_most = 0.9});
  c.add({.group = g,
         .name = "operating-point",
         .target = &o.operating_point,
         .help = "probability from which the second of two classes is said, chosen on the validation pictures at the "
                 "end: default (0.5), youden, sens=0.95 or spec=0.90",
         .value_name = "RULE",
         .check = operating_rule_problem});
  c.add({.group = g, .name = "seed", .target = &o.seed, .help = "of weights, order and augmentation"});
  c.add({.group = g,
         .name = "shuffle",
         .target = &o.shuffle,
         .help = "all: every order is as likely; chunk: by chunks of the file, for large compressed files",
         .allowed = {"all", "chunk"}});
}

void add_augmentation_options(CommandLine& c, TrainOptions& o) {
  const std::string g = "Augmentation";
  c.add({.group = g,
         .name = "augment",
         .target = &o.augment,
         .help = "show every picture differently in every epoch, by the ranges below"});
  c.add({.group = g,
         .name = "rotation",
         .target = &o.rotation,
         .help = "turn by up to so many degrees to either side",
         .at_least = 0,
         .at_most = 180});
  c.add({.group = g,
         .name = "scale",
         .target = &o.scale,
         .help = "zoom between 1 - this and 1 + this",
         .at_least = 0,
         .at_most = 0.9});
  c.add({.group = g,
         .name = "aspect",
         .target = &o.aspect,
         .help = "stretch width over height by exp(-this) to exp(this)",
         .at_least = 0,
         .at_most = 1});
  c.add({.group = g,
         .name = "shift",
         .target = &o.shift,
         .help = "move by up to this part of the side",
         .at_least = 0,
         .at_most = 1});
  c.add({.group = g,
         .name = "gamma",
         .target = &o.gamma,
         .help = "exponent of the grey value, exp(-this) to exp(this)",
         .at_least = 0,
         .at_most = 3});
  c.add({.group = g,
         .name = "contrast",
         .target = &o.contrast,
         .help = "contrast about the mean between 1 - this and 1 + this",
         .at_least = 0,
         .at_most = 1});
  c.add({.group = g,
         .name = "brightness",
         .target = &o.brightness,
         .help = "grey added or taken away, up to this (white is 1)",
         .at_least = 0,
         .at_most = 1});
  c.add({.group = g,
         .name = "flip",
         .target = &o.flip,
         .help = "probability of mirroring; a thorax is not symmetric",
         .at_least = 0,
         .at_most = 1});
  c.add({.group = g,
         .name = "crop",
         .target = &o.crop,
         .help = "central part of the picture that is looked at, in evaluation too",
         .above = 0,
         .at_most = 1});
  c.add({.group = g,
         .name = "standardise",
         .target = &o.standardise,
         .help = "bring each picture by itself to mean 0 and deviation 1"});
}

void add_run_options(CommandLine& c, TrainOptions& o) {
  const std::string g = "Run";
  add_device_options(c, o.device, o.precision, o.threads);
  c.add({.group = g,
         .name = "gradient-checkpointing",
         .target = &o.gradient_checkpointing,
         .help = "compute most activations a second time instead of keeping them for the backward pass: the same "
                 "bits, less memory, about a third more time"});
  c.add({.group = g,
         .name = "autotune",
         .target = &o.autotune,
         .help =
             "on a GPU, time the plans that cuDNN proposes for each convolution and take the fastest; the checkpoint "
             "keeps them for --resume"});
  c.add({.group = g,
         .name = "deterministic",
         .target = &o.deterministic,
         .help = "insist on the same bits at every run, which is so in any case without --autotune"});
  c.add({.group = g,
         .name = "workers",
         .short_name = "j",
         .target = &o.workers,
         .help = "batches that the loader's thread keeps ready; fewer where they would take more than 64 MiB",
         .at_least = 2,
         .at_most = 64});
  c.add({.group = g,
         .name = "resume",
         .target = &o.resume,
         .help = "auto: go on with the run in --out, or start it; a run folder or checkpoint: go on from there",
         .value_name = "auto|PATH",
         .in_config = false});
  c.add({.group = g,
         .name = "log-interval",
         .target = &o.log_interval,
         .help = "steps between lines in metrics.jsonl",
         .at_least = 1,
         .at_most = 100000});
  c.add({.group = g,
         .name = "fast-dev-run",
         .target = &o.fast_dev_run,
         .help = "four steps, a short validation and the report, to see that everything works",
         .in_config = false});
  c.add({.group = g,
         .name = "quiet",
         .short_name = "q",
         .target = &o.quiet,
         .help = "no progress on the terminal",
         .in_config = false});
  c.add({.group = g,
         .name = "json",
         .target = &o.json,
         .help = "the result as JSON on standard output",
         .in_config = false});
}

// Said before hours of training, not behind them.
std::string check_trace_file(const std::string& file) {
  namespace fs = std::filesystem;
  const fs::path path = file, folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder)) return "is to lie in a folder that is not there";
  return fs::is_directory(path) ? "is a folder; name a file" : "";
}

void add_profiling_options(CommandLine& c, TrainOptions& o) {
  const std::string g = "Profiling";
  c.add({.group = g,
         .name = "trace",
         .target = &o.trace,
         .help = "write what ran when to this file, to open at ui.perfetto.dev (docs/training.md)",
         .value_name = "FILE.json",
         .check = check_trace_file,
         .in_config = false});
  c.add({.group = g,
         .name = "profile-start-step",
         .target = &o.profile_start_step,
         .help = "first step that Nsight looks at, counted from the start of this call",
         .at_least = 1,
         .in_config = false});
  c.add({.group = g,
         .name = "profile-steps",
         .target = &o.profile_steps,
         .help = "steps that Nsight looks at, when it waits for the program's signal (0: none)",
         .at_least = 0,
         .in_config = false});
}

}  // namespace

void add_train_options(CommandLine& c, TrainOptions& o) {
  add_data_options(c, o);
  add_model_options(c, o);
  add_training_options(c, o);
  add_augmentation_options(c, o);
  add_run_options(c, o);
  add_profiling_options(c, o);
  c.accept_config();
}

}  // namespace xrai
