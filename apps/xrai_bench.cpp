// xrai_bench: how fast a network trains and infers here, as a whole and layer by layer. Pictures are random and in
// memory: the loader has benchmarks of its own.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <sstream>

#include "apps/support/command_line.h"
#include "apps/support/common_options.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/version.h"
#include "apps/support/waiting_threads.h"
#include "runtime/core/log.h"
#include "runtime/nn/model.h"
#include "runtime/train/optimiser.h"
#include "runtime/train/settings.h"

namespace {

using namespace xrai;
using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string model = "plain5", device = "auto", precision = "auto";
  std::int64_t size = 224, batch_size = 64;
  int iterations = 10, warmup = 2, threads = 0;
  bool json = false;
};

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// One network with everything a step needs around it.
class Bench {
 public:
  Bench(Device& device, const BenchOptions& options, bool training)
      : device_(device),
        options_(options),
        training_(training),
        model_(device, find_model(options.model), {1, options.size, options.size, 1}, 2),
        plan_(model_.prepare(options.batch_size, training)) {
    model_.parameters().initialise(1);
    if (training) optimiser_.emplace(device, model_.parameters(), OptimiserSettings{});
    const auto n = static_cast<std::size_t>(options.batch_size),
               picture = static_cast<std::size_t>(options.size * options.size);
    pixels_ = device.allocate(n * picture);
    ids_ = device.allocate(n * sizeof(std::int64_t));
    labels_ = device.allocate(n * sizeof(std::int32_t));
    weights_ = device.allocate(2 * sizeof(float));
    numbers_ = device.allocate(sizeof(kernels::StepNumbers));
    result_ = device.allocate(sizeof(kernels::LossResult));
    probabilities_ = device.allocate(2 * n * sizeof(float));
    fill(n, picture);
  }

  void step() {
    kernels::AugmentArguments view;
    view.pixels = pixels_.as<std::uint8_t>();
    view.sample_ids = ids_.as<std::int64_t>();
    view.out = plan_.input();
    view.n = options_.batch_size;
    view.stored_height = view.stored_width = view.height = view.width = options_.size;
    if (training_) view.ranges = {10, 0.15f, 0.1f, 0.05f, 0.35f, 0.25f, 0.1f, 0};
    timed("augment", false, [&] { device_.augment(view); });
    plan_.forward(numbers_.as<kernels::StepNumbers>());
    if (!training_) {
      device_.probabilities({plan_.logits(), probabilities_.as<float>(), options_.batch_size, model_.n_logits()});
      device_.synchronize();
      return;
    }
    timed("loss", false, [&] {
      device_.loss({plan_.logits(), labels_.as<std::int32_t>(), weights_.as<float>(), plan_.logit_gradients(),
                    result_.as<kernels::LossResult>(), options_.batch_size, model_.n_logits(), 0});
    });
    plan_.backward(numbers_.as<kernels::StepNumbers>());
    timed("optimiser", false, [&] { optimiser_->step(numbers_.as<kernels::StepNumbers>()); });
    device_.synchronize();
  }

  // Times every layer from now on; costs a synchronisation a layer.
  void observe() {
    observing_ = true;
    plan_.set_observer([this](std::size_t layer, bool backward, bool begins) {
      device_.synchronize();
      if (begins)
        began_ = Clock::now();
      else
        times_[{plan_.layers()[layer]->name(), backward}].push_back(milliseconds(began_, Clock::now()));
    });
  }

  struct Row {
    std::string name, implementation;
    double forward_ms = 0, backward_ms = 0, forward_gflop = 0;
  };
  [[nodiscard]] std::vector<Row> rows() const {
    const std::map<std::string, double> flops = flops_by_layer();
    std::vector<Row> rows{{"augment", "xrai", time_of("augment", false), 0, 0}};
    for (const auto& layer : plan_.layers()) {
      Row row{layer->name(), layer->implementation(), time_of(layer->name(), false), time_of(layer->name(), true), 0};
      std::stringstream parts(layer->name());
      for (std::string part; std::getline(parts, part, '+');)
        row.forward_gflop += flops.at(part) * static_cast<double>(options_.batch_size) / 1e9;
      rows.push_back(row);
    }
    if (training_) rows.push_back({"loss", "xrai", time_of("loss", false), 0, 0});
    if (training_) rows.push_back({"optimiser", "xrai", time_of("optimiser", false), 0, 0});
    return rows;
  }

  Model& model() { return model_; }
  ModelPlan& plan() { return plan_; }

 private:
  void fill(std::size_t n, std::size_t picture) {
    std::vector<std::uint8_t> pixels(n * picture);
    std::minstd_rand random(1);
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random());
    std::vector<std::int64_t> ids(n);
    std::vector<std::int32_t> labels(n);
    for (std::size_t i = 0; i < n; ++i)
      ids[i] = static_cast<std::int64_t>(i), labels[i] = static_cast<std::int32_t>(i % 2);
    const float weights[2] = {1, 1};
    device_.upload(pixels_.data(), pixels.data(), pixels.size(), Queue::kCompute);
    device_.upload(ids_.data(), ids.data(), n * sizeof(std::int64_t), Queue::kCompute);
    device_.upload(labels_.data(), labels.data(), n * sizeof(std::int32_t), Queue::kCompute);
    device_.upload(weights_.data(), weights, sizeof weights, Queue::kCompute);
    const kernels::StepNumbers numbers{1, 0, 0, 0, 1e-3f};
    device_.upload(numbers_.data(), &numbers, sizeof numbers, Queue::kCompute);
    device_.synchronize();
  }

  template <class Work>
  void timed(const char* name, bool backward, const Work& work) {
    if (!observing_) return work();
    const auto start = Clock::now();
    work();
    device_.synchronize();
    times_[{name, backward}].push_back(milliseconds(start, Clock::now()));
  }

  [[nodiscard]] double time_of(const std::string& name, bool backward) const {
    const auto found = times_.find({name, backward});
    return found == times_.end() ? 0 : median(found->second);
  }

  [[nodiscard]] std::map<std::string, double> flops_by_layer() const {
    const std::vector<LayerFacts> facts = infer_shapes(model_.spec(), model_.picture(), model_.n_classes());
    std::map<std::string, double> flops;
    for (std::size_t i = 0; i < facts.size(); ++i) flops[model_.spec().layers[i].name] = facts[i].forward_flops;
    return flops;
  }

  Device& device_;
  const BenchOptions& options_;
  bool training_;
  Model model_;
  ModelPlan& plan_;
  std::optional<Optimiser> optimiser_;
  Buffer numbers_, pixels_, ids_, labels_, weights_, result_, probabilities_;
  bool observing_ = false;
  Clock::time_point began_;
  std::map<std::pair<std::string, bool>, std::vector<double>> times_;
};

std::int64_t peak_resident_bytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

nlohmann::ordered_json result_json(const BenchOptions& options, const std::string& mode, Device& device, Bench& bench,
                                   const std::vector<double>& steps) {
  nlohmann::ordered_json result;
  result["mode"] = mode;
  result["model"] = bench.model().spec().name;
  result["size"] = options.size;
  result["batch_size"] = options.batch_size;
  result["device"] = device.description();
  result["commit"] = program_commit();
  result["images_per_second"] = 1000.0 * static_cast<double>(options.batch_size) / median(steps);
  result["step_ms"] = {{"median", median(steps)},
                       {"least", *std::min_element(steps.begin(), steps.end())},
                       {"most", *std::max_element(steps.begin(), steps.end())},
                       {"iterations", steps.size()}};
  std::int64_t parameters = 0;
  for (const ParameterSpec& spec : bench.model().parameters().specs()) parameters += spec.count();
  result["parameters"] = parameters;
  result["arena_bytes"] = bench.plan().arena_bytes();
  result["arena_lower_bound_bytes"] = bench.plan().peak_alive_bytes();
  result["workspace_bytes"] = bench.plan().workspace_bytes();
  result["peak_resident_bytes"] = peak_resident_bytes();
  for (const Bench::Row& row : bench.rows())
    result["layers"].push_back(
        {{"name", row.name},
         {"implementation", row.implementation},
         {"forward_ms", row.forward_ms},
         {"backward_ms", row.backward_ms},
         {"forward_gflop", row.forward_gflop},
         {"forward_gflops", row.forward_ms > 0 ? 1000 * row.forward_gflop / row.forward_ms : 0}});
  return result;
}

void print_table(const nlohmann::ordered_json& result) {
  std::printf("%s %s, %lldx%lld, batch %lld, on %s\n", result["mode"].get<std::string>().c_str(),
              result["model"].get<std::string>().c_str(), result["size"].get<long long>(),
              result["size"].get<long long>(), result["batch_size"].get<long long>(),
              result["device"].get<std::string>().c_str());
  std::printf("%-24s %12s %12s %10s  %s\n", "layer", "forward ms", "backward ms", "GFLOP/s", "implementation");
  for (const auto& row : result["layers"])
    std::printf("%-24s %12.2f %12.2f %10.0f  %s\n", row["name"].get<std::string>().c_str(),
                row["forward_ms"].get<double>(), row["backward_ms"].get<double>(), row["forward_gflops"].get<double>(),
                row["implementation"].get<std::string>().c_str());
  std::printf("step %.1f ms (median), %.1f images/s, peak memory %.0f MiB (activations %.0f MiB)\n",
              result["step_ms"]["median"].get<double>(), result["images_per_second"].get<double>(),
              result["peak_resident_bytes"].get<double>() / 1048576, result["arena_bytes"].get<double>() / 1048576);
}

int bench(const BenchOptions& options, const std::string& mode) {
  log::set_quiet(options.json);
  const std::unique_ptr<Device> device = make_device({options.device, options.threads, options.precision});
  Bench bench(*device, options, mode == "train");
  for (int i = 0; i < options.warmup; ++i) bench.step();
  std::vector<double> steps;
  for (int i = 0; i < options.iterations; ++i) {
    const auto start = Clock::now();
    bench.step();
    steps.push_back(milliseconds(start, Clock::now()));
  }
  bench.observe();
  for (int i = 0; i < 3; ++i) bench.step();
  const nlohmann::ordered_json result = result_json(options, mode, *device, bench, steps);
  if (options.json)
    print_json(result);
  else
    print_table(result);
  return 0;
}

void add_options(CommandLine& c, BenchOptions& o) {
  add_network_options(c, o.model, o.size, o.batch_size);
  c.add({.group = "Measuring",
         .name = "iterations",
         .target = &o.iterations,
         .help = "steps that are timed; the median counts",
         .at_least = 1,
         .at_most = 100000});
  c.add({.group = "Measuring",
         .name = "warmup",
         .target = &o.warmup,
         .help = "steps before that",
         .at_least = 0,
         .at_most = 1000});
  add_device_options(c, o.device, o.precision, o.threads);
  c.add({.group = "Run", .name = "json", .target = &o.json, .help = "the result as JSON on standard output"});
}

}  // namespace

int main(int argc, char** argv) {
  let_waiting_threads_sleep(argv);
  return run_program("xrai_bench", [&] {
    BenchOptions options;
    CommandLine command_line("xrai_bench",
                             "Times steps of a network on random pictures, as a whole and layer by layer.");
    add_options(command_line.command("train", "forward, loss, backward and optimiser"), options);
    add_options(command_line.command("infer", "forward in evaluation form"), options);
    command_line.set_examples("  xrai_bench train --model plain5 --size 224 --batch-size 64 --device cpu --json\n");
    if (!command_line.parse(argc, argv)) return 0;
    return bench(options, command_line.selected_command());
  });
}
