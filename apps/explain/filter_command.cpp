#include <fmt/format.h>

#include <algorithm>

#include "apps/explain/commands.h"
#include "apps/explain/filter_picture.h"
#include "apps/explain/filter_words.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "loaders/import.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

nlohmann::ordered_json map_json(const ValueMap& map) {
  const auto [least, most] = std::minmax_element(map.values.begin(), map.values.end());
  return {{"height", map.height}, {"width", map.width}, {"least", *least}, {"most", *most}};
}

nlohmann::ordered_json result_json(const FilterCommand& command, const std::filesystem::path& output,
                                   const FilterPicture& drawn) {
  nlohmann::ordered_json json{{"picture", command.image.title()},
                              {"filter",
                               {{"name", drawn.kernel.name},
                                {"height", drawn.kernel.height},
                                {"width", drawn.kernel.width},
                                {"weights", drawn.kernel.weights}}},
                              {"pool", command.pool},
                              {"computed_by", drawn.steps.by_whom},
                              {"input", map_json(drawn.steps.picture)},
                              {"convolved", map_json(drawn.steps.convolved)},
                              {"pooled", map_json(drawn.steps.pooled)}};
  if (drawn.framed) json["numbers"] = tables_json(number_tables(drawn.steps, drawn.kernel, *drawn.framed));
  json["output"] = output.string();
  return json;
}

void register_input(CommandLine& options, FilterCommand& command, const std::string& group) {
  command.image.register_options(options, group);
  options.add({.group = group,
               .name = "size",
               .target = &command.size,
               .help = "side in pixels that the picture is brought to first",
               .at_least = 8,
               .at_most = 2048});
  options.add({.group = group,
               .name = "fit",
               .target = &command.fit,
               .help = "how it becomes square",
               .allowed = {"squash", "pad", "crop"}});
}

void register_output(CommandLine& options, FilterCommand& command, const std::string& group) {
  options.add({.group = group,
               .name = "out",
               .short_name = "o",
               .target = &command.output,
               .help = "the PNG to write",
               .value_name = "FILE.png",
               .default_text = "NAME-FILTER.png in the working folder"});
  options.add({.group = group,
               .name = "force",
               .target = &command.force,
               .help = "replace a file that is there",
               .in_config = false});
  options.add({.group = group,
               .name = "numbers",
               .target = &command.numbers,
               .help = "print a corner of picture, filter, result and pooled result as tables",
               .in_config = false});
  options.add({.group = group,
               .name = "at",
               .target = &command.at,
               .help = "row and column where --numbers begins; odd ones are rounded down",
               .value_name = "ROW,COLUMN",
               .default_text = "0,0"});
  options.add({.group = group,
               .name = "language",
               .target = &command.language,
               .help = "of the words in the drawing and the tables",
               .allowed = languages()});
  options.add({.group = group, .name = "json", .target = &command.json, .help = "print JSON", .in_config = false});
  options.add({.group = group,
               .name = "quiet",
               .short_name = "q",
               .target = &command.quiet,
               .help = "no remarks",
               .in_config = false});
}

}  // namespace

void FilterCommand::register_options(CommandLine& options) {
  register_input(options, *this, "Picture");
  options.add({.group = "Filter",
               .name = "kernel",
               .short_name = "k",
               .target = &kernel,
               .help = "edge, sharpen, blur, sobel-x, sobel-y, emboss, or its numbers: commas in a row, semicolons "
                       "between rows",
               .value_name = "NAME|NUMBERS",
               .check = filter_complaint});
  options.add({.group = "Filter",
               .name = "pool",
               .target = &pool,
               .help = "what is kept of every 2 x 2 results",
               .allowed = {"max", "average"}});
  register_output(options, *this, "Output");
  options.add({.group = "Work",
               .name = "device",
               .target = &device,
               .help = "auto, cpu, cuda or cuda:N",
               .check = check_device_name});
  options.set_examples(
      "  xrai_explain filter scan.jpeg\n"
      "  xrai_explain filter scan.jpeg --kernel sobel-x --pool average --out sobel.png\n"
      "  xrai_explain filter scan.jpeg --kernel \"-1,-1,-1;-1,8,-1;-1,-1,-1\" --numbers --at 60,40\n");
}

int FilterCommand::run() const {
  log::set_quiet(quiet);
  if (!at.empty() && !numbers) throw Error(ExitCode::kUsage, "--at says where --numbers begins; add --numbers");
  FilterPicture drawn;
  drawn.kernel = find_filter_kernel(kernel);
  drawn.language = language;
  if (pool == "average") drawn.pooling = PoolingKind::kAverage;
  if (numbers) drawn.framed = at.empty() ? TablePlace{} : table_place(at);
  const std::filesystem::path target =
      output.empty() ? std::filesystem::path(image.name() + "-" + drawn.kernel.name + ".png") : output;
  check_output(target, force);
  const GreyImage picture = image.load({size, fit_from_name(fit)});
  // In float32 whatever the card does best: the numbers are there to be checked by hand.
  const auto made = make_device({device, 0, "fp32"});
  drawn.steps = apply_filter(*made, picture, drawn.kernel, drawn.pooling);
  const std::string tables = drawn.framed ? tables_text(number_tables(drawn.steps, drawn.kernel, *drawn.framed),
                                                        drawn.pooling, filter_words(language))
                                          : "";
  write_filter_picture(target, drawn);
  if (json) {
    print_json(result_json(*this, target, drawn));
  } else {
    fmt::print("{}{}\n", tables, target.string());
  }
  return 0;
}

}  // namespace xrai
