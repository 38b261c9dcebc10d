// The flat arenas: all weights in one buffer, their gradients in another, running statistics in a third. Weights that
// decay come first, so that the optimiser needs one number to know which do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/device.h"

namespace xrai {

enum class ParameterRole { kWeight, kBias, kNormScale, kNormShift };

/// One slice of the arena. Convolution weights lie there as (o, kh, kw, i) and dense ones as (o, i).
struct ParameterSpec {
  std::string name;  // "conv1.weight"
  ParameterRole role = ParameterRole::kWeight;
  std::vector<std::int64_t> shape;
  std::int64_t fan_in = 0;  // inputs of one output, for the initialiser
  bool rectified = false;   // a ReLU follows (directly or behind a normalisation)
  std::int64_t offset = 0;  // in elements, set by Parameters
  [[nodiscard]] std::int64_t count() const;
};

/// Running mean and variance of one batch normalisation.
struct StatisticsSpec {
  std::string name;  // "norm1"
  std::int64_t channels = 0;
  std::int64_t mean_offset = 0, variance_offset = 0;  // in elements, set by Parameters
};

class Parameters {
 public:
  Parameters(Device& device, std::vector<ParameterSpec> parameters, std::vector<StatisticsSpec> statistics);

  [[nodiscard]] const std::vector<ParameterSpec>& specs() const { return parameters_; }
  [[nodiscard]] const std::vector<StatisticsSpec>& statistics_specs() const { return statistics_; }
  [[nodiscard]] std::int64_t count() const { return count_; }          // elements of the arena, padding included
  [[nodiscard]] std::int64_t n_decayed() const { return n_decayed_; }  // the first so many decay
  [[nodiscard]] std::int64_t statistics_count() const { return statistics_count_; }

  [[nodiscard]] float* values() const { return values_.as<float>(); }
  /// Made by the first call: inference never needs them.
  [[nodiscard]] float* gradients();
  /// The values in the activations' type, from element `offset` on: the values themselves where that is float32, else a
  /// second arena that the optimiser writes along and narrow() renews.
  [[nodiscard]] const void* narrow_values(std::int64_t offset) const;
  /// The second arena; null where there is none.
  [[nodiscard]] void* narrow_arena() const { return narrow_.data(); }
  /// To be called after the values were changed by other hands than the optimiser's.
  void narrow();
  /// Neither values nor statistics will change any more: plans that are made from now on may keep what they make of
  /// them. Who changes them nevertheless gets a std::logic_error, if narrow(), initialise() or a plan for training
  /// tell.
  void settle() { settled_ = true; }
  [[nodiscard]] bool settled() const { return settled_; }
  [[nodiscard]] float* statistics() const { return statistics_values_.as<float>(); }

  /// Kaiming normal for weights in front of a ReLU (He et al., ICCV 2015, equation 10), Glorot-like 1 / sqrt(fan_in)
  /// for the others, zero biases, unit scales; running mean 0 and variance 1. A function of the seed and the names'
  /// order only.
  void initialise(std::uint64_t seed);

 private:
  Device& device_;
  std::vector<ParameterSpec> parameters_;
  std::vector<StatisticsSpec> statistics_;
  std::int64_t count_ = 0, n_decayed_ = 0, statistics_count_ = 0;
  Buffer values_, narrow_, gradients_, statistics_values_;
  bool settled_ = false;
};

/// Between the arena's (o, kh, kw, i) and the files' (o, i, kh, kw); other ranks are the same in both.
std::vector<float> to_canonical(const ParameterSpec& spec, const float* stored);
std::vector<float> from_canonical(const ParameterSpec& spec, const float* canonical);
/// Shape in the canonical layout.
std::vector<std::int64_t> canonical_shape(const ParameterSpec& spec);

}  // namespace xrai
