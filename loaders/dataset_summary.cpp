#include "loaders/dataset_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace xrai {
namespace {

constexpr std::int64_t kBytesAtATime = 4 << 20;

using Progress = std::function<void(std::int64_t)>;

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

PixelStatistics pixel_statistics(DatasetReader& data, const std::string& split, const Progress& progress) {
  const std::int64_t n = data.n_images(split), picture_pixels = data.height(split) * data.width(split);
  const std::int64_t chunk_rows = data.rows_per_chunk(split);
  // Whole chunks, unless one is too large: it stays in the reader while its parts are looked at.
  const std::int64_t most = std::max<std::int64_t>(1, kBytesAtATime / picture_pixels);
  const std::int64_t block = std::min(n, most >= chunk_rows ? most / chunk_rows * chunk_rows : most);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(block * picture_pixels));
  std::vector<std::int64_t> rows;
  PixelSums sums;
  for (std::int64_t first = 0; first < n; first += block) {
    rows.resize(static_cast<std::size_t>(std::min(block, n - first)));
    std::iota(rows.begin(), rows.end(), first);
    data.read_rows(split, rows, pixels.data());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      sums.add(pixels.data() + static_cast<std::int64_t>(i) * picture_pixels,
               static_cast<std::uint64_t>(picture_pixels));
    }
    progress(static_cast<std::int64_t>(rows.size()));
  }
  return sums.result();
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
        fmt::format("train is imbalanced: {:.1f} pictures of {} for each of {}; accuracy alone misleads; "
                    "xrai_gpu_train allows for it (--class-weight)",
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

SplitSummary summarise_split(DatasetReader& data, const SplitLayout& layout, const Progress& progress) {
  SplitSummary split;
  split.name = layout.name;
  split.layout = describe(data.layout(), layout);
  split.height = data.height(split.name);
  split.width = data.width(split.name);
  if (!layout.parts.empty()) split.images = layout.parts.front().info;
  for (const PicturePart& part : layout.parts) split.stored_bytes += part.info.stored_bytes;
  split.n_pictures = data.n_images(split.name);
  split.of_class.resize(data.classes().size());
  for (const std::int32_t label : data.labels(split.name)) ++split.of_class[static_cast<std::size_t>(label)];
  split.pixels = pixel_statistics(data, split.name, progress);
  return split;
}

}  // namespace

DatasetSummary summarise_dataset(DatasetReader& data, const std::function<void(std::int64_t, std::int64_t)>& progress) {
  DatasetSummary summary;
  summary.path = data.path();
  summary.classes = data.classes();
  summary.warnings = data.layout().warnings;
  for (const char* name : {"xrai_schema", "size", "decoder", "resize", "fit", "creator", "synthetic"})
    if (const auto value = data.attribute(name)) summary.attributes[name] = *value;
  if (const auto found = summary.attributes.find("synthetic"); found != summary.attributes.end())
    if (const auto* flag = std::get_if<std::int64_t>(&found->second)) summary.synthetic = *flag != 0;
  std::error_code ignored;
  summary.file_bytes = std::filesystem::file_size(data.path(), ignored);

  std::int64_t total = 0, done = 0;
  for (const std::string& name : data.splits()) total += data.n_images(name);
  std::map<std::string, std::set<std::string>> splits_of_group;
  for (const SplitLayout& layout : data.layout().splits) {
    summary.splits.push_back(summarise_split(data, layout, [&](std::int64_t n) { progress(done += n, total); }));
    SplitSummary& split = summary.splits.back();
    const std::vector<std::string> names = data.groups(split.name);
    const std::set<std::string> groups(names.begin(), names.end());
    split.n_groups = static_cast<std::int64_t>(groups.size());
    for (const std::string& group : groups) splits_of_group[group].insert(split.name);
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
