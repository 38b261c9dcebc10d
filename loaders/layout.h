// What a file of pictures turned out to hold: which data sets are the pictures of which split, how their values become
// grey levels, where the labels are. Plain data; it is decided once, when the file is opened, and can be printed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "loaders/pixel_conversion.h"
#include "runtime/hdf5/file.h"

namespace xrai {

/// What a person may say where a file does not say it, or says it wrongly. Empty: decided from the file.
struct LayoutOptions {
  std::string images_key{};  // names of data sets, with commas between; the last parts of their paths suffice
  std::string labels_key{};  // a data set or FILE.csv, with :COLUMN (number or name) where there are several columns
  std::string axes{};        // "NHW", "NHWC", "NCHW"
  std::string range{};       // "LOW-HIGH": the values of black and white
  bool allow_links = false;  // follow links to files outside the folder of the data set
};

/// "" when `text` is empty or LOW-HIGH with LOW below HIGH, else what is wrong with it.
std::string range_complaint(const std::string& text);

/// Rows of one data set: pixels, or one JPEG or PNG file each (values of variable length).
struct PicturePart {
  std::size_t file = 0;  // in Layout::files
  std::string object;
  hdf5::DatasetInfo info;
  std::uint64_t per_batch = 0;  // not 0: in the file the first axis of `info` is two, batches of so many pictures
};

/// Where labels are read: an object of an HDF5 file, or a column of a CSV file. Neither: SplitLayout::of_class.
struct LabelPlace {
  std::filesystem::path csv{};
  std::size_t file = 0;
  std::string object{}, column{};
};

struct SplitLayout {
  std::string name;                  // "train", "val" or "test"
  std::vector<PicturePart> parts;    // one after the other; several when every class has a data set of its own
  std::vector<std::string> objects;  // instead: data sets of one picture each, JPEG or PNG files, or ...
  bool are_arrays = false;           // ... arrays (height, width), with or without channels
  PixelFormat format;                // of the parts
  std::string range{};               // how format's low and high were decided: "0 to 1", "standardised, ..."
  bool channels_differ = false;      // colour, or channels scaled one by one
  std::string reading{};             // "outside the HDF5 library, ..." or through it, and why
  LabelPlace label_place;
  std::vector<std::uint64_t> of_class{};  // pictures of each class, when every class has a data set or group of its own
  std::string label_form;                 // "one-hot", "column Pneumonia of 14", or empty for plain class numbers
  std::string groups_from, sources_from;  // data sets of names, in the file of the first part; often empty
  std::int64_t n_images = 0;

  /// Whether each picture has its own size, which becomes that of the split: JPEG or PNG files, or arrays.
  [[nodiscard]] bool is_resized() const {
    return !objects.empty() || (!parts.empty() && parts.front().info.type == hdf5::Type::kBytes);
  }
};

struct Layout {
  std::vector<std::filesystem::path> files;  // the first is the one that was asked for
  std::vector<SplitLayout> splits;           // train, val, test: those that are there
  std::vector<std::string> classes;          // at least two
  std::vector<std::string> warnings;         // what a person should look at
};

/// One line: "train: /X_train (5216, 224, 224, 3) uint8, NHWC, grey stored as RGB; labels /y_train, one-hot, 2
/// classes".
std::string describe(const Layout& layout, const SplitLayout& split);

/// Names of the data sets that hold a picture each, without the groups they are in except that of their class;
/// empty for other layouts.
std::vector<std::string> picture_ids(const SplitLayout& split);

/// The files of a layout, open; they stay where they are, since readers of rows point to them. Several readers may
/// share them.
using OpenFiles = std::vector<std::shared_ptr<const hdf5::File>>;

/// Everything that names, shapes and types say; values are not looked at. `files` gets Layout::files. Throws
/// Error(kBadData) that says what was found and which option helps where it could be several things.
Layout decide_layout(const std::filesystem::path& path, const LayoutOptions& options, OpenFiles& files);

}  // namespace xrai
