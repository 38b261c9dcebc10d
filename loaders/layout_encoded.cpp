// Pictures that are JPEG or PNG files, each a data set of its own.
#include <algorithm>
#include <map>
#include <set>

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

}  // namespace

// One JPEG or PNG file a data set, named after the picture: all of a split in one group, or a group for each class.
bool Decision::take_encoded_pictures() {
  const std::string of_file = parse_object_name(layout_.files.front().stem().string()).split;
  std::map<std::string, Candidates> of_split;  // the first picture of each group
  std::set<std::string> groups;
  for (const FoundDataset& dataset : found_.front()) {
    const std::string group = group_of(dataset);
    if (groups.contains(group) || !may_be_a_file(dataset)) continue;
    if (sniff_format(files_.front()->read_bytes(dataset.object)) == PictureFormat::kOther) continue;
    groups.insert(group);
    const std::string split = parse_object_name(group).split;
    of_split[split.empty() ? of_file : split].push_back(&dataset);
  }
  if (of_split.size() > 1) of_split.erase("");
  for (const std::string_view name : kSplits) {
    const auto found = of_split.find(std::string(name));
    if (found != of_split.end()) add_or_leave_out(name, [&] { add_encoded_split(std::string(name), found->second); });
  }
  if (of_split.contains("")) add_encoded_split("train", of_split.at(""));
  return !of_split.empty();
}

void Decision::add_encoded_split(const std::string& name, Candidates firsts) {
  SplitLayout split;
  split.name = name;
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
    const std::size_t before = split.encoded.size();
    add_encoded_pictures(split, group_of(*first));
    if (firsts.size() > 1) split.of_class.push_back(split.encoded.size() - before);
  }
  split.n_images = static_cast<std::int64_t>(split.encoded.size());
  if (firsts.size() == 1) split.label_place = find_labels(*firsts.front(), split);
  layout_.splits.push_back(std::move(split));
}

void Decision::add_encoded_pictures(SplitLayout& split, const std::string& group) const {
  std::vector<std::string> names = files_.front()->names_in(group);
  std::sort(names.begin(), names.end(), is_before_by_number);  // as labels in an array count them
  std::set<std::string> others;                                // such as labels in the same group
  for (const FoundDataset& dataset : found_.front()) {
    if (!may_be_a_file(dataset)) others.insert(dataset.object);
  }
  for (const std::string& name : names) {
    const std::string object = (group == "/" ? "/" : group + "/") + name;
    if (!others.contains(object)) split.encoded.push_back(object);
  }
}

}  // namespace xrai
