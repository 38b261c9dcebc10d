#include "apps/bench/speed_model.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace xrai {
namespace {

// Assumptions, not data sheet: what passes between the end of a kernel and the start of the next that depends on it.
// Training launches a step as one CUDA graph; inference queues its kernels one by one, which the host can do about this
// often.
constexpr double kGraphLaunchUs = 1.5, kQueuedLaunchUs = 4;

constexpr const char* kWhatItIs =
    "a model, not a measurement: peak rates of the data sheet, every operand moved once, nothing overlapping";

struct ModelledLaunch {
  std::string part;
  bool backward = false;
  Launch launch;
};

std::vector<ModelledLaunch> launches_of_step(const BenchOptions& options, bool training, const std::string& card,
                                             Precision precision, std::string& model_name) {
  const std::unique_ptr<ModelledDevice> device = make_modelled_device(card, precision);
  NetworkStep step(*device, options, training);
  model_name = step.model().spec().name;
  std::vector<ModelledLaunch> launches;
  const auto keep = [&](const std::string& part, bool backward) {
    for (Launch& launch : device->take_launches()) launches.push_back({part, backward, std::move(launch)});
  };
  device->take_launches();
  step.set_observer(
      [&](const std::string& part, bool backward, bool begins) { keep(begins ? "between" : part, backward); });
  step.queue();
  return launches;
}

/// What some launches come to. Each one's time is counted as arithmetic or as memory, whichever is longer.
struct Sums {
  double flops = 0, bytes = 0, arithmetic_us = 0, memory_us = 0, launch_us = 0;
  std::int64_t launches = 0;

  void add(const Launch& launch, const Roofline& roof) {
    const double arithmetic = roof.arithmetic_us(launch), memory = roof.memory_us(launch);
    (arithmetic > memory ? arithmetic_us : memory_us) += std::max(arithmetic, memory);
    flops += launch.flops, bytes += launch.bytes, launch_us += roof.launch_us;
    ++launches;
  }
  [[nodiscard]] double floor_us() const { return arithmetic_us + memory_us + launch_us; }
  [[nodiscard]] const char* dominated_by() const {
    if (launch_us >= std::max(arithmetic_us, memory_us)) return "launch";
    return arithmetic_us > memory_us ? "arithmetic" : "memory";
  }
};

nlohmann::ordered_json json_of(const Sums& sums) {
  return {{"flops", sums.flops},
          {"bytes", sums.bytes},
          {"launches", sums.launches},
          {"floor_us", sums.floor_us()},
          {"arithmetic_us", sums.arithmetic_us},
          {"memory_us", sums.memory_us},
          {"launch_us", sums.launch_us},
          {"dominated_by", sums.dominated_by()}};
}

nlohmann::ordered_json json_of(const ModelledLaunch& modelled, const Roofline& roof) {
  const Launch& launch = modelled.launch;
  return {{"part", modelled.part},      {"pass", modelled.backward ? "backward" : "forward"},
          {"name", launch.name},        {"flops", launch.flops},
          {"bytes", launch.bytes},      {"floor_us", roof.floor_us(launch)},
          {"bound", roof.bound(launch)}};
}

/// One row a part, in the order of the forward pass.
nlohmann::ordered_json parts_json(const std::vector<ModelledLaunch>& launches, const Roofline& roof) {
  std::vector<std::string> names;
  std::map<std::string, Sums> forward, backward, both;
  for (const ModelledLaunch& modelled : launches) {
    if (!both.contains(modelled.part)) names.push_back(modelled.part);
    (modelled.backward ? backward : forward)[modelled.part].add(modelled.launch, roof);
    both[modelled.part].add(modelled.launch, roof);
  }
  nlohmann::ordered_json parts = nlohmann::ordered_json::array();
  for (const std::string& name : names) {
    nlohmann::ordered_json part{
        {"name", name}, {"forward_us", forward[name].floor_us()}, {"backward_us", backward[name].floor_us()}};
    part.update(json_of(both[name]));
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

const char* Roofline::bound(const Launch& launch) const {
  const double arithmetic = arithmetic_us(launch), memory = memory_us(launch);
  if (launch_us >= std::max(arithmetic, memory)) return "launch";
  return arithmetic > memory ? "arithmetic" : "memory";
}

Roofline roofline_of(const Card& card, Precision precision, bool training) {
  return {card.tflops(precision) * 1e6, card.memory_gb_per_s * 1e3, training ? kGraphLaunchUs : kQueuedLaunchUs};
}

nlohmann::ordered_json model_speed(const BenchOptions& options, const std::string& mode) {
  const bool training = mode == "train";
  const Card& card = find_card(options.device_model);
  const Precision precision = precision_on(card, options.precision);
  const Roofline roof = roofline_of(card, precision, training);
  std::string model;
  const std::vector<ModelledLaunch> launches = launches_of_step(options, training, card.name, precision, model);
  Sums step;
  for (const ModelledLaunch& modelled : launches) step.add(modelled.launch, roof);

  nlohmann::ordered_json result;
  result["what"] = kWhatItIs;
  result["mode"] = mode;
  result["model"] = model;
  result["size"] = options.size;
  result["batch_size"] = options.batch_size;
  result["device_model"] = {{"name", card.name},
                            {"precision", precision_name(precision)},
                            {"tflops", card.tflops(precision)},
                            {"memory_gb_per_s", card.memory_gb_per_s},
                            {"launch_us", roof.launch_us}};
  result["images_per_second"] = 1e6 * static_cast<double>(options.batch_size) / step.floor_us();
  result["step"] = json_of(step);
  result["parts"] = parts_json(launches, roof);
  for (const ModelledLaunch& modelled : launches) result["launches"].push_back(json_of(modelled, roof));
  return result;
}

void print_speed_model(const nlohmann::ordered_json& result) {
  const auto& card = result["device_model"];
  const auto text = [](const nlohmann::ordered_json& value) { return value.get<std::string>(); };
  const auto number = [](const nlohmann::ordered_json& value) { return value.get<double>(); };
  std::printf("%s %s, %.0fx%.0f, batch %.0f, on a modelled %s in %s (%.0f TFLOP/s, %.0f GB/s, %.1f us a launch)\n",
              text(result["mode"]).c_str(), text(result["model"]).c_str(), number(result["size"]),
              number(result["size"]), number(result["batch_size"]), text(card["name"]).c_str(),
              text(card["precision"]).c_str(), number(card["tflops"]), number(card["memory_gb_per_s"]),
              number(card["launch_us"]));
  std::printf("%s\n", text(result["what"]).c_str());
  std::printf("%-24s %10s %9s %9s %11s %12s  %s\n", "layer", "GFLOP", "MB", "launches", "forward us", "backward us",
              "dominated by");
  const auto row = [&](const std::string& name, const nlohmann::ordered_json& sums, double forward, double backward) {
    std::printf("%-24s %10.2f %9.1f %9.0f %11.1f %12.1f  %s\n", name.c_str(), number(sums["flops"]) / 1e9,
                number(sums["bytes"]) / 1e6, number(sums["launches"]), forward, backward,
                text(sums["dominated_by"]).c_str());
  };
  double forward = 0, backward = 0;
  for (const auto& part : result["parts"]) {
    row(text(part["name"]), part, number(part["forward_us"]), number(part["backward_us"]));
    forward += number(part["forward_us"]), backward += number(part["backward_us"]);
  }
  const auto& step = result["step"];
  row("step", step, forward, backward);
  std::printf("floor %.3f ms a step: arithmetic %.3f, memory %.3f, launches %.3f; at most %.0f images/s\n",
              number(step["floor_us"]) / 1e3, number(step["arithmetic_us"]) / 1e3, number(step["memory_us"]) / 1e3,
              number(step["launch_us"]) / 1e3, number(result["images_per_second"]));
}

}  // namespace xrai
