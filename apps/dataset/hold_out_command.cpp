#include <fmt/format.h>

#include "apps/dataset/commands.h"
#include "apps/report/families.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "loaders/hold_out.h"
#include "loaders/import.h"
#include "loaders/stress/thirds.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

std::vector<std::int64_t> count_classes(const std::vector<HoldOutPicture>& part, std::size_t n_classes) {
  std::vector<std::int64_t> counts(n_classes);
  for (const HoldOutPicture& picture : part) ++counts[static_cast<std::size_t>(picture.label)];
  return counts;
}

std::string part_line(const char* name, const std::vector<HoldOutPicture>& part,
                      const std::vector<std::string>& classes) {
  const auto counts = count_classes(part, classes.size());
  std::string text = fmt::format("  {:<6}{:>7} pictures:", name, part.size());
  for (std::size_t i = 0; i < classes.size(); ++i)
    text += fmt::format(" {}{} {}", i > 0 ? "and " : "", counts[i], classes[i]);
  return text;
}

nlohmann::ordered_json part_json(const std::vector<HoldOutPicture>& part, const std::vector<std::string>& classes) {
  nlohmann::ordered_json json{{"pictures", part.size()}};
  const auto counts = count_classes(part, classes.size());
  for (std::size_t i = 0; i < classes.size(); ++i) json["classes"][classes[i]] = counts[i];
  return json;
}

}  // namespace

void HoldOutCommand::register_options(CommandLine& options) {
  const std::string io = "Input and output";
  options.add({.group = io,
               .name = "input",
               .target = &input,
               .help = "a data set that names the files its pictures came from",
               .value_name = "IN.h5",
               .positional = true,
               .required = true});
  register_output(options, io);
  options.add(
      {.group = "Division",
       .name = "family",
       .target = &family,
       .help = "never train on these pictures, validate on them: IM, NORMAL2, bacteria, virus ..., else a folder",
       .value_name = "NAME"});
  options.add({.group = "Division",
               .name = "statistic",
               .target = &statistic,
               .help = "the same with a third of each class by mean_grey, deviation, dark_rim, corners, sharpness, "
                       "original_height, original_width or original_aspect (docs/stress.md)",
               .value_name = "NAME"});
  options.add({.group = "Division",
               .name = "third",
               .target = &third,
               .help = "which third by --statistic",
               .value_name = "NAME",
               .allowed = {"low", "middle", "high"}});
  options.set_examples(
      "  xrai_dataset hold-out chest.h5 without_normal2.h5 --family NORMAL2\n"
      "  xrai_dataset hold-out chest.h5 without_sharp.h5 --statistic sharpness --third high\n");
}

int HoldOutCommand::run() const {
  if (family.empty() == statistic.empty()) {
    throw Error(ExitCode::kUsage,
                "what is held out: either --family NAME or --statistic NAME (xrai_dataset hold-out --help)");
  }
  install_interrupt_handlers();
  check_output(output, force, input);
  const auto data = open_dataset(input);
  std::vector<HoldOutPicture> pictures = hold_out_pictures(*data, family_of);
  if (!statistic.empty()) take_thirds_as_families(pictures, *data, statistic);
  const std::string held_out = statistic.empty() ? family : third + " " + statistic;
  const HoldOutPlan plan = plan_hold_out(pictures, held_out, data->classes(), input.string());
  const auto total = static_cast<std::int64_t>(plan.train.size() + plan.val.size());
  write_aside_and_rename(output, [&](const std::filesystem::path& aside) {
    Progress bar("hold out " + held_out, total, "images", quiet);
    write_hold_out(*data, plan, aside, creator_text(), [&](std::int64_t done) { bar.update(done); });
  });
  if (json) {
    print_json({{"file", output.string()},
                {"held_out", held_out},
                {"train", part_json(plan.train, data->classes())},
                {"val", part_json(plan.val, data->classes())},
                {"dropped", plan.n_dropped}});
  } else {
    fmt::print("{}: {} is held out for validation\n{}\n{}\n", output.string(), held_out,
               part_line("train", plan.train, data->classes()), part_line("val", plan.val, data->classes()));
    if (plan.n_dropped > 0) fmt::print("  {} pictures of patients who are in val were dropped\n", plan.n_dropped);
  }
  return 0;
}

}  // namespace xrai
