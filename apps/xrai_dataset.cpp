// Makes and inspects data sets: import (folders of radiographs), synth (drawn ones), repack (other chunks), hold-out
// (one family for validation), info.
#include "apps/dataset/commands.h"
#include "apps/support/command_line.h"

int main(int argc, char** argv) {
  return xrai::run_program("xrai_dataset", [&] {
    xrai::ImportCommand import;
    xrai::SynthCommand synth;
    xrai::RepackCommand repack;
    xrai::HoldOutCommand hold_out;
    xrai::InfoCommand info;
    xrai::CommandLine options("xrai_dataset", "Turns radiographs into HDF5 data sets for training, and inspects them.");
    import.register_options(options.command("import", "Turns class folders of JPEG and PNG files into one HDF5 file."));
    synth.register_options(options.command(
        "synth", "Draws synthetic chest radiographs. They are for trying things out and have no diagnostic meaning."));
    repack.register_options(options.command(
        "repack", "Writes a data set again in chunks that suit training: the same values, read faster."));
    hold_out.register_options(options.command(
        "hold-out",
        "Divides a data set anew: one family of pictures, or the sharpest third, for validation, never trained on."));
    info.register_options(options.command("info", "Says what is in a data set and what to beware of."));
    if (!options.parse(argc, argv)) return 0;
    if (options.selected_command() == "import") return import.run();
    if (options.selected_command() == "synth") return synth.run();
    if (options.selected_command() == "repack") return repack.run();
    if (options.selected_command() == "hold-out") return hold_out.run();
    return info.run();
  });
}
