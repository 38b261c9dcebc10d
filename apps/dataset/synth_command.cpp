#include <fmt/format.h>

#include "apps/dataset/commands.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "loaders/dataset_writer.h"
#include "loaders/import.h"
#include "loaders/ordered_pool.h"
#include "loaders/synthetic_radiograph.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

std::string finding_name(Finding finding) {
  switch (finding) {
    case Finding::kNormal:
      return "normal";
    case Finding::kLobarConsolidation:
      return "lobar";
    case Finding::kInterstitialPattern:
      return "interstitial";
  }
  return "";
}

/// The split of each picture; every picture is a patient of its own, and the findings are spread evenly.
std::vector<std::string> planned_splits(const SynthCommand& command) {
  std::vector<std::string> groups, strata;
  for (std::int64_t i = 0; i < command.images; ++i) {
    groups.push_back(fmt::format("synthetic-{:06}", i));
    strata.push_back(finding_name(finding_of(command.seed, static_cast<std::uint64_t>(i))));
  }
  const std::vector<SplitFraction> fractions = parse_splits(command.splits);
  std::vector<std::string> splits;
  for (const int k : grouped_stratified_split(groups, strata, fractions, command.seed))
    splits.push_back(fractions[static_cast<std::size_t>(k)].name);
  return splits;
}

void write_pictures(const SynthCommand& command, const std::vector<std::string>& splits, DatasetWriter& writer,
                    std::map<std::string, SplitCount>& counts) {
  Progress bar("draw", command.images, "images", command.quiet);
  produce_in_parallel(
      command.images, command.jobs > 0 ? command.jobs : available_cores(),
      [&](std::int64_t i) { return render_radiograph(command.seed, static_cast<std::uint64_t>(i), command.size); },
      [&](std::int64_t i, SyntheticRadiograph picture) {
        if (interrupt_requested() != 0)
          throw Error(ExitCode::kInterrupted, fmt::format("stopped after {} of {} pictures; {} was not written", i,
                                                          command.images, command.output.string()));
        const std::string& split = splits[static_cast<std::size_t>(i)];
        const std::uint8_t label = is_pneumonia(picture.finding) ? 1 : 0;
        writer.append(split,
                      {std::move(picture.pixels), label, fmt::format("synthetic-{:06}", i),
                       fmt::format("synthetic/{:06}-{}", i, finding_name(picture.finding))},
                      {picture.lesion_x, picture.lesion_y, picture.lesion_radius});
        SplitCount& count = counts[split];
        count.of_class.resize(2);
        ++count.of_class[label];
        ++count.n_pictures;
        bar.update(i + 1);
      });
}

nlohmann::ordered_json summary_json(const SynthCommand& command, const std::map<std::string, SplitCount>& counts) {
  nlohmann::ordered_json json{{"file", command.output.string()},
                              {"synthetic", true},
                              {"pictures", command.images},
                              {"size", command.size},
                              {"seed", command.seed},
                              {"splits", nlohmann::ordered_json::object()}};
  for (const auto& [name, split] : counts)
    json["splits"][name] = {{"pictures", split.n_pictures},
                            {"classes", {{"NORMAL", split.of_class[0]}, {"PNEUMONIA", split.of_class[1]}}}};
  return json;
}

}  // namespace

void SynthCommand::register_options(CommandLine& options) {
  const std::string io = "Output", pictures = "Pictures", work = "Work";
  register_output(options, io);
  options.add({.group = pictures,
               .name = "images",
               .short_name = "n",
               .target = &images,
               .help = "how many, half of them with a pneumonia",
               .at_least = 2,
               .at_most = 10'000'000});
  options.add({.group = pictures,
               .name = "size",
               .target = &size,
               .help = "side of the square pictures in pixels",
               .at_least = kSmallestRadiographSize,
               .at_most = kLargestRadiographSize});
  options.add({.group = pictures, .name = "seed", .target = &seed, .help = "the same seed draws the same pictures"});
  options.add({.group = pictures,
               .name = "splits",
               .target = &splits,
               .help = "how to divide them",
               .value_name = "PARTS",
               .check = splits_complaint});
  options.add({.group = pictures,
               .name = "gzip",
               .target = &gzip,
               .help = "compress the pictures; 0 is off and reads fastest",
               .value_name = "LEVEL",
               .at_least = 0,
               .at_most = 9});
  options.add({.group = work,
               .name = "jobs",
               .short_name = "j",
               .target = &jobs,
               .help = "threads that draw",
               .at_least = 0,
               .at_most = 1024,
               .default_text = "0, one a core"});
  options.accept_config();
  options.set_examples("  xrai_dataset synth demo.h5 --images 2000 --size 128 --seed 1\n");
}

int SynthCommand::run() const {
  install_interrupt_handlers();
  check_output(output, force);
  const std::vector<std::string> split_of = planned_splits(*this);
  std::map<std::string, SplitCount> counts;
  write_aside_and_rename(output, [&](const std::filesystem::path& aside) {
    DatasetWriter writer(aside,
                         {.classes = {"NORMAL", "PNEUMONIA"},
                          .size = size,
                          .decoder = "none (synthetic)",
                          .resize = "none (drawn at this size)",
                          .fit = "squash",
                          .creator = creator_text(),
                          .synthetic = true},
                         gzip);
    write_pictures(*this, split_of, writer, counts);
    writer.close();
  });
  if (json) {
    print_json(summary_json(*this, counts));
    return 0;
  }
  fmt::print("{}: {} synthetic radiographs of {} x {} pixels (drawings without diagnostic meaning)\n", output.string(),
             images, size, size);
  for (const char* name : {"train", "val", "test"})
    if (const auto split = counts.find(name); split != counts.end())
      fmt::print("  {:<6}{:>7} pictures: {} NORMAL and {} PNEUMONIA\n", name, split->second.n_pictures,
                 split->second.of_class[0], split->second.of_class[1]);
  return 0;
}

}  // namespace xrai
