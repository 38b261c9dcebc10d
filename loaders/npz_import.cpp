// From a .npz file with MedMNIST's names (train_images, train_labels, val_images, ...) to a data set file.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "loaders/dataset_writer.h"
#include "loaders/import.h"
#include "loaders/npz_file.h"
#include "loaders/object_name.h"
#include "loaders/picture_format.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

struct NpzSplit {
  SplitLayout layout;
  const NpyArray* images = nullptr;
  std::vector<std::uint8_t> labels;  // (n_images)
};

class NpzImporter {
 public:
  NpzImporter(const ImportOptions& options, ImportReport& report)
      : options_(options), report_(report), arrays_(read_npz(options.folder)) {
    for (const std::string name : {"train", "val", "test"}) {
      const NpyArray* const images = find(name, Role::kPictures);
      if (images != nullptr) splits_.emplace(name, read_split(name, *images));
    }
    if (splits_.empty()) {
      std::vector<std::string> names;
      for (const auto& [name, array] : arrays_) names.push_back(name);
      refuse(fmt::format("it has no train_images with train_labels; it holds {}",
                         names.empty() ? "no arrays" : fmt::format("{}", fmt::join(names, ", "))));
    }
    for (int label = 0; label < std::max(n_classes_, 2); ++label) report_.classes.push_back(std::to_string(label));
  }

  void write(const std::filesystem::path& file, const ImportProgress& progress) {
    const PixelFormat& first = splits_.begin()->second.layout.format;
    DatasetWriter writer(file,
                         {.classes = report_.classes,
                          .size = static_cast<int>(first.width),
                          .decoder = "none (NumPy)",
                          .resize = "none",
                          .fit = "squash",
                          .creator = options_.creator},
                         options_.deflate_level);
    std::int64_t total = 0;
    for (const auto& [name, split] : splits_) total += split.layout.n_images;
    for (const auto& [name, split] : splits_)
      write_split(split, writer, [&] { progress(++report_.n_pictures, total); });
    writer.close();
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ExitCode::kBadData, fmt::format("{} cannot be imported: {}", options_.folder.string(), why));
  }

  [[nodiscard]] const NpyArray* find(const std::string& split, Role role) const {
    for (const auto& [name, array] : arrays_) {
      const ObjectName words = parse_object_name(name);
      if (words.role == role && words.split == split && words.rest.empty()) return &array;
    }
    return nullptr;
  }

  NpzSplit read_split(const std::string& name, const NpyArray& images) {
    NpzSplit split;
    split.images = &images;
    split.layout.name = name;
    split.layout.parts.push_back({0, name + "_images", images.info});
    try {
      split.layout.format = format_of_shape(images.info, "");
      split.layout.n_images = static_cast<std::int64_t>(images.info.shape[0]);
      decide_range(
          split.layout, "", splits_.empty() ? nullptr : &splits_.begin()->second.layout,
          [&](std::span<const std::int64_t> rows, std::byte* out) {
            for (const std::int64_t row : rows) out = std::copy_n(picture(images, row), images.info.row_bytes(), out);
          },
          report_.warnings);
    } catch (const Error& error) {
      refuse(fmt::format("{}_images: {}", name, error.what()));
    }
    const PixelFormat& format = split.layout.format;
    const PixelFormat& first = splits_.empty() ? format : splits_.begin()->second.layout.format;
    if (format.height != format.width || format.width != first.width) {
      refuse(fmt::format("{}_images are {} x {} pixels; square pictures of one size are imported", name, format.height,
                         format.width));
    }
    read_labels(split);
    return split;
  }

  void read_labels(NpzSplit& split) {
    const std::string name = split.layout.name + "_labels";
    const NpyArray* const labels = find(split.layout.name, Role::kLabels);
    if (labels == nullptr) refuse(fmt::format("there is no {} for {}_images", name, split.layout.name));
    const auto n = static_cast<std::int64_t>(labels->values.size() / labels->info.element_bytes);
    if (n != split.layout.n_images || labels->info.shape[0] != static_cast<std::uint64_t>(n)) {
      refuse(fmt::format("{} is ({}) for {} pictures; one label a picture is imported", name,
                         fmt::join(labels->info.shape, ", "), split.layout.n_images));
    }
    std::vector<double> numbers(static_cast<std::size_t>(n));
    to_doubles(labels->info.type, labels->info.big_endian, labels->values.data(), n, numbers.data());
    for (const double number : numbers) {
      const bool is_class = number >= 0 && number <= 255 && number == static_cast<double>(static_cast<int>(number));
      if (!is_class) refuse(fmt::format("label {} of {} is not a class number from 0 to 255", number, name));
      split.labels.push_back(static_cast<std::uint8_t>(number));
      n_classes_ = std::max(n_classes_, static_cast<int>(number) + 1);
    }
  }

  [[nodiscard]] static const std::byte* picture(const NpyArray& images, std::int64_t row) {
    return images.values.data() + static_cast<std::uint64_t>(row) * images.info.row_bytes();
  }

  template <class Done>
  void write_split(const NpzSplit& split, DatasetWriter& writer, Done done) {
    const SplitLayout& layout = split.layout;
    std::vector<std::uint8_t> scratch(static_cast<std::size_t>(layout.format.elements()));
    SplitCount& count = report_.splits[layout.name];
    count.of_class.resize(report_.classes.size());
    count.n_groups = count.n_pictures = layout.n_images;  // whose pictures they are is not known
    for (std::int64_t row = 0; row < layout.n_images; ++row) {
      std::vector<std::uint8_t> grey(static_cast<std::size_t>(layout.format.height * layout.format.width));
      if (!to_grey8(layout.format, picture(*split.images, row), scratch.data(), grey.data())) {
        refuse(fmt::format("picture {} of {}_images {}", row, layout.name, kNotNumbers));
      }
      const std::uint8_t label = split.labels[static_cast<std::size_t>(row)];
      const std::string name = fmt::format("{}_images/{}", layout.name, row);
      writer.append(layout.name, {std::move(grey), label, name, name});
      ++count.of_class[label];
      done();
    }
  }

  const ImportOptions& options_;
  ImportReport& report_;
  const std::map<std::string, NpyArray> arrays_;
  std::map<std::string, NpzSplit> splits_;
  int n_classes_ = 0;
};

}  // namespace

ImportReport import_npz(const ImportOptions& options, const ImportProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  check_output(options.output, options.force);
  ImportReport report;
  NpzImporter importer(options, report);
  write_aside_and_rename(options.output, [&](const std::filesystem::path& aside) { importer.write(aside, progress); });
  report.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace xrai
