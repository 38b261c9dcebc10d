#include "apps/bench/measurement.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "apps/bench/step_limits.h"
#include "apps/support/version.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

/// What each part of some steps took; costs a synchronisation a part.
class PartTimes {
 public:
  PartTimes(Device& device, NetworkStep& step) {
    step.set_observer([this, &device](const std::string& part, bool backward, bool begins) {
      device.synchronize();
      if (begins)
        began_ = Clock::now();
      else
        step_[{part, backward}] += milliseconds(began_, Clock::now());
    });
  }
  /// A part may come several times in a step: what backward computes again belongs to it.
  void finish_step() {
    for (const auto& [part, time] : step_) times_[part].push_back(time);
    step_.clear();
  }
  [[nodiscard]] double median_of(const std::string& part, bool backward) const {
    const auto found = times_.find({part, backward});
    return found == times_.end() ? 0 : median(found->second);
  }

 private:
  Clock::time_point began_;
  std::map<std::pair<std::string, bool>, double> step_;
  std::map<std::pair<std::string, bool>, std::vector<double>> times_;
};

/// `recording`: of a step, to be replayed instead; may be null.
std::vector<double> time_steps(Device& device, NetworkStep& step, int count, Recording* recording = nullptr) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto start = Clock::now();
    recording != nullptr ? device.replay(*recording) : step.queue();
    device.synchronize();
    times.push_back(milliseconds(start, Clock::now()));
  }
  return times;
}

nlohmann::ordered_json rows(Device& device, NetworkStep& step) {
  PartTimes times(device, step);
  for (int i = 0; i < 3; ++i) time_steps(device, step, 1), times.finish_step();
  nlohmann::ordered_json rows;
  const auto add = [&](const std::string& name, const std::string& implementation) {
    const double forward_ms = times.median_of(name, false), gflop = step.forward_gflop(name);
    rows.push_back({{"name", name},
                    {"implementation", implementation},
                    {"forward_ms", forward_ms},
                    {"backward_ms", times.median_of(name, true)},
                    {"forward_gflop", gflop},
                    {"forward_gflops", forward_ms > 0 ? 1000 * gflop / forward_ms : 0}});
  };
  add("augment", "xrai");
  for (const auto& layer : step.plan().layers()) add(layer->name(), layer->implementation());
  if (step.training()) add("loss", "xrai"), add("optimiser", "xrai");
  return rows;
}

}  // namespace

nlohmann::ordered_json measure(Device& device, const BenchOptions& options, const std::string& mode) {
  const std::uint64_t free_before = device.free_bytes();
  NetworkStep step(device, options, mode == "train");
  time_steps(device, step, options.warmup);
  // As the trainer does it; libraries that were never called cannot be recorded.
  std::unique_ptr<Recording> recording;
  std::string remark;
  if (options.warmup > 0) recording = device.record([&] { step.queue(); }, remark);
  const std::vector<double> steps = time_steps(device, step, options.iterations, recording.get());
  nlohmann::ordered_json result;
  result["mode"] = mode;
  result["model"] = step.model().spec().name;
  result["size"] = options.size;
  result["batch_size"] = options.batch_size;
  result["device"] = device.description();
  if (!remark.empty()) result["graph"] = remark;
  result["commit"] = program_commit();
  result["images_per_second"] = 1000.0 * static_cast<double>(options.batch_size) / median(steps);
  result["step_ms"] = {{"median", median(steps)},
                       {"least", *std::min_element(steps.begin(), steps.end())},
                       {"most", *std::max_element(steps.begin(), steps.end())},
                       {"iterations", steps.size()}};
  std::int64_t parameters = 0;
  for (const ParameterSpec& spec : step.model().parameters().specs()) parameters += spec.count();
  result["parameters"] = parameters;
  result["arena_bytes"] = step.plan().arena_bytes();
  result["arena_lower_bound_bytes"] = step.plan().peak_alive_bytes();
  const PlannedMemory planned = step.planned();
  for (const auto& [kind, bytes] : by_kind(planned)) result["planned_bytes"][kind] = bytes;
  result["planned_bytes"]["total"] = planned.total();
  result["layers"] = rows(device, step);
  result["peak_resident_bytes"] = peak_resident_bytes();
  if (options.limits) add_step_limits(step, result);
  if (free_before > 0) result["device_bytes"] = free_before - device.free_bytes();
  return result;
}

void print_measurement(const nlohmann::ordered_json& result) {
  std::printf("%s %s, %lldx%lld, batch %lld, on %s\n", result["mode"].get<std::string>().c_str(),
              result["model"].get<std::string>().c_str(), result["size"].get<long long>(),
              result["size"].get<long long>(), result["batch_size"].get<long long>(),
              result["device"].get<std::string>().c_str());
  std::printf("%-24s %12s %12s %10s  %s\n", "layer", "forward ms", "backward ms", "GFLOP/s", "implementation");
  for (const auto& row : result["layers"])
    std::printf("%-24s %12.2f %12.2f %10.0f  %s\n", row["name"].get<std::string>().c_str(),
                row["forward_ms"].get<double>(), row["backward_ms"].get<double>(), row["forward_gflops"].get<double>(),
                row["implementation"].get<std::string>().c_str());
  std::printf("step %.1f ms (median), %.1f images/s\n", result["step_ms"]["median"].get<double>(),
              result["images_per_second"].get<double>());
  std::printf("MiB by plan:");
  for (const auto& [kind, bytes] : result["planned_bytes"].items())
    std::printf(" %s %.1f,", kind.c_str(), bytes.get<double>() / 1048576);
  std::printf(" resident at most %.0f\n", result["peak_resident_bytes"].get<double>() / 1048576);
  if (!result.contains("limits")) return;
  const auto& limits = result["limits"];
  std::printf("direct convolutions alone %.1f ms: %.2f of that limit; cores %.0f GFLOP/s, memory %.1f GB/s\n",
              limits["direct_convolutions_ms"].get<double>(), limits["share_of_convolution_limit"].get<double>(),
              limits["convolution_gflops"].get<double>(), limits["copy_gb_per_second"].get<double>());
}

}  // namespace xrai
