// Options that several programs have, each described once.
#pragma once

#include <cstdint>
#include <string>

#include "apps/support/command_line.h"
#include "loaders/layout.h"

namespace xrai {

/// --device, --precision and --threads, in the group "Run".
void add_device_options(CommandLine& command_line, std::string& device, std::string& precision, int& threads,
                        const std::string& device_help = "auto, cpu, cuda or cuda:N");

/// --images-key, --labels-key, --layout, --range and --allow-links, in the group "Layout": how to read a file whose
/// layout is not recognised.
void add_layout_options(CommandLine& command_line, LayoutOptions& options);

/// --model, --size and --batch-size of a network that sees made-up pictures, in the group "Network".
void add_network_options(CommandLine& command_line, std::string& model, std::int64_t& size, std::int64_t& batch_size);

}  // namespace xrai
