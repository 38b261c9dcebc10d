// xrai_bench: how fast a network trains and infers here, or could at best on a card that is not here, as a whole and
// layer by layer.
#include "apps/bench/measurement.h"
#include "apps/bench/speed_model.h"
#include "apps/support/command_line.h"
#include "apps/support/common_options.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/nearest.h"
#include "apps/support/waiting_threads.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace {

using namespace xrai;

nlohmann::ordered_json measured(const BenchOptions& options, const std::string& mode) {
  const std::unique_ptr<Device> device = make_device({options.device, options.threads, options.precision});
  if (options.limits && device->name() != "cpu")
    throw Error(ExitCode::kUsage, "--limits are the CPU's; add --device cpu, or take --device-model for a card");
  return measure(*device, options, mode);
}

void bench(const BenchOptions& options, const std::string& mode) {
  log::set_quiet(options.json);
  const bool modelled = !options.device_model.empty();
  const nlohmann::ordered_json result = modelled ? model_speed(options, mode) : measured(options, mode);
  if (options.json)
    print_json(result);
  else
    modelled ? print_speed_model(result) : print_measurement(result);
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
  c.add({.group = "Network",
         .name = "gradient-checkpointing",
         .target = &o.gradient_checkpointing,
         .help = "train as xrai_gpu_train does with this flag: in less memory and more time"});
  c.add({.group = "Measuring",
         .name = "limits",
         .target = &o.limits,
         .help = "also measure what this CPU allows: oneDNN's direct convolutions alone, GFLOP/s and GB/s"});
  c.add({.group = "Measuring",
         .name = "device-model",
         .target = &o.device_model,
         .help = "time nothing: what data sheets allow at best on " + one_of(card_words()),
         .value_name = "CARD",
         .default_text = "none, steps are timed"});
  add_device_options(c, o.device, o.precision, o.threads, "auto, cpu, cuda or cuda:N", Computes::kScoresOnly);
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
    command_line.set_examples(
        "  xrai_bench train --model plain5 --size 224 --batch-size 64 --device cpu --json\n"
        "  xrai_bench train --device-model h100\n");
    if (!command_line.parse(argc, argv)) return 0;
    bench(options, command_line.selected_command());
    return 0;
  });
}
