#include "apps/support/common_options.h"

#include "apps/support/devices.h"

namespace xrai {

void add_precision_option(CommandLine& command_line, const std::string& group, std::string& precision,
                          Computes computes) {
  std::string help = "numbers the network computes in; auto: bf16 on a GPU that has it, else fp32";
  std::vector<std::string> allowed{"auto", "fp32", "tf32", "bf16", "fp16"};
  if (computes == Computes::kScoresOnly) {
    help += "; the CPU has fp32 and, for scoring in less time, int8 (docs/int8.md)";
    allowed.emplace_back("int8");
  } else {
    help += " (all that the CPU has)";
  }
  command_line.add(
      {.group = group, .name = "precision", .target = &precision, .help = help, .allowed = std::move(allowed)});
}

void add_device_options(CommandLine& command_line, std::string& device, std::string& precision, int& threads,
                        const std::string& device_help, Computes computes) {
  const std::string group = "Run";
  command_line.add({.group = group,
                    .name = "device",
                    .target = &device,
                    .help = device_help,
                    .value_name = "DEVICE",
                    .check = check_device_name});
  add_precision_option(command_line, group, precision, computes);
  command_line.add({.group = group,
                    .name = "threads",
                    .target = &threads,
                    .help = "cores the CPU device uses (0: all it may)",
                    .at_least = 0,
                    .at_most = 4096});
}

void add_layout_options(CommandLine& command_line, LayoutOptions& options) {
  const std::string group = "Layout";
  command_line.add({.group = group,
                    .name = "images-key",
                    .target = &options.images_key,
                    .help = "data sets with the pictures, with commas between; the end of the path suffices",
                    .value_name = "NAMES",
                    .default_text = "by name and shape"});
  command_line.add({.group = group,
                    .name = "labels-key",
                    .target = &options.labels_key,
                    .help = "data set or CSV file with the labels, and the column where there are several",
                    .value_name = "NAME[:COLUMN]",
                    .default_text = "by name"});
  command_line.add({.group = group,
                    .name = "layout",
                    .target = &options.axes,
                    .help = "order of the axes: pictures, height, width, channels",
                    .allowed = {"NHW", "NHWC", "NCHW"},
                    .default_text = "by shape"});
  command_line.add({.group = group,
                    .name = "range",
                    .target = &options.range,
                    .help = "stored values of black and white, such as 0-1, -1-1 or 0-4095",
                    .value_name = "LOW-HIGH",
                    .check = range_complaint,
                    .default_text = "by the values"});
  command_line.add({.group = group,
                    .name = "allow-links",
                    .target = &options.allow_links,
                    .help = "follow links to files outside the folder of the data set"});
}

void add_network_options(CommandLine& command_line, std::string& model, std::int64_t& size, std::int64_t& batch_size) {
  const std::string group = "Network";
  command_line.add({.group = group,
                    .name = "model",
                    .target = &model,
                    .help = "plain5, lenet, resnet18 or a TOML file",
                    .value_name = "NAME|FILE.toml"});
  command_line.add({.group = group,
                    .name = "size",
                    .target = &size,
                    .help = "side of the pictures in pixels",
                    .at_least = 8,
                    .at_most = 2048});
  command_line.add({.group = group,
                    .name = "batch-size",
                    .short_name = "b",
                    .target = &batch_size,
                    .help = "pictures a step",
                    .at_least = 1,
                    .at_most = 65536});
}

}  // namespace xrai
