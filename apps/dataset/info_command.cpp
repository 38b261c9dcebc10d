#include <fmt/format.h>

#include "apps/dataset/commands.h"
#include "apps/report/contact_sheet.h"
#include "apps/support/common_options.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "loaders/dataset_summary.h"
#include "loaders/import.h"
#include "loaders/picture_samples.h"

namespace xrai {
namespace {

std::string attribute_text(const hdf5::Attribute& value) {
  return std::visit(
      [](const auto& content) {
        using Content = std::remove_cvref_t<decltype(content)>;
        if constexpr (std::is_same_v<Content, std::vector<std::string>> ||
                      std::is_same_v<Content, std::vector<double>>) {
          return fmt::format("{}", fmt::join(content, ", "));
        } else {
          return fmt::format("{}", content);
        }
      },
      value);
}

std::string filters_text(const hdf5::DatasetInfo& info) {
  return info.filters.empty() ? "uncompressed" : fmt::format("{}", fmt::join(info.filters, ", "));
}

std::string chunks_text(const hdf5::DatasetInfo& info) {
  return info.chunk_shape.empty() ? "contiguous" : fmt::format("chunks ({})", fmt::join(info.chunk_shape, ", "));
}

void print_split(const SplitSummary& split, const std::vector<std::string>& classes) {
  fmt::print("\n{}\n  images   {}, {}, {:.1f} MB\n", split.layout, chunks_text(split.images),
             filters_text(split.images), static_cast<double>(split.stored_bytes) / 1e6);
  std::string balance;
  for (std::size_t i = 0; i < classes.size(); ++i)
    balance += fmt::format("{}{} {} ({:.1f}%)", i > 0 ? ", " : "", classes[i], split.of_class[i],
                           100.0 * static_cast<double>(split.of_class[i]) /
                               static_cast<double>(std::max<std::int64_t>(1, split.n_pictures)));
  fmt::print("  classes  {}\n  groups   {}\n", balance,
             split.n_groups > 0 ? fmt::format("{}", split.n_groups) : "none stored");
  fmt::print("  pixels   mean {:.2f}, standard deviation {:.2f}, from {} to {}\n", split.pixels.mean,
             split.pixels.standard_deviation, split.pixels.lowest, split.pixels.highest);
}

void print_summary(const DatasetSummary& summary) {
  fmt::print("{}: {}, {:.1f} MB\n", summary.path.string(),
             summary.synthetic ? "SYNTHETIC radiographs, without diagnostic meaning" : "radiographs",
             static_cast<double>(summary.file_bytes) / 1e6);
  fmt::print("  {:<12} {}\n", "classes", fmt::join(summary.classes, ", "));
  for (const auto& [name, value] : summary.attributes) fmt::print("  {:<12} {}\n", name, attribute_text(value));
  for (const SplitSummary& split : summary.splits) print_split(split, summary.classes);
  if (!summary.warnings.empty()) fmt::print("\nwarnings\n");
  for (const std::string& warning : summary.warnings) fmt::print("  {}\n", warning);
}

nlohmann::ordered_json split_json(const SplitSummary& split, const std::vector<std::string>& classes) {
  nlohmann::ordered_json balance;
  for (std::size_t i = 0; i < classes.size(); ++i) balance[classes[i]] = split.of_class[i];
  return {{"pictures", split.n_pictures},
          {"groups", split.n_groups},
          {"layout", split.layout},
          {"shape", split.images.shape},
          {"type", hdf5::type_name(split.images.type)},
          {"chunks", split.images.chunk_shape},
          {"filters", split.images.filters},
          {"stored_bytes", split.stored_bytes},
          {"classes", balance},
          {"pixels",
           {{"mean", split.pixels.mean},
            {"standard_deviation", split.pixels.standard_deviation},
            {"lowest", split.pixels.lowest},
            {"highest", split.pixels.highest},
            {"constant_pictures", split.pixels.n_constant_pictures}}}};
}

nlohmann::ordered_json summary_json(const DatasetSummary& summary) {
  nlohmann::ordered_json json{{"file", summary.path.string()},
                              {"file_bytes", summary.file_bytes},
                              {"synthetic", summary.synthetic},
                              {"classes", summary.classes}};
  for (const auto& [name, value] : summary.attributes)
    std::visit([&, key = name](const auto& content) { json["attributes"][key] = content; }, value);
  for (const SplitSummary& split : summary.splits) json["splits"][split.name] = split_json(split, summary.classes);
  json["warnings"] = summary.warnings;
  return json;
}

std::vector<SheetRow> sheet_rows(std::vector<PictureSamples> samples) {
  std::vector<SheetRow> rows;
  for (PictureSamples& s : samples)
    rows.push_back({fmt::format("{}: {}, {} pictures", s.split, s.class_name, s.n_pictures), std::move(s.pictures)});
  return rows;
}

}  // namespace

void InfoCommand::register_options(CommandLine& options) {
  const std::string io = "Input and output";
  options.add({.group = io,
               .name = "file",
               .target = &file,
               .help = "a data set, of xrai or of anyone else",
               .value_name = "FILE.h5",
               .positional = true,
               .required = true});
  options.add({.group = io, .name = "json", .target = &json, .help = "print the result as JSON", .in_config = false});
  options.add({.group = io,
               .name = "contact-sheet",
               .target = &contact_sheet,
               .help = "draw a few pictures of every split and class into this file",
               .value_name = "SHEET.png",
               .in_config = false});
  options.add(
      {.group = io, .name = "quiet", .short_name = "q", .target = &quiet, .help = "no progress", .in_config = false});
  add_layout_options(options, layout);
  options.set_examples("  xrai_dataset info chest.h5 --contact-sheet sheet.png\n");
}

int InfoCommand::run() const {
  if (!contact_sheet.empty()) check_output(contact_sheet, /*force=*/true);  // before minutes of reading
  std::unique_ptr<Progress> bar;
  const auto data = open_dataset(file, layout);
  const DatasetSummary summary = summarise_dataset(*data, [&](std::int64_t done, std::int64_t total) {
    if (!bar) bar = std::make_unique<Progress>("read", total, "images", quiet);
    bar->update(done);
  });
  bar.reset();
  if (!contact_sheet.empty()) {
    constexpr std::int64_t kColumns = 8;
    write_contact_sheet(contact_sheet,
                        fmt::format("{}{}", summary.synthetic ? "SYNTHETIC pictures: " : "", file.filename().string()),
                        sheet_rows(sample_pictures(*data, kColumns)));
  }
  if (json) {
    print_json(summary_json(summary));
  } else {
    print_summary(summary);
    if (!contact_sheet.empty()) fmt::print("\ncontact sheet: {}\n", contact_sheet.string());
  }
  return 0;
}

}  // namespace xrai
