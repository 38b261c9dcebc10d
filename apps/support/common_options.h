// Options that several programs have, each described once.
#pragma once

#include <cstdint>
#include <string>

#include "apps/support/command_line.h"
#include "loaders/layout.h"

namespace xrai {

/// Whether a program only scores, which one can do in int8, too.
enum class Computes { kAll, kScoresOnly };

/// --precision.
void add_precision_option(CommandLine& command_line, const std::string& group, std::string& precision,
                          Computes computes);

/// --device, --precision and --threads, in the group "Run".
void add_device_options(CommandLine& command_line, std::string& device, std::string& precision, int& threads,
                        const std::string& device_help = "auto, cpu, cuda or cuda:N",
                        Computes computes = Computes::kAll);

/// --images-key, --labels-key, --layout, --range and --allow-links, in the group "Layout": how to read a file whose
/// layout is not recognised.
void add_layout_options(CommandLine& command_line, LayoutOptions& options);

/// --model, --size and --batch-size of a network that sees made-up pictures, in the group "Network".
void add_network_options(CommandLine& command_line, std::string& model, std::int64_t& size, std::int64_t& batch_size);

}  // namespace xrai
