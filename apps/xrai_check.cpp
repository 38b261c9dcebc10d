// xrai_check: whether a device computes what the CPU device computes, and how fast it moves bytes and starts work. The
// one command for whoever has a new card.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "apps/support/command_line.h"
#include "apps/support/common_options.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/version.h"
#include "apps/support/waiting_threads.h"
#include "runtime/core/log.h"
#include "runtime/train/device_check.h"

namespace {

using namespace xrai;
using Clock = std::chrono::steady_clock;

struct CheckOptions {
  std::string model = "plain5", device = "cuda", precision = "auto";
  std::int64_t size = 64, batch_size = 8, steps = 10;
  std::uint64_t seed = 1;
  int threads = 0;
  bool json = false;
};

/// Seconds that `work` takes on the device, the median of several after one that is not counted.
template <class Work>
double seconds(Device& device, const Work& work) {
  std::vector<double> times;
  for (int i = 0; i < 8; ++i) {
    const auto start = Clock::now();
    work();
    device.synchronize();
    if (i > 0) times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct Speeds {
  double copy_gb_per_s = 0, upload_gb_per_s = 0, launch_us = 0;
};

Speeds measure(Device& device) {
  // More than any cache holds.
  const std::size_t bytes = (device.name() == "cpu" ? std::size_t{64} : std::size_t{256}) << 20;
  constexpr int kLaunches = 1000;
  const Buffer a = device.allocate(bytes), b = device.allocate(bytes), staged = device.allocate_staging(bytes);
  Speeds speeds;
  // A copy reads and writes each byte.
  speeds.copy_gb_per_s =
      2 * static_cast<double>(bytes) / 1e9 / seconds(device, [&] { device.copy(a.data(), b.data(), bytes); });
  speeds.upload_gb_per_s = static_cast<double>(bytes) / 1e9 /
                           seconds(device, [&] { device.upload(a.data(), staged.data(), bytes, Queue::kCopy); });
  speeds.launch_us = 1e6 / kLaunches * seconds(device, [&] {
                       for (int i = 0; i < kLaunches; ++i) device.relu(a.data(), b.data(), 1);
                     });
  return speeds;
}

nlohmann::ordered_json result_json(const DeviceCheck& check, const Speeds& speeds, const Device& device,
                                   const CheckOptions& options) {
  nlohmann::ordered_json json{{"holds", check.holds()},
                              {"device", device.description()},
                              {"precision", precision_name(device.precision())},
                              {"commit", program_commit()},
                              {"model", options.model},
                              {"size", options.size},
                              {"batch_size", options.batch_size},
                              {"losses", check.losses},
                              {"losses_of_reference", check.reference_losses}};
  for (const CheckedTensor& t : check.tensors)
    json["tensors"].push_back({{"what", t.what},
                               {"distance", t.distance},
                               {"bound", t.bound},
                               {"holds", t.holds()},
                               {"median", t.median},
                               {"percentile99", t.percentile99},
                               {"largest", t.largest}});
  json["speed"] = {{"copy_gb_per_s", speeds.copy_gb_per_s},
                   {"upload_gb_per_s", speeds.upload_gb_per_s},
                   {"launch_us", speeds.launch_us}};
  return json;
}

void print_result(const DeviceCheck& check, const Speeds& speeds) {
  std::printf("%-44s %10s %10s %10s %10s %10s\n", "tensor", "median", "99 %", "largest", "distance", "bound");
  for (const CheckedTensor& t : check.tensors)
    std::printf("%-44s %10.1e %10.1e %10.1e %10.1e %10.1e%s\n", t.what.c_str(), t.median, t.percentile99, t.largest,
                t.distance, t.bound, t.holds() ? "" : "  TOO FAR");
  std::printf("loss of the last step %.6f, of the CPU device %.6f\n", check.losses.back(),
              check.reference_losses.back());
  std::printf("copies %.0f GB/s, uploads from staging memory %.1f GB/s, a launch %.1f us\n", speeds.copy_gb_per_s,
              speeds.upload_gb_per_s, speeds.launch_us);
  const auto far = std::count_if(check.tensors.begin(), check.tensors.end(), [](const auto& t) { return !t.holds(); });
  if (far == 0)
    std::printf("All %zu tensors agree with the CPU device.\n", check.tensors.size());
  else
    std::printf("%td of %zu tensors are too far from the CPU device's.\n", far, check.tensors.size());
}

void add_options(CommandLine& c, CheckOptions& o) {
  add_network_options(c, o.model, o.size, o.batch_size);
  c.add({.group = "Network",
         .name = "steps",
         .target = &o.steps,
         .help = "of the optimiser",
         .at_least = 1,
         .at_most = 1000});
  c.add({.group = "Network", .name = "seed", .target = &o.seed, .help = "of weights, pictures and augmentation"});
  add_device_options(c, o.device, o.precision, o.threads,
                     "the one to check, cuda, cuda:N or cpu (then many threads are held against one)");
  c.add({.group = "Run", .name = "json", .target = &o.json, .help = "the result as JSON on standard output"});
}

int check(const CheckOptions& options) {
  log::set_quiet(options.json);
  const auto reference = make_device({"cpu", options.device == "cpu" ? 1 : options.threads});
  const auto tested = make_device({options.device, options.threads, options.precision});
  const DeviceCheck result = check_device(
      *tested, *reference, {find_model(options.model), options.size, options.batch_size, options.steps, options.seed},
      check_bounds(tested->precision()));
  const Speeds speeds = measure(*tested);
  if (options.json)
    print_json(result_json(result, speeds, *tested, options));
  else
    print_result(result, speeds);
  return result.holds() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  let_waiting_threads_sleep(argv);
  return run_program("xrai_check", [&] {
    CheckOptions options;
    CommandLine command_line(
        "xrai_check",
        "Computes the same steps of a network on a device and on the CPU device, holds every result "
        "against a bound, and measures how fast the device moves bytes and starts work. Exit code 1: "
        "something is too far off.");
    add_options(command_line, options);
    command_line.set_examples("  xrai_check --device cuda --precision fp32\n  xrai_check --device cuda --json\n");
    if (!command_line.parse(argc, argv)) return 0;
    return check(options);
  });
}
