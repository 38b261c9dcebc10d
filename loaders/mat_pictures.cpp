#include "loaders/mat_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "loaders/array_picture.h"
#include "loaders/file_survey.h"
#include "loaders/label_values.h"
#include "loaders/picture_format.h"
#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;

bool is_mat_file(const fs::path& path) {
  return lower_case(path.extension().string()) == ".mat";
}

/// In name order, numbers as what they are.
std::vector<fs::path> mat_files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::error_code ignored;
    if (is_mat_file(entry->path()) && entry->is_regular_file(ignored)) files.push_back(entry->path());
  }
  if (failure)
    throw Error(ExitCode::kBadData,
                fmt::format("cannot look into the folder {}: {}", folder.string(), failure.message()));
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return is_before_by_number(a.native(), b.native()); });
  return files;
}

std::uint64_t n_values(const hdf5::DatasetInfo& info) {
  std::uint64_t n = 1;
  for (const std::uint64_t axis : info.shape) n *= axis;
  return n;
}

/// A picture and what stands beside it in the same struct.
struct MatPicture {
  const FoundDataset* image = nullptr;
  const FoundDataset* label = nullptr;
  const FoundDataset* patient = nullptr;
};

MatPicture find_picture(const std::vector<FoundDataset>& found) {
  const auto folder_of = [](const FoundDataset& dataset) { return fs::path(dataset.object).parent_path(); };
  MatPicture picture;
  for (const FoundDataset& dataset : found) {
    if (dataset.name.role != Role::kPictures || !may_be_array_picture(dataset.info)) continue;
    if (picture.image != nullptr) throw Error(ExitCode::kBadData, "several arrays of it may be the picture");
    picture.image = &dataset;
  }
  if (picture.image == nullptr) throw Error(ExitCode::kBadData, "it has no array called image of two axes");
  for (const FoundDataset& dataset : found) {
    if (folder_of(dataset) != folder_of(*picture.image)) continue;
    if (dataset.name.role == Role::kLabels && n_values(dataset.info) == 1) picture.label = &dataset;
    if (dataset.name.role == Role::kGroups) picture.patient = &dataset;
  }
  if (picture.label == nullptr) throw Error(ExitCode::kBadData, "it has no label beside the picture");
  return picture;
}

/// MATLAB's text, which is numbers of 16 bits, or a number.
std::string text_of(const hdf5::File& file, const FoundDataset& dataset) {
  constexpr std::uint64_t kLongest = 256;
  if (dataset.info.type == hdf5::Type::kString && n_values(dataset.info) == 1)
    return file.read_strings(dataset.object)[0];
  if (hdf5::element_bytes(dataset.info.type) == 0 || n_values(dataset.info) > kLongest) return "";
  const auto values = file.read<double>(dataset.object);
  const auto of_what = file.attribute(dataset.object, "MATLAB_class");
  const auto* const name = of_what ? std::get_if<std::string>(&*of_what) : nullptr;
  if (name == nullptr || *name != "char") return values.size() == 1 ? fmt::format("{}", values[0]) : "";
  std::string text;
  for (const double code : values) text += code >= 0x20 && code < 0x7F ? static_cast<char>(code) : '?';
  return text;
}

/// 0 to 255 of the labels that occur, in order.
void assign_labels(FolderScan& scan, const std::vector<std::int64_t>& numbers) {
  constexpr std::size_t kMostClasses = 256;
  std::map<std::int64_t, std::uint8_t> classes;
  for (const std::int64_t number : numbers) classes.emplace(number, 0);
  if (classes.size() < 2 || classes.size() > kMostClasses) {
    throw Error(ExitCode::kBadData,
                fmt::format("the .mat files in {} have {} different labels; 2 to {} make classes{}", scan.root.string(),
                            classes.size(), kMostClasses,
                            scan.skipped.empty() ? ""
                                                 : fmt::format("; the first that was left out, {}: {}",
                                                               scan.skipped[0].path, scan.skipped[0].reason)));
  }
  for (auto& [number, label] : classes) {
    label = static_cast<std::uint8_t>(scan.classes.size());
    scan.classes.push_back(fmt::format("{}", number));
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) scan.pictures[i].label = classes.at(numbers[i]);
}

ArrayPicture read_picture(const fs::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  const std::vector<FoundDataset> found = survey(file, 0);
  return read_array_picture(file, find_picture(found).image->object, true);
}

}  // namespace

bool is_folder_of_mat_files(const fs::path& folder) {
  bool found = false;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string extension = lower_case(entry->path().extension().string());
    if (extension == ".jpg" || extension == ".jpeg" || extension == ".png") return false;
    found |= extension == ".mat";
  }
  return found;
}

FolderScan scan_mat_files(const fs::path& folder) {
  FolderScan scan;
  scan.root = folder;
  std::vector<std::int64_t> numbers;
  for (const fs::path& path : mat_files_in(folder)) {
    if (interrupt_requested() != 0) throw Error(ExitCode::kInterrupted, "interrupted; nothing was written");
    const std::string relative = path.lexically_relative(folder).generic_string();
    try {
      const hdf5::File file = hdf5::File::open(path);
      const std::vector<FoundDataset> found = survey(file, 0);
      const MatPicture picture = find_picture(found);
      const LabelColumn label = read_labels(file, picture.label->object, "", {}, 1);
      if (label.numbers.empty()) throw Error(ExitCode::kBadData, "its label is no number");
      numbers.push_back(label.numbers[0]);
      const std::string patient = picture.patient == nullptr ? "" : text_of(file, *picture.patient);
      scan.pictures.push_back({.path = relative, .group = patient});
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) throw;
      scan.skipped.push_back({relative, error.what()});
    }
  }
  assign_labels(scan, numbers);
  return scan;
}

PixelFormat format_of_mat_pictures(const FolderScan& scan) {
  constexpr std::size_t kLooks = 32;
  SplitLayout layout;
  ValueSample sample;
  const std::size_t n = scan.pictures.size(), looks = std::min(n, kLooks);
  for (std::size_t look = 0; look < looks; ++look) {
    const std::string& name = scan.pictures[look * (n - 1) / std::max<std::size_t>(looks - 1, 1)].path;
    try {
      const ArrayPicture picture = read_picture(scan.root / name);
      if (layout.objects.empty()) {
        layout.objects.push_back(name);
        layout.format = picture.format;
      }
      if (picture.format.type == layout.format.type) look_at(picture.format, picture.values.data(), sample);
    } catch (const Error&) {  // listed as unreadable when its turn comes
    }
  }
  if (layout.objects.empty())
    throw Error(ExitCode::kBadData,
                fmt::format("none of the {} .mat files looked at in {} can be read", looks, scan.root.string()));
  std::vector<std::string> ignored;
  try {
    decide_range(layout, "", nullptr, sample, ignored);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("the pictures in {} cannot be used: {}", scan.root.string(), error.what()));
  }
  return layout.format;
}

DecodedPicture load_mat_picture(const fs::path& path, const DecodeTarget& target, const PixelFormat& like) {
  return square_picture(read_picture(path), target, like);
}

}  // namespace xrai
