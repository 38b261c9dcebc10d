#include "runtime/nn/byte_steps.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"

namespace xrai {
namespace {

// Eight cut off values of pictures unlike the training's, sixteen waste steps that all need (docs/int8.md).
constexpr float kDeviations = 12;
constexpr float kSteps = 255;

std::vector<float> downloaded(Device& device, const float* from, std::int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  device.download(values.data(), from, values.size() * sizeof(float));
  return values;
}

std::vector<float> parameter(Device& device, Parameters& parameters, int index) {
  const ParameterSpec& spec = parameters.specs()[static_cast<std::size_t>(index)];
  return downloaded(device, parameters.values() + spec.offset, spec.count());
}

}  // namespace

void require_finite(Device& device, Parameters& parameters) {
  std::int64_t n_statistics = 0;
  for (const StatisticsSpec& spec : parameters.statistics_specs())
    n_statistics = std::max({n_statistics, spec.mean_offset + spec.channels, spec.variance_offset + spec.channels});
  for (const std::vector<float>& values : {downloaded(device, parameters.values(), parameters.count()),
                                           downloaded(device, parameters.statistics(), n_statistics)})
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      throw Error(ExitCode::kBadData,
                  "the network has weights that are not numbers: the checkpoint comes from a run that diverged or is "
                  "damaged; train it again");
}

float step_after(Device& device, Parameters& parameters, const NormalisationNode& node) {
  const std::vector<float> deviation = parameter(device, parameters, node.scale);
  const std::vector<float> mean = parameter(device, parameters, node.shift);
  float range = 0;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const float reach = mean[c] + kDeviations * std::abs(deviation[c]);
    if (!std::isfinite(reach))
      throw Error(ExitCode::kBadData, "a weight of the network is not a number; train it again");
    range = std::max(range, reach);
  }
  return range > 0 ? range / kSteps : 1;  // all zero: any step will do
}

}  // namespace xrai
