// A training run small enough for a test: pictures in memory, a source that hands them out in an order that depends on
// seed and epoch only, a network with every kind of state that a resumed run must bring back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <vector>

#include "runtime/core/batch.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "runtime/train/trainer.h"
#include "tests/support/random.h"

namespace xrai::testing {

constexpr std::int64_t kToySide = 16;

/// Noise; pictures of class 1 have a bright square in the middle.
struct ToyPictures {
  explicit ToyPictures(std::int64_t n, std::uint64_t stream = 5, std::int64_t side = kToySide) {
    Random random(stream);
    for (std::int64_t i = 0; i < n; ++i) {
      labels.push_back(static_cast<std::int32_t>(i % 2));
      for (std::int64_t y = 0; y < side; ++y)
        for (std::int64_t x = 0; x < side; ++x) {
          const bool middle = 4 * std::abs(2 * y - side) < 3 * side && 4 * std::abs(2 * x - side) < 3 * side;
          pixels.push_back(static_cast<std::uint8_t>(random.whole(40, 120) + (i % 2 == 1 && middle ? 70 : 0)));
        }
    }
  }
  std::vector<std::uint8_t> pixels;  // (n, side, side)
  std::vector<std::int32_t> labels;
};

/// Hands out pictures from slots in the device's staging memory, as the loader does. A slot that was given back is
/// overwritten at once: whoever gave it back too early reads rubbish.
class MemorySource final : public BatchSource {
 public:
  MemorySource(Device& device, ToyPictures pictures, std::int64_t batch_size, bool shuffled,
               std::int64_t side = kToySide)
      : pictures_(std::move(pictures)), batch_size_(batch_size), shuffled_(shuffled), side_(side), slots_(4) {
    for (Slot& slot : slots_) slot.pixels = device.allocate_staging(static_cast<std::size_t>(batch_size * side * side));
  }

  /// All pictures go into the device's memory, and batches only say which ones they are.
  void keep_on(Device& device) {
    resident_ = device.allocate(pictures_.pixels.size());
    device.upload(resident_.data(), pictures_.pixels.data(), pictures_.pixels.size(), Queue::kCopy);
    device.synchronize();
  }

  bool next(Batch& batch) override {
    if (before_batch) before_batch(n_batches_);
    const std::int64_t n = std::min(batch_size_, size() - cursor_.position);
    if (n <= 0) return false;
    ++n_batches_;
    const auto free = std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.lent; });
    if (free == slots_.end()) throw std::logic_error("all slots are lent");
    fill(*free, n);
    batch = {n,
             side_,
             side_,
             free->pixels.as<std::uint8_t>(),
             free->labels,
             free->ids,
             cursor_.epoch,
             cursor_.position,
             static_cast<int>(free - slots_.begin())};
    if (resident_.size_bytes() > 0) batch.pixels = nullptr, batch.resident = resident_.as<std::uint8_t>();
    cursor_.position += n;
    return true;
  }
  void release(const Batch& batch) override {
    Slot& slot = slots_.at(static_cast<std::size_t>(batch.slot));
    if (!slot.lent) throw std::logic_error("a slot was given back twice");
    slot.lent = false;
    std::memset(slot.pixels.data(), 0xEE, slot.pixels.size_bytes());
    n_images_ += batch.n_images;
  }
  void start_epoch(const Cursor& cursor) override {
    cursor_ = cursor;
    order_.resize(static_cast<std::size_t>(size()));
    std::iota(order_.begin(), order_.end(), std::int64_t{0});
    if (!shuffled_) return;
    const auto key = [&](std::int64_t id) {
      return kernels::random_numbers(9, kernels::RandomPurpose::kShuffle, static_cast<std::uint64_t>(cursor.epoch),
                                     static_cast<std::uint64_t>(id))
          .v[0];
    };
    std::stable_sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) { return key(a) < key(b); });
  }
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(pictures_.labels.size()); }
  [[nodiscard]] double wait_seconds() const override { return 0; }

  [[nodiscard]] std::int64_t images_given_back() const { return n_images_; }
  /// Called with the number of batches handed out so far.
  std::function<void(int)> before_batch;

 private:
  struct Slot {
    Buffer pixels;
    std::vector<std::int32_t> labels;
    std::vector<std::int64_t> ids;
    bool lent = false;
  };
  void fill(Slot& slot, std::int64_t n) {
    slot.lent = true;
    slot.labels.clear(), slot.ids.clear();
    auto* to = slot.pixels.as<std::uint8_t>();
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t id = order_[static_cast<std::size_t>(cursor_.position + i)];
      to = std::copy_n(pictures_.pixels.begin() + id * side_ * side_, side_ * side_, to);
      slot.labels.push_back(pictures_.labels[static_cast<std::size_t>(id)]);
      slot.ids.push_back(id);
    }
  }

  ToyPictures pictures_;
  std::int64_t batch_size_;
  bool shuffled_;
  std::int64_t side_;
  std::vector<Slot> slots_;
  Buffer resident_;
  Cursor cursor_;
  std::vector<std::int64_t> order_;
  int n_batches_ = 0;
  std::int64_t n_images_ = 0;
};

inline ModelSpec toy_network() {
  return parse_model_toml(
      "name = 'toy'\n"
      "[[layer]]\ntype = 'convolution'\nfilters = 6\nkernel = 3\npadding = 'same'\nbias = false\n"
      "[[layer]]\ntype = 'batch_norm'\n[[layer]]\ntype = 'relu'\n[[layer]]\ntype = 'max_pool'\nkernel = 2\n"
      "[[layer]]\ntype = 'convolution'\nfilters = 17\nkernel = 3\npadding = 'same'\n[[layer]]\ntype = 'relu'\n"
      "[[layer]]\ntype = 'dropout'\nprobability = 0.2\n"
      "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n",
      "toy.toml");
}

/// Augmentation, warm-up, smoothing and clipping all on; 50 pictures a batch of 8: the last one of an epoch has 2.
inline TrainSettings toy_settings() {
  TrainSettings settings;
  settings.epochs = 4;
  settings.batch_size = 8;
  settings.evaluation_batch_size = 7;
  settings.optimiser.learning_rate = 0.02;
  settings.optimiser.max_gradient_norm = 5;
  settings.schedule.warmup_epochs = 0.5;
  settings.input.image_size = 12;
  settings.augment = {5, 0.1f, 0.05f, 0.05f, 0.1f, 0.1f, 0.05f, 0.5f};
  settings.label_smoothing = 0.05;
  settings.class_weights = {0.9f, 1.1f};
  settings.log_priors = {-1.2f, -0.36f};
  settings.seed = 7;
  settings.log_every = 3;
  return settings;
}

inline CheckpointFacts toy_facts(const TrainSettings& settings) {
  CheckpointFacts facts;
  facts.config_toml = "seed = 7\n# \"quotes\", newlines and Umlaute: \xC3\xA4\n";
  facts.classes = {"NORMAL", "PNEUMONIA"};
  facts.preprocessing = {kToySide, "squash", "none+none"};
  facts.input = settings.input;
  facts.seed = settings.seed;
  facts.threshold = 0.4375;
  facts.threshold_rule = "youden";
  return facts;
}

/// Everything one run owns, made anew for every start of the program.
struct ToyRun {
  // One thread: waiting for a second costs more than it brings at this size, a hundredfold on a busy machine.
  explicit ToyRun(std::filesystem::path run_folder, TrainSettings with = toy_settings(), std::int64_t n_pictures = 50,
                  std::unique_ptr<Device> on = make_cpu_device(1))
      : folder(std::move(run_folder)),
        settings(std::move(with)),
        device(std::move(on)),
        train(*device, ToyPictures(n_pictures), settings.batch_size, true) {
    std::filesystem::create_directories(folder / "checkpoints");
    model.parameters().initialise(settings.seed);
    trainer.emplace(model, settings, toy_facts(settings), train, &validation, folder);
  }
  RunEnd run() {
    HistoryWriter history(folder, trainer->state().step);
    return trainer->run(history, listener);
  }
  void keep_pictures_on_device() {
    train.keep_on(*device);
    validation.keep_on(*device);
  }
  RunEnd resume_and_run() {
    trainer->resume(read_checkpoint(last()));
    return run();
  }
  [[nodiscard]] std::filesystem::path last() const { return folder / "checkpoints" / "last.h5"; }
  [[nodiscard]] std::filesystem::path best() const { return folder / "checkpoints" / "best.h5"; }

  std::filesystem::path folder;
  TrainSettings settings;
  std::unique_ptr<Device> device;
  Model model{*device, toy_network(), {1, settings.input.image_size, settings.input.image_size, 1}, 2};
  MemorySource train, validation{*device, ToyPictures(23, 6), 10, false};
  TrainingListener listener;
  std::optional<Trainer> trainer;
};

}  // namespace xrai::testing
