#include <fmt/format.h>

#include <iterator>

#include "apps/dataset/commands.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "apps/support/version.h"
#include "loaders/import.h"
#include "loaders/mat_pictures.h"
#include "runtime/core/error.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

std::string splits_line(const std::string& name, const SplitCount& split, const std::vector<std::string>& classes) {
  std::string text = fmt::format("  {:<6}{:>7} pictures in {} groups:", name, split.n_pictures, split.n_groups);
  for (std::size_t i = 0; i < classes.size(); ++i)
    text += fmt::format(" {}{} {}", i > 0 ? "and " : "", split.of_class[i], classes[i]);
  return text;
}

/// At most ten of many; the JSON has them all.
template <class Item, class Text>
void print_some(const std::string& heading, const std::vector<Item>& items, Text text) {
  constexpr std::size_t kMost = 10;
  if (items.empty()) return;
  fmt::print("{}:\n", heading);
  for (std::size_t i = 0; i < items.size() && i < kMost; ++i) fmt::print("  {}\n", text(items[i]));
  if (items.size() > kMost) fmt::print("  and {} more (--json lists all)\n", items.size() - kMost);
}

void print_report(const ImportReport& report, const std::filesystem::path& output) {
  fmt::print("{}: {} pictures, classes {}\n", output.string(), report.n_pictures, fmt::join(report.classes, ", "));
  for (const char* name : {"train", "val", "test"})
    if (const auto split = report.splits.find(name); split != report.splits.end())
      fmt::print("{}\n", splits_line(name, split->second, report.classes));
  const auto path_and_reason = [](const SkippedFile& file) { return fmt::format("{}: {}", file.path, file.reason); };
  print_some(fmt::format("{} files are no pictures of the data set", report.skipped.size()), report.skipped,
             path_and_reason);
  print_some(fmt::format("{} several times", report.duplicates.size() == 1
                                                 ? "1 picture occurs"
                                                 : fmt::format("{} pictures occur", report.duplicates.size())),
             report.duplicates, [](const DuplicateSet& set) { return fmt::format("{}", fmt::join(set.paths, " = ")); });
  // Every unreadable picture is named: it is missing from the file.
  if (!report.unreadable.empty())
    fmt::print("{} could not be read and {} left out:\n",
               report.unreadable.size() == 1 ? "1 picture" : fmt::format("{} pictures", report.unreadable.size()),
               report.unreadable.size() == 1 ? "was" : "were");
  for (const SkippedFile& file : report.unreadable) fmt::print("  {}\n", path_and_reason(file));
}

nlohmann::ordered_json files_json(const std::vector<SkippedFile>& files) {
  auto list = nlohmann::ordered_json::array();
  for (const SkippedFile& file : files) list.push_back({{"path", file.path}, {"reason", file.reason}});
  return list;
}

nlohmann::ordered_json report_json(const ImportReport& report, const std::filesystem::path& output) {
  nlohmann::ordered_json json{{"file", output.string()},
                              {"pictures", report.n_pictures},
                              {"classes", report.classes},
                              {"splits", nlohmann::ordered_json::object()}};
  for (const auto& [name, split] : report.splits) {
    nlohmann::ordered_json classes;
    for (std::size_t i = 0; i < report.classes.size(); ++i) classes[report.classes[i]] = split.of_class[i];
    json["splits"][name] = {{"pictures", split.n_pictures}, {"groups", split.n_groups}, {"classes", classes}};
  }
  json["unreadable"] = files_json(report.unreadable);
  json["skipped"] = files_json(report.skipped);
  json["duplicates"] = nlohmann::ordered_json::array();
  for (const DuplicateSet& set : report.duplicates)
    json["duplicates"].push_back(
        {{"paths", set.paths}, {"across_splits", set.across_splits}, {"across_classes", set.across_classes}});
  json["notes"] = report.notes;
  json["warnings"] = report.warnings;
  json["elapsed_s"] = report.elapsed_s;
  json["images_per_second"] = static_cast<double>(report.n_pictures) / report.elapsed_s;
  return json;
}

std::string expression_complaint(const std::string& text) {
  try {
    const GroupRule rule(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

std::string creator_text() {
  return fmt::format("xrai {} ({})", program_version(), program_commit());
}

std::string splits_complaint(const std::string& text) {
  try {
    parse_splits(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void OutputOptions::register_output(CommandLine& options, const std::string& group) {
  options.add({.group = group,
               .name = "output",
               .target = &output,
               .help = "the HDF5 file to write",
               .value_name = "OUT.h5",
               .positional = true,
               .required = true});
  options.add(
      {.group = group, .name = "force", .target = &force, .help = "replace an existing OUT.h5", .in_config = false});
  options.add(
      {.group = group, .name = "json", .target = &json, .help = "print the result as JSON", .in_config = false});
  options.add({.group = group,
               .name = "quiet",
               .short_name = "q",
               .target = &quiet,
               .help = "no progress",
               .in_config = false});
}

void ImportCommand::register_options(CommandLine& options) {
  const std::string io = "Input and output", pictures = "Pictures", division = "Splits", work = "Work";
  options.add({.group = io,
               .name = "folder",
               .target = &folder,
               .help = "class folders, or train/val/test with class folders inside; or MedMNIST's .npz file; or .mat "
                       "files of a picture each",
               .value_name = "DIR|FILE.npz",
               .positional = true,
               .required = true});
  register_output(options, io);
  options.add({.group = pictures,
               .name = "size",
               .target = &size,
               .help = "side of the square pictures in pixels",
               .at_least = 8,
               .at_most = 2048});
  options.add(
      {.group = pictures,
       .name = "fit",
       .target = &fit,
       .help = "how a picture becomes square: squash scales both sides, pad adds black, crop cuts the long side",
       .allowed = {"squash", "pad", "crop"}});
  options.add({.group = pictures,
               .name = "gzip",
               .target = &gzip,
               .help = "compress the pictures; 0 is off and reads fastest",
               .value_name = "LEVEL",
               .at_least = 0,
               .at_most = 9});
  options.add({.group = pictures, .name = "strict", .target = &strict, .help = "stop at the first unreadable picture"});
  options.add({.group = division,
               .name = "splits",
               .target = &splits,
               .help = "how to divide what is not in test or val folders, whole patient groups at a time",
               .value_name = "PARTS",
               .check = splits_complaint,
               .default_text = "train=0.85,val=0.15"});
  options.add({.group = division,
               .name = "group-regex",
               .target = &group_regex,
               .help = "finds the patient in a picture's relative path: first capture group",
               .value_name = "REGEX",
               .check = expression_complaint,
               .default_text = "the names of the public chest X-ray sets"});
  options.add({.group = division,
               .name = "keep-val",
               .target = &keep_val,
               .help = "keep a val folder of fewer than 50 pictures as it is"});
  options.add({.group = division, .name = "seed", .target = &seed, .help = "seed of the division"});
  options.add({.group = work,
               .name = "jobs",
               .short_name = "j",
               .target = &jobs,
               .help = "threads that decode",
               .at_least = 0,
               .at_most = 1024,
               .default_text = "0, one a core"});
  options.accept_config();
  options.set_examples(
      "  xrai_dataset import chest_xray chest.h5\n"
      "  xrai_dataset import scans scans.h5 --size 128 --fit pad --splits train=0.7,val=0.1,test=0.2 \\\n"
      "      --group-regex '(pat[0-9]+)_'\n");
}

int ImportCommand::run() const {
  install_interrupt_handlers();
  ImportOptions options;
  options.folder = folder;
  options.output = output;
  options.target = {size, fit_from_name(fit)};
  options.plan.seed = seed;
  options.plan.group_expression = group_regex;
  options.plan.keep_val = keep_val;
  options.n_threads = jobs;
  options.deflate_level = gzip;
  options.strict = strict;
  options.force = force;
  options.creator = creator_text();
  if (!splits.empty()) options.plan.fractions = parse_splits(splits);
  std::unique_ptr<Progress> bar;
  keep_freed_memory();
  const auto import = folder.extension() == ".npz"     ? import_npz
                      : is_folder_of_mat_files(folder) ? import_mat_files
                                                       : import_folder;
  const ImportReport report = import(options, [&](std::int64_t done, std::int64_t total) {
    if (!bar) bar = std::make_unique<Progress>("import", total, "images", quiet);
    bar->update(done);
  });
  bar.reset();
  if (json) {
    print_json(report_json(report, output));
  } else {
    print_report(report, output);
  }
  for (const std::string& note : report.notes) log::info("note: " + note);
  for (const std::string& warning : report.warnings) log::warning(warning);
  return 0;
}

}  // namespace xrai
