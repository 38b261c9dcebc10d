#include "apps/training/training_data.h"

#include <algorithm>
#include <numeric>

#include "loaders/splits.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

// Patient of every training picture: what the file says, else what the file names say, else each picture by itself.
std::vector<std::string> patients(const DatasetReader& reader) {
  std::vector<std::string> groups = reader.groups("train");
  if (!groups.empty()) return groups;
  const std::vector<std::string> sources = reader.sources("train");
  const GroupRule rule;
  for (std::int64_t i = 0; i < reader.n_images("train"); ++i)
    groups.push_back(sources.empty() ? std::to_string(i) : rule.group_of(sources[static_cast<std::size_t>(i)]));
  return groups;
}

void set_validation_aside(TrainingData& data, double fraction, std::uint64_t seed) {
  const std::vector<std::string> groups = patients(*data.reader);
  const std::vector<std::int32_t>& labels = data.reader->labels("train");
  std::vector<std::string> strata;
  for (const std::int32_t label : labels) strata.push_back(std::to_string(label));
  const std::vector<SplitFraction> fractions{{"train", 1.0 - fraction}, {"val", fraction}};
  const std::vector<int> side = grouped_stratified_split(groups, strata, fractions, seed);
  for (std::size_t i = 0; i < side.size(); ++i)
    (side[i] == 0 ? data.train_rows : data.validation_rows).push_back(static_cast<std::int64_t>(i));
  data.validation_split = "train";
  log::info(fmt::format("no val split in {}: {} of its {} training pictures were set aside for validation, by patient "
                        "(--val-fraction {})",
                        data.reader->path().string(), data.validation_rows.size(), labels.size(), fraction));
}

void check_classes(const TrainingData& data) {
  const std::vector<std::string>& classes = data.reader->classes();
  for (std::size_t c = 0; c < classes.size(); ++c)
    if (std::count(data.train_labels.begin(), data.train_labels.end(), static_cast<std::int32_t>(c)) == 0)
      throw Error(ExitCode::kBadData, fmt::format("{} has no training picture of class {}: nothing can be learnt about it",
                                                  data.reader->path().string(), classes[c]));
}

}  // namespace

TrainingData open_training_data(const std::filesystem::path& path, double val_fraction, std::uint64_t seed) {
  TrainingData data;
  data.reader = open_dataset(path);
  const std::vector<std::string> splits = data.reader->splits();
  const auto has = [&](const char* name) { return std::find(splits.begin(), splits.end(), name) != splits.end(); };
  if (!has("train"))
    throw Error(ExitCode::kBadData, fmt::format("{} has no train split (it has {}): import it with --splits "
                                                "train=0.85,val=0.15",
                                                path.string(), fmt::join(splits, ", ")));
  if (has("val")) {
    data.validation_split = "val";
    data.train_rows.resize(static_cast<std::size_t>(data.reader->n_images("train")));
    data.validation_rows.resize(static_cast<std::size_t>(data.reader->n_images("val")));
    std::iota(data.train_rows.begin(), data.train_rows.end(), std::int64_t{0});
    std::iota(data.validation_rows.begin(), data.validation_rows.end(), std::int64_t{0});
  } else {
    set_validation_aside(data, val_fraction, seed);
  }
  const std::vector<std::int32_t>& labels = data.reader->labels("train");
  for (const std::int64_t row : data.train_rows) data.train_labels.push_back(labels[static_cast<std::size_t>(row)]);
  check_classes(data);
  return data;
}

bool is_synthetic(const DatasetReader& reader) {
  const auto value = reader.attribute("synthetic");
  const auto* flag = value ? std::get_if<std::int64_t>(&*value) : nullptr;
  return flag != nullptr && *flag != 0;
}

std::string text_attribute(const DatasetReader& reader, const std::string& name, const std::string& fallback) {
  const auto value = reader.attribute(name);
  const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
  return text != nullptr ? *text : fallback;
}

}  // namespace xrai
