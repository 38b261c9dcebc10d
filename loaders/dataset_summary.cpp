#include "loaders/dataset_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::uint64_t kBytesAtATime = 4 << 20;

using Progress = std::function<void(std::int64_t)>;

[[noreturn]] void refuse(const hdf5::File& file, const std::string& why) {
  throw Error(ExitCode::kBadData, fmt::format("{} is not a data set that xrai_dataset wrote: {}; at its top are: {}",
                                              file.path().string(), why, fmt::join(file.names_in("/"), ", ")));
}

/// Sums in whole numbers: exact, and independent of where the blocks are cut.
class PixelSums {
 public:
  void add(const std::uint8_t* picture, std::uint64_t n_pixels) {
    std::uint64_t sum = 0, squares = 0;
    std::uint8_t lowest = 255, highest = 0;
    for (std::uint64_t i = 0; i < n_pixels; ++i) {
      const std::uint64_t value = picture[i];
      sum += value;
      squares += value * value;
      lowest = std::min(lowest, picture[i]);
      highest = std::max(highest, picture[i]);
    }
    sum_ += sum;
    squares_ += squares;
    n_ += n_pixels;
    statistics_.lowest = std::min<int>(statistics_.lowest, lowest);
    statistics_.highest = std::max<int>(statistics_.highest, highest);
    if (lowest == highest) ++statistics_.n_constant_pictures;
  }

  [[nodiscard]] PixelStatistics result() const {
    PixelStatistics result = statistics_;
    if (n_ == 0) return result;
    result.mean = static_cast<double>(sum_) / static_cast<double>(n_);
    const double variance = static_cast<double>(squares_) / static_cast<double>(n_) - result.mean * result.mean;
    result.standard_deviation = std::sqrt(std::max(variance, 0.0));
    return result;
  }

 private:
  std::uint64_t n_ = 0, sum_ = 0, squares_ = 0;
  PixelStatistics statistics_;
};

PixelStatistics pixel_statistics(const hdf5::File& file, const std::string& dataset, const hdf5::DatasetInfo& info,
                                 const Progress& progress) {
  const std::uint64_t n = info.shape[0], picture_pixels = info.shape[1] * info.shape[2];
  const std::uint64_t chunk_rows = info.chunk_shape.empty() ? 1 : info.chunk_shape[0];
  const std::uint64_t chunks =
      std::max<std::uint64_t>(1, kBytesAtATime / std::max<std::uint64_t>(1, chunk_rows * picture_pixels));
  const std::uint64_t block = std::min(n, chunks * chunk_rows);
  std::vector<std::uint8_t> pixels(block * picture_pixels);
  PixelSums sums;
  for (std::uint64_t first = 0; first < n; first += block) {
    const std::uint64_t count = std::min(block, n - first);
    file.read_rows(dataset, first, count, pixels.data());
    for (std::uint64_t i = 0; i < count; ++i) sums.add(pixels.data() + i * picture_pixels, picture_pixels);
    progress(static_cast<std::int64_t>(count));
  }
  return sums.result();
}

std::vector<std::int64_t> count_labels(const hdf5::File& file, const SplitSummary& split, std::size_t n_classes) {
  const auto labels = file.read<std::int64_t>("/" + split.name + "/labels");
  if (static_cast<std::int64_t>(labels.size()) != split.n_pictures)
    refuse(file, fmt::format("{} has {} pictures but {} labels", split.name, split.n_pictures, labels.size()));
  std::vector<std::int64_t> counts(n_classes);
  for (const std::int64_t label : labels) {
    if (label < 0 || label >= static_cast<std::int64_t>(n_classes))
      refuse(file, fmt::format("{} has the label {}, but there are {} classes", split.name, label, n_classes));
    ++counts[static_cast<std::size_t>(label)];
  }
  return counts;
}

std::vector<std::string> class_names(const hdf5::File& file) {
  if (const auto classes = file.attribute("/", "classes"))
    if (const auto* names = std::get_if<std::vector<std::string>>(&*classes); names != nullptr && !names->empty())
      return *names;
  refuse(file, "the attribute \"classes\" with the class names is missing");
}

void warn_of_split(const SplitSummary& split, const DatasetSummary& summary, std::vector<std::string>& warnings) {
  constexpr std::int64_t kFewPictures = 100;
  constexpr double kImbalance = 2.0;
  const auto [fewest, most] = std::minmax_element(split.of_class.begin(), split.of_class.end());
  const auto name = [&](auto place) {
    return summary.classes[static_cast<std::size_t>(place - split.of_class.begin())];
  };
  if (*fewest == 0) {
    warnings.push_back(fmt::format("{} has no picture of class {}", split.name, name(fewest)));
  } else if (split.name == "train" && static_cast<double>(*most) >= kImbalance * static_cast<double>(*fewest)) {
    warnings.push_back(
        fmt::format("train is imbalanced: {:.1f} pictures of {} for each of {}; accuracy alone misleads, and "
                    "a balanced class weight helps",
                    static_cast<double>(*most) / static_cast<double>(*fewest), name(most), name(fewest)));
  }
  if (split.name != "train" && split.n_pictures < kFewPictures)
    warnings.push_back(fmt::format(
        "{} has only {} pictures; any score on it is uncertain by {:.0f} points or more", split.name, split.n_pictures,
        100.0 * 1.96 * std::sqrt(0.09 / static_cast<double>(std::max<std::int64_t>(1, split.n_pictures)))));
  if (split.pixels.n_constant_pictures > 0)
    warnings.push_back(
        fmt::format("{} has {} pictures whose pixels are all the same", split.name, split.pixels.n_constant_pictures));
}

void warn_of_groups(const std::map<std::string, std::set<std::string>>& splits_of_group,
                    std::vector<std::string>& warnings) {
  std::int64_t n = 0;
  const std::string* example = nullptr;
  for (const auto& [group, splits] : splits_of_group) {
    if (splits.size() < 2) continue;
    ++n;
    if (example == nullptr) example = &group;
  }
  if (n > 0)
    warnings.push_back(
        fmt::format("{} groups (for example {}) have pictures in more than one split; if these are the same "
                    "patients, results are too good",
                    n, *example));
}

SplitSummary summarise_split(const hdf5::File& file, const std::string& name) {
  SplitSummary split;
  split.name = name;
  split.images = file.info("/" + name + "/images");
  if (split.images.shape.size() != 3 || split.images.type != hdf5::Type::kUint8)
    refuse(file, fmt::format("/{}/images must be (N, H, W) of uint8", name));
  if (!file.has("/" + name + "/labels")) refuse(file, fmt::format("/{}/labels is missing", name));
  split.n_pictures = static_cast<std::int64_t>(split.images.shape[0]);
  return split;
}

}  // namespace

DatasetSummary summarise_dataset(const std::filesystem::path& path,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const hdf5::File file = hdf5::File::open(path);
  DatasetSummary summary;
  summary.path = path;
  for (const char* name : {"train", "val", "test"})
    if (file.has(fmt::format("/{}/images", name))) summary.splits.push_back(summarise_split(file, name));
  if (summary.splits.empty()) refuse(file, "there is no train/images, val/images or test/images");
  summary.classes = class_names(file);
  for (const char* name : {"xrai_schema", "size", "decoder", "resize", "fit", "creator", "synthetic"})
    if (const auto value = file.attribute("/", name)) summary.attributes[name] = *value;
  if (const auto found = summary.attributes.find("synthetic"); found != summary.attributes.end())
    if (const auto* flag = std::get_if<std::int64_t>(&found->second)) summary.synthetic = *flag != 0;
  std::error_code ignored;
  summary.file_bytes = std::filesystem::file_size(path, ignored);

  std::int64_t total = 0, done = 0;
  for (const SplitSummary& split : summary.splits) total += split.n_pictures;
  std::map<std::string, std::set<std::string>> splits_of_group;
  for (SplitSummary& split : summary.splits) {
    split.of_class = count_labels(file, split, summary.classes.size());
    std::set<std::string> groups;
    if (const std::string place = "/" + split.name + "/group"; file.has(place))
      for (std::string& group : file.read_strings(place)) groups.insert(std::move(group));
    split.n_groups = static_cast<std::int64_t>(groups.size());
    for (const std::string& group : groups) splits_of_group[group].insert(split.name);
    split.pixels = pixel_statistics(file, "/" + split.name + "/images", split.images,
                                    [&](std::int64_t n) { progress(done += n, total); });
    warn_of_split(split, summary, summary.warnings);
  }
  const auto missing = [&](std::string_view name) {
    return std::none_of(summary.splits.begin(), summary.splits.end(),
                        [&](const auto& split) { return split.name == name; });
  };
  if (missing("train")) summary.warnings.push_back("there is no train split: it serves for evaluation only");
  if (missing("val")) summary.warnings.push_back("there is no val split: training will hold one out of train by group");
  if (missing("test"))
    summary.warnings.push_back("there is no test split: nothing is left to judge the final network by");
  warn_of_groups(splits_of_group, summary.warnings);
  if (summary.synthetic) summary.warnings.push_back("the pictures are synthetic drawings without diagnostic meaning");
  return summary;
}

}  // namespace xrai
