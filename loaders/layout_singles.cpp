// Pictures that are a data set each: JPEG or PNG files, or arrays.
#include <algorithm>
#include <map>
#include <set>

#include "loaders/array_picture.h"
#include "loaders/image_decoder.h"
#include "loaders/layout_decision.h"
#include "loaders/picture_format.h"

namespace xrai {
namespace {

/// Whether a data set may be one JPEG or PNG file: its shape and type, not its bytes.
bool may_be_a_file(const FoundDataset& dataset) {
  const auto& shape = dataset.info.shape;
  if (dataset.info.any_length) return false;  // a file would end at its first zero
  if (shape.size() > 1 || dataset.info.element_bytes * (shape.empty() ? 1 : shape[0]) < 4) return false;
  return dataset.info.type == hdf5::Type::kOpaque || dataset.info.type == hdf5::Type::kString ||
         dataset.info.type == hdf5::Type::kUint8 || dataset.info.type == hdf5::Type::kInt8;
}

std::string group_of(const FoundDataset& dataset) {
  return std::filesystem::path(dataset.object).parent_path().string();
}

/// Whether a data set may be a picture as an array. Its name has to be one of many: "X" may as well be pictures as flat
/// rows, and a table of labels has the shape of a picture, too.
bool may_be_an_array(const FoundDataset& dataset) {
  const ObjectName own = parse_object_name(std::filesystem::path(dataset.object).filename().string());
  return may_be_array_picture(dataset.info) && own.split.empty() && !own.rest.empty();
}

}  // namespace

bool Decision::may_be_single_pictures() const {
  if (candidates_.empty()) return true;
  return options_.images_key.empty() && options_.axes.empty() &&
         std::all_of(candidates_.begin(), candidates_.end(),
                     [](const auto* c) { return c->info.shape.size() == 3 && may_be_an_array(*c); });
}

Decision::Singles Decision::find_files() const {
  Singles of_split;
  std::set<std::string> groups;
  for (const FoundDataset& dataset : found_.front()) {
    const std::string group = group_of(dataset);
    if (groups.contains(group) || !may_be_a_file(dataset)) continue;
    if (sniff_format(files_.front()->read_bytes(dataset.object)) == PictureFormat::kOther) continue;
    groups.insert(group);
    of_split[split_of(dataset)].push_back(&dataset);
  }
  return of_split;
}

Decision::Singles Decision::find_arrays() const {
  std::map<std::string, Candidates> of_group;
  for (const FoundDataset& dataset : found_.front()) {
    if (may_be_an_array(dataset)) of_group[group_of(dataset)].push_back(&dataset);
  }
  Singles of_split;
  for (const auto& [group, arrays] : of_group) {
    if (arrays.size() > 1) of_split[split_of(*arrays.front())].push_back(arrays.front());
  }
  return of_split;
}

std::string Decision::split_of(const FoundDataset& single) const {
  const std::string split = parse_object_name(group_of(single)).split;
  return split.empty() ? parse_object_name(layout_.files.front().stem().string()).split : split;
}

// One picture a data set, named after it: all of a split in one group, or a group for each class.
bool Decision::take_single_pictures() {
  Singles of_split = find_files();
  const bool are_arrays = of_split.empty();
  if (are_arrays && options_.images_key.empty()) of_split = find_arrays();
  if (of_split.size() > 1) of_split.erase("");
  for (const std::string_view name : kSplits) {
    const auto found = of_split.find(std::string(name));
    if (found == of_split.end()) continue;
    add_or_leave_out(name, [&] { add_singles(std::string(name), found->second, are_arrays); });
  }
  if (of_split.contains("")) add_singles("train", of_split.at(""), are_arrays);
  return !layout_.splits.empty();
}

void Decision::add_singles(const std::string& name, Candidates firsts, bool are_arrays) {
  SplitLayout split;
  split.name = name;
  split.are_arrays = are_arrays;
  if (are_arrays) {
    split.format.type = firsts.front()->info.type;
    split.format.transposed = is_of_matlab(*firsts.front());
  }
  std::vector<std::string> classes;
  const auto class_of = [](const FoundDataset* first) { return class_name(group_of(*first)); };
  if (firsts.size() > 1) {
    std::sort(firsts.begin(), firsts.end(), [&](const auto* a, const auto* b) { return class_of(a) < class_of(b); });
    std::transform(firsts.begin(), firsts.end(), std::back_inserter(classes), class_of);
    const std::set<std::string> distinct(classes.begin(), classes.end());
    if (distinct.size() < classes.size() || distinct.contains("")) {
      std::vector<std::string> groups;
      std::transform(firsts.begin(), firsts.end(), std::back_inserter(groups), [](auto* f) { return group_of(*f); });
      throw Error(ExitCode::kBadData,
                  fmt::format("several groups of {} hold pictures ({}), and their names are not those of classes; put "
                              "them into one with a label for each, or into one group for each class",
                              layout_.files.front().string(), fmt::join(groups, ", ")));
    }
    take_class_names(*firsts.front(), name, classes);
  }
  for (const FoundDataset* first : firsts) {
    const std::size_t before = split.objects.size();
    add_objects_of(split, group_of(*first));
    if (firsts.size() > 1) split.of_class.push_back(split.objects.size() - before);
  }
  split.n_images = static_cast<std::int64_t>(split.objects.size());
  if (firsts.size() == 1) {
    try {
      split.label_place = find_labels(*firsts.front(), split);
    } catch (const NoLabels&) {
      if (are_arrays && split.n_images <= 2) return;  // rather two data sets of pictures as flat rows
      throw;
    }
  }
  layout_.splits.push_back(std::move(split));
}

void Decision::add_objects_of(SplitLayout& split, const std::string& group) const {
  std::vector<std::string> names = files_.front()->names_in(group);
  std::sort(names.begin(), names.end(), is_before_by_number);  // as labels in an array count them
  std::set<std::string> others;                                // such as labels in the same group
  for (const FoundDataset& dataset : found_.front()) {
    if (!(split.are_arrays ? may_be_an_array(dataset) : may_be_a_file(dataset))) others.insert(dataset.object);
  }
  for (const std::string& name : names) {
    const std::string object = (group == "/" ? "/" : group + "/") + name;
    if (!others.contains(object)) split.objects.push_back(object);
  }
}

}  // namespace xrai
