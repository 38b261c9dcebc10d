#include "apps/training/training_data.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "apps/report/score_split.h"
#include "loaders/data_fingerprint.h"
#include "loaders/splits.h"
#include "runtime/core/error.h"

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
  const std::vector<std::string> sources = data.reader->sources("train");
  for (std::size_t i = 0; i < labels.size(); ++i)
    strata.push_back(fmt::format("{} {}", labels[i], sources.empty() ? "" : name_family(sources[i])));
  const std::vector<SplitFraction> fractions{{"train", 1.0 - fraction}, {"val", fraction}};
  const std::vector<int> side = grouped_stratified_split(groups, strata, fractions, seed);
  for (std::size_t i = 0; i < side.size(); ++i)
    (side[i] == 0 ? data.train_rows : data.validation_rows).push_back(static_cast<std::int64_t>(i));
  data.validation_split = "train";
  if (data.validation_rows.empty() || data.train_rows.empty())
    throw Error(ExitCode::kBadData,
                fmt::format("{} has no val split and too few patients to set some aside: import more pictures, or with "
                            "--splits train=0.85,val=0.15",
                            data.reader->path().string()));
  data.note = fmt::format(
      "no val split in {}: {} of its {} training pictures are set aside for validation, {} "
      "(--val-fraction {})",
      data.reader->path().string(), data.validation_rows.size(), labels.size(),
      std::set<std::string>(groups.begin(), groups.end()).size() < groups.size()
          ? "by patient"
          : "one by one, since no two pictures are said to be of one patient",
      fraction);
}

void check_classes(const TrainingData& data) {
  const std::vector<std::string>& classes = data.reader->classes();
  for (std::size_t c = 0; c < classes.size(); ++c)
    if (std::count(data.train_labels.begin(), data.train_labels.end(), static_cast<std::int32_t>(c)) == 0)
      throw Error(ExitCode::kBadData,
                  fmt::format("{} has no training picture of class {}: nothing can be learnt about it",
                              data.reader->path().string(), classes[c]));
}

}  // namespace

TrainingData open_training_data(const std::filesystem::path& path, const LayoutOptions& layout, double val_fraction,
                                std::uint64_t seed) {
  TrainingData data;
  data.file = data.reader = open_dataset(path, layout);
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

void shorten_validation(TrainingData& data, std::size_t most) {
  const std::vector<std::int64_t> all = std::move(data.validation_rows);
  const std::size_t n = std::min(all.size(), most);
  data.validation_rows.clear();
  for (std::size_t i = 0; i < n; ++i) data.validation_rows.push_back(all[i * all.size() / n]);
}

void require_unchanged_file(const TrainingData& data) {
  const std::int64_t first = 0;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(data.file->height("train") * data.file->width("train")));
  data.file->read_rows("train", std::span(&first, 1), pixels.data());
}

std::string text_attribute(const DatasetReader& reader, const std::string& name, const std::string& fallback) {
  const auto value = reader.attribute(name);
  const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
  return text != nullptr ? *text : fallback;
}

CheckpointFacts checkpoint_facts(const TrainingData& data, const TrainSettings& settings, const std::string& config) {
  const DatasetReader& reader = *data.reader;
  const std::string decoder = text_attribute(reader, "decoder", "unknown");
  const std::string resize = text_attribute(reader, "resize", "");
  CheckpointFacts facts;
  facts.config_toml = config;
  facts.classes = reader.classes();
  facts.preprocessing = {reader.height("train"), text_attribute(reader, "fit", "squash"),
                         resize.empty() ? decoder : decoder + ", " + resize};
  facts.input = settings.input;
  facts.seed = settings.seed;
  facts.synthetic_data = data_is_synthetic(reader);
  facts.data_fingerprint = data_fingerprint(*data.file);
  return facts;
}

}  // namespace xrai
