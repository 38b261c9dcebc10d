// From a .npz file with MedMNIST's names (train_images, train_labels, val_images, ...) to a data set file.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>

#include "loaders/dataset_writer.h"
#include "loaders/import.h"
#include "loaders/npz_file.h"
#include "loaders/object_name.h"
#include "loaders/picture_format.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

struct NpzSplit {
  SplitLayout layout;
  NpyArray images;
  std::vector<std::uint8_t> labels;  // (n_images)
};

class NpzImporter {
 public:
  NpzImporter(const ImportOptions& options, ImportReport& report)
      : options_(options), report_(report), arrays_(options.folder), names_(arrays_.names()) {
    for (const std::string name : {"train", "val", "test"}) {
      if (auto images = find(name, Role::kPictures)) splits_.emplace(name, read_split(name, std::move(*images)));
    }
    if (splits_.empty()) {
      throw Error(ExitCode::kBadData,
                  fmt::format("it has no train_images with train_labels; it holds {}",
                              names_.empty() ? "no arrays" : fmt::format("{}", fmt::join(names_, ", "))));
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
    for (auto& [name, split] : splits_) write_split(split, writer, [&] { progress(++report_.n_pictures, total); });
    writer.close();
  }

 private:
  [[nodiscard]] std::optional<NpyArray> find(const std::string& split, Role role) const {
    for (const std::string& name : names_) {
      const ObjectName words = parse_object_name(name);
      if (words.role == role && words.split == split && words.rest.empty()) return arrays_.open(name);
    }
    return std::nullopt;
  }

  NpzSplit read_split(const std::string& name, NpyArray images) {
    NpzSplit split{{}, std::move(images), {}};
    const hdf5::DatasetInfo& info = split.images.info();
    const NpzSplit* const first = splits_.empty() ? nullptr : &splits_.begin()->second;
    split.layout.name = name;
    split.layout.parts.push_back({0, name + "_images", info});
    try {
      split.layout.format = format_of_shape(info, "");
      split.layout.n_images = static_cast<std::int64_t>(info.shape[0]);
      decide_range(
          split.layout, "", first == nullptr ? nullptr : &first->layout,
          [&](std::span<const std::int64_t> rows, std::byte* out) {
            for (const std::int64_t row : rows) {
              split.images.read_rows(static_cast<std::uint64_t>(row), 1, out);
              out += info.row_bytes();
            }
          },
          report_.warnings);
    } catch (const Error& error) {
      throw Error(ExitCode::kBadData, fmt::format("{}_images: {}", name, error.what()));
    }
    const PixelFormat& format = split.layout.format;
    if (format.height != format.width || (first != nullptr && format.width != first->layout.format.width)) {
      throw Error(ExitCode::kBadData,
                  fmt::format("{}_images are {} x {} pixels; square pictures of one size are imported", name,
                              format.height, format.width));
    }
    read_labels(split);
    return split;
  }

  void read_labels(NpzSplit& split) {
    constexpr std::uint64_t kLabelsAtATime = 4096, kMostClasses = 256;
    const std::string name = split.layout.name + "_labels";
    std::optional<NpyArray> labels = find(split.layout.name, Role::kLabels);
    if (!labels) throw Error(ExitCode::kBadData, fmt::format("there is no {} for {}_images", name, split.layout.name));
    const hdf5::DatasetInfo& info = labels->info();
    const auto n = static_cast<std::uint64_t>(split.layout.n_images);
    const std::uint64_t columns = info.row_bytes() / info.element_bytes;
    if (info.shape[0] != n || columns == 0 || columns > kMostClasses) {
      throw Error(ExitCode::kBadData,
                  fmt::format("{} is ({}) for {} pictures; a label a picture is imported, or a column "
                              "for each class",
                              name, fmt::join(info.shape, ", "), n));
    }
    std::vector<std::byte> stored;
    std::vector<double> numbers;
    for (std::uint64_t done = 0, count = 0; done < n; done += count) {
      stop_if_interrupted();
      count = std::min(kLabelsAtATime, n - done);
      numbers.resize(count * columns);
      stored.resize(numbers.size() * info.element_bytes);
      labels->read_rows(done, count, stored.data());
      to_doubles(info.type, info.big_endian, stored.data(), static_cast<std::int64_t>(numbers.size()), numbers.data());
      for (std::uint64_t row = 0; row < count; ++row) {
        const std::span<const double> values(numbers.data() + row * columns, columns);
        split.labels.push_back(class_number(columns == 1 ? values[0] : place_of_one(values, done + row, name), name));
      }
    }
    if (columns > 1) n_classes_ = std::max(n_classes_, static_cast<int>(columns));
  }

  /// Of a row of zeros and a one.
  static double place_of_one(std::span<const double> values, std::uint64_t row, const std::string& name) {
    const auto one = std::find(values.begin(), values.end(), 1.0);
    if (one == values.end() || std::count(values.begin(), values.end(), 0.0) + 1 != std::ssize(values)) {
      throw Error(ExitCode::kBadData,
                  fmt::format("{} has {} columns, but row {} is not zeros and a single one; a label a "
                              "picture is imported, or a column for each class",
                              name, values.size(), row));
    }
    return static_cast<double>(one - values.begin());
  }

  static void stop_if_interrupted() {
    if (interrupt_requested() != 0) throw Error(ExitCode::kInterrupted, "interrupted; nothing was written");
  }

  std::uint8_t class_number(double number, const std::string& name) {
    if (!(number >= 0 && number <= 255 && number == std::floor(number))) {
      throw Error(ExitCode::kBadData, fmt::format("label {} of {} is not a class number from 0 to 255", number, name));
    }
    n_classes_ = std::max(n_classes_, static_cast<int>(number) + 1);
    return static_cast<std::uint8_t>(number);
  }

  template <class Done>
  void write_split(NpzSplit& split, DatasetWriter& writer, Done done) {
    const SplitLayout& layout = split.layout;
    std::vector<std::byte> stored(split.images.info().row_bytes());
    std::vector<std::uint8_t> scratch(static_cast<std::size_t>(layout.format.elements()));
    SplitCount& count = report_.splits[layout.name];
    count.of_class.resize(report_.classes.size());
    count.n_groups = count.n_pictures = layout.n_images;  // whose pictures they are is not known
    for (std::int64_t row = 0; row < layout.n_images; ++row) {
      stop_if_interrupted();
      split.images.read_rows(static_cast<std::uint64_t>(row), 1, stored.data());
      std::vector<std::uint8_t> grey(static_cast<std::size_t>(layout.format.height * layout.format.width));
      if (!to_grey8(layout.format, stored.data(), scratch.data(), grey.data())) {
        throw Error(ExitCode::kBadData, fmt::format("picture {} of {}_images {}", row, layout.name, kNotNumbers));
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
  const NpzFile arrays_;
  const std::vector<std::string> names_;
  std::map<std::string, NpzSplit> splits_;
  int n_classes_ = 0;
};

}  // namespace

ImportReport import_npz(const ImportOptions& options, const ImportProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  check_output(options.output, options.force);
  ImportReport report;
  try {
    NpzImporter importer(options, report);
    write_aside_and_rename(options.output,
                           [&](const std::filesystem::path& aside) { importer.write(aside, progress); });
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) throw;
    throw Error(ExitCode::kBadData, fmt::format("{} cannot be imported: {}", options.folder.string(), error.what()));
  }
  report.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace xrai
