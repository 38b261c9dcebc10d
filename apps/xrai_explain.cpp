// Shows what a convolution and a pooling do to a picture (filter), and what a trained network sees in one (network).
#include "apps/explain/commands.h"
#include "apps/support/command_line.h"
#include "apps/support/waiting_threads.h"

int main(int argc, char** argv) {
  xrai::let_waiting_threads_sleep(argv);
  return xrai::run_program("xrai_explain", [&] {
    xrai::FilterCommand filter;
    xrai::NetworkCommand network;
    xrai::CommandLine options("xrai_explain", "Shows what convolutions, pooling and whole networks do to a picture.");
    filter.register_options(options.command(
        "filter", "Draws a picture, a filter, the convolution of the two and the pooled result side by side."));
    network.register_options(options.command(
        "network", "Shows on one page what each layer of a trained network makes of a picture, and where it looked."));
    if (!options.parse(argc, argv)) return 0;
    return options.selected_command() == "filter" ? filter.run() : network.run();
  });
}
