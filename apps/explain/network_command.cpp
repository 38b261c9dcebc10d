#include <fmt/format.h>

#include <algorithm>

#include "apps/explain/commands.h"
#include "apps/explain/filter_words.h"
#include "apps/explain/network_page.h"
#include "apps/report/scored_pictures.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "loaders/import.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/log.h"
#include "runtime/train/explainer.h"

namespace xrai {
namespace {

std::filesystem::path page_file(const NetworkCommand& command) {
  return command.folder / (command.image.name() + "-network.html");
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code reason;
  std::filesystem::create_directories(folder, reason);
  if (reason)
    throw Error(ExitCode::kStorage, fmt::format("cannot make the folder {}: {}; choose another with --out",
                                                folder.string(), reason.message()));
}

std::string run_name(const std::filesystem::path& run) {
  const std::filesystem::path whole = run.lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

// A network without a convolution has no maps to point with, which is no error.
void add_heat_map(NetworkPage& page, const Predictor& predictor) {
  try {
    Explainer explainer = predictor.make_explainer();
    const std::vector<std::string>& classes = predictor.classes();
    const auto called =
        static_cast<std::int32_t>(std::find(classes.begin(), classes.end(), page.verdict) - classes.begin());
    page.heat_map =
        explainer.explain(page.picture.pixels.data(), page.picture.height, page.picture.width, {&called, 1}).front();
    page.heat_layer = explainer.layer();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kUsage) throw;
    log::info(fmt::format("no heat map: {}", error.what()));
  }
}

NetworkPage explain(Predictor& predictor, const NetworkCommand& command) {
  NetworkPage page;
  page.language = command.language;
  page.picture_name = command.image.title();
  page.model_name = predictor.model_name();
  page.run_name = run_name(command.run_folder);
  page.epochs = predictor.epoch();
  page.n_members = predictor.n_members();
  page.synthetic = predictor.trained_on_synthetic();
  page.picture = command.image.load(target_of(predictor.preprocessing()));
  page.threshold = predictor.threshold();
  const std::uint8_t* pixels = page.picture.pixels.data();
  const std::vector<float> probabilities = predictor.predict(pixels, 1, page.picture.height, page.picture.width);
  for (std::size_t k = 0; k < probabilities.size(); ++k)
    page.classes.push_back({predictor.classes()[k], probabilities[k]});
  page.verdict = verdict_of(predictor, probabilities);
  LayerViewer viewer = predictor.make_layer_viewer();
  page.layers = viewer.look(pixels, page.picture.height, page.picture.width);
  page.filters = viewer.first_filters();
  add_heat_map(page, predictor);
  return page;
}

nlohmann::ordered_json result_json(const NetworkPage& page, const std::filesystem::path& file) {
  nlohmann::ordered_json json{{"notice", kScoresNotice},  {"picture", page.picture_name},
                              {"model", page.model_name}, {"probabilities", nlohmann::ordered_json::object()},
                              {"verdict", page.verdict},  {"layers", nlohmann::ordered_json::array()}};
  for (const ClassProbability& one : page.classes) json["probabilities"][one.name] = one.probability;
  for (const LayerMaps& layer : page.layers) {
    const auto [least, most] = std::minmax_element(layer.values.begin(), layer.values.end());
    json["layers"].push_back({{"name", layer.name},
                              {"kind", layer.kind},
                              {"height", layer.shape.height},
                              {"width", layer.shape.width},
                              {"maps", layer.shape.channels},
                              {"least", *least},
                              {"most", *most}});
  }
  json["output"] = file.string();
  return json;
}

}  // namespace

void NetworkCommand::register_options(CommandLine& options) {
  options.add({.group = "Input and output",
               .name = "run",
               .target = &run_folder,
               .help = "a run folder (the layers of its first network) or a checkpoint file",
               .value_name = "RUN",
               .positional = true,
               .required = true});
  image.register_options(options, "Input and output");
  options.add({.group = "Input and output",
               .name = "out",
               .short_name = "o",
               .target = &folder,
               .help = "folder for the page, NAME-network.html; it is made",
               .value_name = "DIR",
               .default_text = "the working folder"});
  options.add({.group = "Input and output",
               .name = "language",
               .target = &language,
               .help = "of the page",
               .allowed = languages()});
  options.add({.group = "Input and output",
               .name = "force",
               .target = &force,
               .help = "replace a page that is there",
               .in_config = false});
  options.add({.group = "Input and output", .name = "json", .target = &json, .help = "print JSON", .in_config = false});
  options.add({.group = "Input and output",
               .name = "quiet",
               .short_name = "q",
               .target = &quiet,
               .help = "no remarks",
               .in_config = false});
  options.add({.group = "Work",
               .name = "device",
               .target = &device,
               .help = "auto, cpu, cuda or cuda:N",
               .check = check_device_name});
  options.set_examples("  xrai_explain network runs/first scan.jpeg\n");
}

int NetworkCommand::run() const {
  log::set_quiet(quiet);
  if (folder.extension() == ".html")
    throw Error(ExitCode::kUsage, fmt::format("--out {} names a page; give the folder it goes to", folder.string()));
  const auto made = make_device({device});
  Predictor predictor = Predictor::load(run_folder, *made, 1);
  const std::filesystem::path file = page_file(*this);
  make_folder(folder);
  check_output(file, force);
  const NetworkPage page = explain(predictor, *this);
  write_text_file(file, network_page_html(page));
  if (json) {
    print_json(result_json(page, file));
  } else {
    fmt::print("{}\n", file.string());
  }
  std::fprintf(stderr, "%s\n", kScoresNotice);
  return 0;
}

}  // namespace xrai
