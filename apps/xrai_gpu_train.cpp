// xrai_gpu_train: from a data set to a run folder with checkpoints, curves and a report.
#include "apps/support/command_line.h"
#include "apps/support/run_program.h"
#include "apps/support/waiting_threads.h"
#include "apps/training/recipes.h"
#include "apps/training/train_options.h"
#include "apps/training/training_run.h"

namespace xrai {
namespace {

constexpr const char* kExamples =
    "  xrai_gpu_train --data xrays.h5 --out runs/first\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/quick --recipe fast\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/big --model resnet18 --image-size 128 --epochs 20\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/first --resume auto\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/again --config runs/first/config.toml --seed 2\n";

}  // namespace
}  // namespace xrai

int main(int argc, char** argv) {
  xrai::let_waiting_threads_sleep(argv);
  return xrai::run_program("xrai_gpu_train", [&] {
    xrai::TrainOptions options;
    xrai::CommandLine command_line("xrai_gpu_train",
                                   "Trains a convolutional network to tell classes of radiographs apart. Ctrl-C saves "
                                   "and says how to go on.");
    xrai::add_train_options(command_line, options);
    command_line.set_examples(xrai::kExamples);
    if (!command_line.parse(argc, argv)) return 0;
    xrai::apply_recipe(options.recipe, command_line);
    return xrai::TrainingRun(options, command_line).run(argc, argv);
  });
}
