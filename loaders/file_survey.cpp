#include "loaders/file_survey.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr int kDeepestGroup = 4;  // groups; hard links can lead in circles
constexpr std::size_t kFewNames = 4;
constexpr std::size_t kMostDatasets = 4096;  // with circles and branches, before depth ends them

[[noreturn]] void refuse(const hdf5::File& file, const char* what) {
  throw Error(ExitCode::kBadData,
              fmt::format("{} holds {}, not pictures; give a data set", file.path().string(), what));
}

void refuse_models(const hdf5::File& file) {
  if (file.attribute("/", "xrai_checkpoint")) refuse(file, "a trained network, a checkpoint of xrai");
  if (file.has("/model_weights") || file.attribute("/", "keras_version") || file.attribute("/", "layer_names")) {
    refuse(file, "the weights of a Keras model");
  }
  // .weights.h5 of Keras 3 has no attributes of its own.
  if (file.has("/_layer_checkpoint_dependencies") ||
      (file.has("/layers") && (file.has("/vars") || file.has("/optimizer")))) {
    refuse(file, "the weights of a Keras model");
  }
}

void walk(const hdf5::File& file, std::size_t index, const std::string& group, int depth,
          std::vector<FoundDataset>& found) {
  std::vector<std::string> names = file.names_in(group.empty() ? "/" : group);
  if (names.size() > kManyNames) names.resize(kFewNames);
  for (const std::string& name : names) {
    if (name.starts_with('#')) continue;  // MATLAB's own: "#refs#", "#subsystem#"
    if (found.size() >= kMostDatasets) return;
    const std::string object = group + "/" + name;
    if (!file.has(object)) continue;  // a link that leads nowhere
    if (file.is_dataset(object)) {
      FoundDataset dataset{index, object, file.info(object), parse_object_name(object)};
      if (dataset.name.split.empty()) dataset.name.split = parse_object_name(file.path().stem().string()).split;
      found.push_back(std::move(dataset));
    } else if (depth < kDeepestGroup && file.is_group(object)) {
      walk(file, index, object, depth + 1, found);
    }
  }
}

}  // namespace

std::vector<FoundDataset> survey(const hdf5::File& file, std::size_t index) {
  refuse_models(file);
  std::vector<FoundDataset> found;
  walk(file, index, "", 1, found);
  return found;
}

std::string shape_text(const hdf5::DatasetInfo& info) {
  return fmt::format("({})", fmt::join(info.shape, ", "));
}

std::vector<FileBeside> files_beside(const std::filesystem::path& path, const std::string& extension) {
  std::vector<FileBeside> beside;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code ignored;  // a folder that may not be listed has nothing beside the file
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::filesystem::path& other = entry.path();
    if (other.filename() == path.filename() || lower_case(other.extension().string()) != lower_case(extension))
      continue;
    if (entry.is_regular_file(ignored)) beside.push_back({other, parse_object_name(other.stem().string())});
  }
  std::sort(beside.begin(), beside.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return beside;
}

}  // namespace xrai
