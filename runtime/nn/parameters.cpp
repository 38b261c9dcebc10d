#include "runtime/nn/parameters.h"

#include <cmath>
#include <functional>
#include <numeric>
#include <stdexcept>

#include "kernels/philox.h"

namespace xrai {
namespace {

constexpr std::int64_t kAlignment = 16;  // floats: slices start on cache lines

std::int64_t aligned(std::int64_t count) {
  return (count + kAlignment - 1) / kAlignment * kAlignment;
}

// Box and Muller, 1958: two uniform numbers give two normal ones.
void fill_normal(std::vector<float>& out, double deviation, std::uint64_t seed, std::uint64_t parameter) {
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const kernels::Philox4 bits = kernels::random_numbers(seed, kernels::RandomPurpose::kInit, parameter, i);
    const double u = (static_cast<double>(bits.v[0]) + 1.0) / 4294967297.0;  // in (0, 1)
    const double radius = deviation * std::sqrt(-2.0 * std::log(u));
    const double angle = 2.0 * 3.14159265358979323846 * kernels::uniform01(bits.v[1]);
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < out.size()) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

// Calls move(stored index, canonical index) for every element of a (o, kh, kw, i) tensor.
template <class Move>
void for_each_weight(const ParameterSpec& spec, const Move& move) {
  const std::int64_t outputs = spec.shape[0], places = spec.shape[1] * spec.shape[2], inputs = spec.shape[3];
  for (std::int64_t o = 0; o < outputs; ++o)
    for (std::int64_t place = 0; place < places; ++place)
      for (std::int64_t i = 0; i < inputs; ++i)
        move((o * places + place) * inputs + i, (o * inputs + i) * places + place);
}

}  // namespace

std::int64_t ParameterSpec::count() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

Parameters::Parameters(Device& device, std::vector<ParameterSpec> parameters, std::vector<StatisticsSpec> statistics)
    : device_(device), parameters_(std::move(parameters)), statistics_(std::move(statistics)) {
  const auto place = [&](bool decayed) {
    for (ParameterSpec& spec : parameters_)
      if ((spec.role == ParameterRole::kWeight) == decayed) {
        spec.offset = count_;
        count_ += aligned(spec.count());
      }
  };
  place(true);
  n_decayed_ = count_;
  place(false);
  for (StatisticsSpec& spec : statistics_) {
    spec.mean_offset = statistics_count_;
    spec.variance_offset = statistics_count_ + aligned(spec.channels);
    statistics_count_ += 2 * aligned(spec.channels);
  }
  values_ = device.allocate(static_cast<std::size_t>(count_) * sizeof(float));
  if (device.activation_type() != DataType::kFloat32)
    narrow_ = device.allocate(static_cast<std::size_t>(count_) * size_of(device.activation_type()));
  statistics_values_ = device.allocate(static_cast<std::size_t>(statistics_count_) * sizeof(float));
}

const void* Parameters::narrow_values(std::int64_t offset) const {
  if (narrow_.data() == nullptr) return values() + offset;
  return narrow_.as<std::byte>() + static_cast<std::size_t>(offset) * size_of(device_.activation_type());
}

void Parameters::narrow() {
  if (settled_) throw std::logic_error("these parameters were said to stay as they are");
  if (narrow_.data() != nullptr) device_.narrow(values(), narrow_.data(), count_);
}

float* Parameters::gradients() {
  if (gradients_.data() == nullptr) gradients_ = device_.allocate(static_cast<std::size_t>(count_) * sizeof(float));
  return gradients_.as<float>();
}

void Parameters::initialise(std::uint64_t seed) {
  if (settled_) throw std::logic_error("these parameters were said to stay as they are");
  std::uint64_t number = 0;
  for (const ParameterSpec& spec : parameters_) {
    std::vector<float> values(static_cast<std::size_t>(spec.count()),
                              spec.role == ParameterRole::kNormScale ? 1.0f : 0.0f);
    if (spec.role == ParameterRole::kWeight)
      fill_normal(values, std::sqrt((spec.rectified ? 2.0 : 1.0) / static_cast<double>(spec.fan_in)), seed, number);
    device_.upload(this->values() + spec.offset, values.data(), values.size() * sizeof(float), Queue::kCompute);
    ++number;
  }
  std::vector<float> statistics(static_cast<std::size_t>(statistics_count_), 0.0f);
  for (const StatisticsSpec& spec : statistics_)
    for (std::int64_t c = 0; c < spec.channels; ++c)
      statistics[static_cast<std::size_t>(spec.variance_offset + c)] = 1.0f;
  device_.upload(this->statistics(), statistics.data(), statistics.size() * sizeof(float), Queue::kCompute);
  narrow();
  device_.synchronize();
}

std::vector<float> to_canonical(const ParameterSpec& spec, const float* stored) {
  std::vector<float> out(stored, stored + spec.count());
  if (spec.shape.size() == 4)
    for_each_weight(spec,
                    [&](std::int64_t from, std::int64_t to) { out[static_cast<std::size_t>(to)] = stored[from]; });
  return out;
}

std::vector<float> from_canonical(const ParameterSpec& spec, const float* canonical) {
  std::vector<float> out(canonical, canonical + spec.count());
  if (spec.shape.size() == 4)
    for_each_weight(spec,
                    [&](std::int64_t to, std::int64_t from) { out[static_cast<std::size_t>(to)] = canonical[from]; });
  return out;
}

std::vector<std::int64_t> canonical_shape(const ParameterSpec& spec) {
  if (spec.shape.size() != 4) return spec.shape;
  return {spec.shape[0], spec.shape[3], spec.shape[1], spec.shape[2]};
}

}  // namespace xrai
