// From names, shapes and types to a layout: which data sets are pictures, and where their labels are.
#include "loaders/layout_decision.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "loaders/image_decoder.h"
#include "loaders/picture_format.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::uint64_t kLeastSide = 8;  // pixels of what is called a picture when none was found
constexpr const char* kOtherValues =
    "its values are of a compound type, references or numbers of an unusual form; write pictures and labels as data "
    "sets of their own, of whole numbers or floats";

std::string text(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string objects_text(const Candidates& candidates) {
  std::vector<std::string> names;
  for (const FoundDataset* candidate : candidates) names.push_back(candidate->object);
  return text(names);
}

std::string class_name(const std::filesystem::path& object) {
  std::string name;
  for (const std::filesystem::path& part : object) {
    if (!parse_object_name(part.string()).rest.empty()) name = part.string();
  }
  const ObjectName words = parse_object_name(name);
  return words.split.empty() && words.role == Role::kUnknown ? name : fmt::format("{}", fmt::join(words.rest, " "));
}

bool is_meant(const std::string& object, const std::string& keys) {
  for (std::size_t first = 0; first <= keys.size();) {
    const std::size_t end = std::min(keys.find(',', first), keys.size());
    const std::string key = keys.substr(first, end - first);
    const std::string wanted = key.starts_with('/') ? key : "/" + key;
    if (!key.empty() && object.ends_with(wanted)) return true;
    first = end + 1;
  }
  return false;
}

Layout Decision::decide() {
  take_candidates();
  if (may_be_single_pictures() && take_single_pictures()) return std::move(layout_);
  if (candidates_.empty()) refuse_without_pictures();
  open_other_splits();
  std::map<std::string, Candidates> of_split;
  for (const FoundDataset* candidate : candidates_) of_split[candidate->name.split].push_back(candidate);
  if (of_split.size() > 1) of_split.erase("");  // beside train and test, a mean picture perhaps
  read_class_names();
  for (const std::string_view name : kSplits) {
    const auto found = of_split.find(std::string(name));
    if (found != of_split.end()) add_or_leave_out(name, [&] { add_split(std::string(name), found->second); });
  }
  if (layout_.splits.empty()) add_split("train", of_split.begin()->second);
  return std::move(layout_);
}

// A test split of a competition, whose answers nobody gives away, is left out.
void Decision::add_or_leave_out(std::string_view split, const std::function<void()>& add) {
  try {
    add();
  } catch (const NoLabels& error) {
    if (layout_.splits.empty() || layout_.splits.front().name != "train") throw;
    layout_.warnings.push_back(fmt::format("the split {} is left out: {}", split, error.what()));
  }
}

void Decision::refuse(const FoundDataset& dataset, const std::string& why) const {
  throw Error(ExitCode::kBadData,
              fmt::format("{} of {} cannot be used: {}", dataset.object, layout_.files[dataset.file].string(), why));
}

void Decision::open(const std::filesystem::path& path) {
  auto file = std::make_shared<const hdf5::File>(
      hdf5::File::open(path, options_.allow_links ? hdf5::Links::kAnywhere : hdf5::Links::kInFolder));
  std::vector<FoundDataset> found = survey(*file, files_.size());
  files_.push_back(std::move(file));
  layout_.files.push_back(path);
  found_.push_back(std::move(found));
}

void Decision::take_candidates() {
  candidates_.clear();
  for (const auto& found : found_) {
    for (const FoundDataset& dataset : found) {
      const bool named = !options_.images_key.empty();
      if (named ? is_meant(dataset.object, options_.images_key) : may_be_pictures(dataset.info)) {
        candidates_.push_back(&dataset);
      }
    }
  }
  if (!candidates_.empty() || !options_.images_key.empty()) return;
  for (const auto& found : found_) {
    for (const FoundDataset& dataset : found) {
      if (holds_a_file_a_row(dataset)) candidates_.push_back(&dataset);
    }
  }
}

// JPEG or PNG files of their own length, told from other bytes by the first.
bool Decision::holds_a_file_a_row(const FoundDataset& dataset) const {
  const hdf5::DatasetInfo& info = dataset.info;
  if (info.type != hdf5::Type::kBytes || info.shape.size() != 1 || info.shape[0] == 0) return false;
  return sniff_format(files_[dataset.file]->read_bytes_of_row(dataset.object, 0)) != PictureFormat::kOther;
}

// MATLAB's arrays have their first axis innermost, and it says of each object what it was.
bool Decision::is_of_matlab(const FoundDataset& dataset) const {
  return files_[dataset.file]->attribute(dataset.object, "MATLAB_class").has_value();
}

void Decision::refuse_without_pictures() const {
  const std::filesystem::path folder = layout_.files.front().parent_path();
  for (const FoundDataset& dataset : found_.front()) {
    if (dataset.name.role != Role::kPictures || dataset.info.shape.size() != 2 ||
        hdf5::element_bytes(dataset.info.type) == 0 || !is_of_matlab(dataset))
      continue;
    refuse(dataset,
           fmt::format("it is one picture {} in a file of its own, as MATLAB saves a struct; xrai trains on files "
                       "of many: 'xrai_dataset import {} OUT.h5' puts those of a folder together",
                       shape_text(dataset.info), folder.empty() ? "." : folder.string()));
  }
  for (const FoundDataset& dataset : found_.front()) {
    if (dataset.info.type == hdf5::Type::kOther) refuse(dataset, kOtherValues);
    if (dataset.info.shape.size() != 2 || hdf5::element_bytes(dataset.info.type) == 0) continue;
    if (std::min(dataset.info.shape[0], dataset.info.shape[1]) < kLeastSide) continue;
    refuse(dataset,
           fmt::format("it is one picture {0} or pictures as flat rows; xrai trains on many in one data set: put "
                       "them together as (N, height, width) with a label for each (numpy.stack or reshape)",
                       shape_text(dataset.info)));
  }
  for (const std::string& name : files_.front()->names_in("/")) {
    if (files_.front()->is_link("/" + name) && !files_.front()->has("/" + name)) {
      throw Error(ExitCode::kBadData,
                  fmt::format("{} has no pictures: its link /{} leads nowhere", layout_.files.front().string(), name));
    }
  }
  Candidates all;
  for (const FoundDataset& dataset : found_.front()) all.push_back(&dataset);
  const std::string names = all.empty() ? "nothing" : objects_text(all);
  const std::string& key = options_.images_key;
  throw Error(ExitCode::kBadData, fmt::format("{} has no pictures{}; it holds {}. {}", layout_.files.front().string(),
                                              key.empty() ? "" : " called " + key, names, kWhatXraiReads));
}

// Batches (G, B, height, width), with or without channels, are told from channels and slices by their labels: there is
// one for each of G x B. Three or four of these may as well be channels and columns of labels.
bool Decision::is_in_batches(const FoundDataset& dataset) const {
  const auto& shape = dataset.info.shape;
  if (shape.size() < 4 || shape.size() > 5 || shape[1] <= 1) return false;
  if (!options_.axes.empty() && options_.axes.size() + 1 != shape.size()) return false;
  const Candidates called_so = labels_of(dataset);
  const FoundDataset* labels = called_so.empty() ? nullptr : called_so.front();
  for (const FoundDataset& other : found_[dataset.file]) {
    if (!options_.labels_key.empty() && is_meant(other.object, options_.labels_key)) labels = &other;
  }
  if (labels == nullptr) return false;
  std::vector<std::uint64_t> of_labels = labels->info.shape;
  if (of_labels == std::vector{shape[0], shape[1]}) {
    return !options_.axes.empty() || shape.size() == 5 || (shape[1] != 3 && shape[1] != 4);
  }
  std::erase(of_labels, 1);
  return of_labels.size() == 1 && shape[0] != of_labels[0] && of_labels[0] / shape[1] == shape[0] &&
         of_labels[0] % shape[1] == 0;
}

// train.h5 has test.h5 beside it, and X_train.h5 X_test.h5: files and data sets whose names differ in the split only.
void Decision::open_other_splits() {
  const std::filesystem::path path = layout_.files.front();
  const ObjectName own = parse_object_name(path.stem().string());
  const bool one_split = std::all_of(candidates_.begin(), candidates_.end(),
                                     [&](const FoundDataset* c) { return c->name.split == own.split; });
  if (own.split.empty() || !one_split) return;
  std::set<std::string> splits{own.split};
  const ObjectName pictures = candidates_.front()->name;
  for (const FileBeside& other : files_beside(path, path.extension().string())) {
    if (other.name.split.empty() || other.name.role != own.role || other.name.rest != own.rest) continue;
    if (!splits.insert(other.name.split).second) continue;
    try {
      open(other.path);
    } catch (const Error& error) {
      layout_.warnings.push_back(fmt::format("{} was left out: {}", other.path.filename().string(), error.what()));
      continue;
    }
    const auto alike = [&](const FoundDataset& d) {
      return d.name.role == pictures.role && d.name.rest == pictures.rest;
    };
    if (std::any_of(found_.back().begin(), found_.back().end(), alike)) continue;
    files_.pop_back();
    layout_.files.pop_back();
    found_.pop_back();
  }
  take_candidates();
}

void Decision::read_class_names() {
  if (read_class_attribute(0, "/")) return;
  for (const FoundDataset& dataset : found_.front()) {
    const bool is_list = dataset.info.type == hdf5::Type::kString && dataset.info.shape.size() == 1;
    if (dataset.name.role == Role::kClasses && is_list && dataset.info.shape[0] >= 2) {
      layout_.classes = files_.front()->read_strings(dataset.object);
      return;
    }
  }
}

bool Decision::read_class_attribute(std::size_t file, const std::string& object) {
  for (const char* name : {"classes", "class_names"}) {
    const auto attribute = files_[file]->attribute(object, name);
    if (!attribute) continue;
    const auto* list = std::get_if<std::vector<std::string>>(&*attribute);
    if (list == nullptr) continue;  // of other people, how many there are
    if (list->size() < 2) {
      throw Error(ExitCode::kBadData, fmt::format("attribute '{}' of {} cannot be used: it must list two or more class "
                                                  "names",
                                                  name, layout_.files[file].string()));
    }
    layout_.classes = *list;
    return true;
  }
  return false;
}

// Several data sets may be pictures of one split: the one with the plainest name, or one for each class.
Candidates Decision::choose(const Candidates& candidates) {
  Candidates likely;
  for (const FoundDataset* candidate : candidates) {
    if (candidate->name.role == Role::kPictures) likely.push_back(candidate);
  }
  if (likely.empty()) likely = candidates;
  std::stable_sort(likely.begin(), likely.end(), [](const FoundDataset* a, const FoundDataset* b) {
    return a->name.rest.size() < b->name.rest.size();
  });
  if (likely.size() == 1 || likely[0]->name.rest.size() < likely[1]->name.rest.size()) return {likely[0]};
  if (!has_labels(likely) &&
      std::none_of(likely.begin(), likely.end(), [](const FoundDataset* c) { return class_name(c->object).empty(); })) {
    std::sort(likely.begin(), likely.end(), [](const FoundDataset* a, const FoundDataset* b) {
      return class_name(a->object) < class_name(b->object);
    });
    return likely;
  }
  throw Error(ExitCode::kBadData,
              fmt::format("several data sets of {} may be the pictures: {}; name one with --images-key",
                          layout_.files[likely[0]->file].string(), objects_text(likely)));
}

void Decision::add_part(SplitLayout& split, const FoundDataset& dataset) const {
  if (dataset.info.type == hdf5::Type::kBytes) {
    if (!holds_a_file_a_row(dataset) || (!split.parts.empty() && !split.is_resized())) {
      refuse(dataset, "its values are not a JPEG or PNG file each");
    }
    split.parts.push_back({dataset.file, dataset.object, dataset.info});
    split.n_images += static_cast<std::int64_t>(dataset.info.shape[0]);
    return;
  }
  PixelFormat format;
  hdf5::DatasetInfo info = dataset.info;
  std::uint64_t per_batch = 0;
  if (is_in_batches(dataset)) {
    per_batch = info.shape[1];
    info.shape[1] *= info.shape[0];
    info.shape.erase(info.shape.begin());
  }
  try {
    format = format_of_shape(info, options_.axes);
    format.transposed = options_.axes.empty() && is_of_matlab(dataset);
    if (format.transposed) std::swap(format.height, format.width);
  } catch (const Error& error) {
    refuse(dataset, error.what());
  }
  const std::uint64_t row_bytes = info.row_bytes();
  const bool all_written =
      info.filters.empty() ? info.stored_bytes / row_bytes >= info.shape[0] : info.stored_bytes > 0;
  if (!info.values_elsewhere && !all_written) {
    refuse(dataset, fmt::format("its shape is {}, but only {} bytes were written; was the writing interrupted?",
                                shape_text(info), info.stored_bytes));
  }
  if (!split.parts.empty() &&
      (format.elements() != split.format.elements() || format.width != split.format.width ||
       format.type != split.format.type || format.axes != split.format.axes ||
       format.big_endian != split.format.big_endian || format.transposed != split.format.transposed)) {
    refuse(dataset, fmt::format("its shape is {} of {}, unlike that of {}", shape_text(info),
                                hdf5::type_name(info.type), split.parts.front().object));
  }
  split.format = format;
  split.n_images += static_cast<std::int64_t>(info.shape[0]);
  split.parts.push_back({dataset.file, dataset.object, std::move(info), per_batch});
}

// Of data sets or groups that are a class each.
void Decision::take_class_names(const FoundDataset& first, const std::string& split,
                                const std::vector<std::string>& classes) {
  if (!layout_.splits.empty() && classes != layout_.classes) {
    refuse(first, fmt::format("the classes of {} are {}, those of another split {}", split, text(classes),
                              text(layout_.classes)));
  }
  layout_.classes = classes;
}

void Decision::add_split(const std::string& name, const Candidates& candidates) {
  const Candidates chosen = choose(candidates);
  SplitLayout split;
  split.name = name;
  for (const FoundDataset* part : chosen) add_part(split, *part);
  if (chosen.size() > 1) {
    std::vector<std::string> classes;
    for (const FoundDataset* part : chosen) {
      classes.push_back(class_name(part->object));
      split.of_class.push_back(part->info.shape[0]);
    }
    take_class_names(*chosen[0], name, classes);
  } else {
    split.label_place = find_labels(*chosen[0], split);
    const LabelPlace& labels = split.label_place;
    if (layout_.classes.empty() && !labels.object.empty()) read_class_attribute(labels.file, labels.object);
    if (const FoundDataset* groups = companion(*chosen[0], Role::kGroups)) split.groups_from = groups->object;
    if (const FoundDataset* sources = companion(*chosen[0], Role::kSources)) split.sources_from = sources->object;
  }
  layout_.splits.push_back(std::move(split));
}

Layout decide_layout(const std::filesystem::path& path, const LayoutOptions& options, OpenFiles& files) {
  return Decision(path, options, files).decide();
}

}  // namespace xrai
