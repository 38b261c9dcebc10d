// What belongs to pictures: labels in the same file, in a file beside it, or in a CSV file; patients and file names.
#include <algorithm>

#include "loaders/label_values.h"
#include "loaders/layout_decision.h"
#include "runtime/core/error.h"

namespace xrai {

bool Decision::has_labels(const Candidates& candidates) const {
  if (!options_.labels_key.empty()) return true;
  return std::any_of(candidates.begin(), candidates.end(),
                     [&](const FoundDataset* c) { return !labels_of(*c).empty(); });
}

// What goes with these pictures: of the same split and, where there are several, with the same other words.
Candidates Decision::companions(const FoundDataset& pictures, Role role) const {
  Candidates same, least;
  for (const FoundDataset& dataset : found_[pictures.file]) {
    if (dataset.name.role != role || dataset.name.split != pictures.name.split || &dataset == &pictures) continue;
    const auto rest = role == Role::kGroups ? dataset.name.rest_without_id() : dataset.name.rest;
    if (rest == pictures.name.rest) same.push_back(&dataset);
    if (role != Role::kLabels && role != Role::kOutcomes)
      continue;  // a patient list of something else would be believed
    if (!least.empty() && rest.size() < least.front()->name.rest.size()) least.clear();
    if (least.empty() || rest.size() == least.front()->name.rest.size()) least.push_back(&dataset);
  }
  Candidates found = same.empty() ? least : same;
  // One data set a finding.
  const auto is_of_finding = [](const FoundDataset* dataset) {
    return !dataset->name.rest.empty() && dataset->name.rest.back() == kFinding;
  };
  const auto of_finding = std::find_if(found.begin(), found.end(), is_of_finding);
  if (found.size() > 1 && std::count_if(found.begin(), found.end(), is_of_finding) == 1) return {*of_finding};
  return found;
}

const FoundDataset* Decision::companion(const FoundDataset& pictures, Role role) const {
  const Candidates found = companions(pictures, role);
  return found.empty() ? nullptr : found.front();
}

Candidates Decision::labels_of(const FoundDataset& pictures) const {
  Candidates labels = companions(pictures, Role::kLabels);
  return labels.empty() ? companions(pictures, Role::kOutcomes) : labels;
}

std::optional<LabelPlace> Decision::labels_as_asked(const FoundDataset& pictures) const {
  if (options_.labels_key.empty()) return std::nullopt;
  const std::size_t colon = std::min(options_.labels_key.rfind(':'), options_.labels_key.size());
  const std::string key = options_.labels_key.substr(0, colon);
  const std::string column = options_.labels_key.substr(std::min(colon + 1, options_.labels_key.size()));
  if (lower_case(key).ends_with(".csv")) return LabelPlace{.csv = key, .column = column};
  for (const FoundDataset& dataset : found_[pictures.file]) {
    if (dataset.name.split == pictures.name.split && is_meant(dataset.object, key)) {
      return LabelPlace{.file = pictures.file, .object = dataset.object, .column = column};
    }
  }
  throw Error(ExitCode::kBadData, fmt::format("{} has no data set {} with labels for {}",
                                              layout_.files[pictures.file].string(), key, pictures.object));
}

// y_train.h5 belongs to X_train.h5.
std::optional<LabelPlace> Decision::labels_in_file_beside(const FoundDataset& pictures) {
  const std::filesystem::path path = layout_.files[pictures.file];
  const ObjectName own = parse_object_name(path.stem().string());
  for (const FileBeside& other : files_beside(path, path.extension().string())) {
    if (other.name.role != Role::kLabels || other.name.split != own.split || other.name.rest != own.rest) continue;
    open(other.path);
    const auto& found = found_.back();
    const auto labels = std::find_if(found.begin(), found.end(), [&](const FoundDataset& dataset) {
      return found.size() == 1 || dataset.name.role == Role::kLabels;
    });
    if (labels != found.end()) return LabelPlace{.file = files_.size() - 1, .object = labels->object};
  }
  return std::nullopt;
}

// cxr.csv belongs to cxr.h5. Another name is believed only when it is the one table with a label for each picture.
std::optional<LabelPlace> Decision::labels_in_table_beside(const FoundDataset& pictures,
                                                           const SplitLayout& split) const {
  constexpr std::size_t kMostTables = 16;
  const std::filesystem::path path = layout_.files[pictures.file];
  std::vector<LabelPlace> fitting;
  const std::vector<FileBeside> tables = files_beside(path, ".csv");
  for (std::size_t i = 0; i < std::min(tables.size(), kMostTables); ++i) {
    if (tables[i].path.stem() == path.stem()) return LabelPlace{.csv = tables[i].path};
    try {
      (void)read_csv_labels(tables[i].path, "", picture_ids(split), split.n_images);
      fitting.push_back({.csv = tables[i].path});
    } catch (const Error&) {  // a table of something else
    }
  }
  return fitting.size() == 1 ? std::optional(fitting[0]) : std::nullopt;
}

LabelPlace Decision::find_labels(const FoundDataset& pictures, const SplitLayout& split) {
  if (const auto asked = labels_as_asked(pictures)) return *asked;
  const Candidates labels = labels_of(pictures);
  if (labels.size() == 1) return {.file = labels[0]->file, .object = labels[0]->object};
  if (labels.size() > 1) {
    throw Error(ExitCode::kBadData,
                fmt::format("several data sets of {} may be the labels of {}: {}; name one with --labels-key",
                            layout_.files[pictures.file].string(), pictures.object, objects_text(labels)));
  }
  for (const FoundDataset& dataset : found_[pictures.file]) {
    const bool is_column = !dataset.info.shape.empty() && dataset.info.shape[0] == pictures.info.shape[0] &&
                           dataset.info.row_bytes() == dataset.info.element_bytes;
    const std::string last = std::filesystem::path(dataset.object).filename().string();
    if (is_column && lower_case(last) == kFinding && dataset.name.split == pictures.name.split) {
      return {.file = dataset.file, .object = dataset.object, .column = last};
    }
  }
  if (const auto beside = labels_in_file_beside(pictures)) return *beside;
  if (const auto table = labels_in_table_beside(pictures, split)) return *table;
  throw NoLabels(
      fmt::format("no labels were found for {} of {}; name them with --labels-key, a data set or "
                  "FILE.csv:COLUMN. {}",
                  pictures.object, layout_.files[pictures.file].string(), kWhatXraiReads));
}

}  // namespace xrai
