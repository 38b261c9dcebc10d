// A layout in words.
#include "loaders/layout.h"

#include <fmt/format.h>

#include "loaders/file_survey.h"

namespace xrai {
namespace {

constexpr std::size_t kFew = 4;

std::string some(const std::vector<std::string>& names) {
  if (names.size() <= kFew) return fmt::format("{}", fmt::join(names, ", "));
  const std::vector<std::string> first(names.begin(), names.begin() + kFew);
  return fmt::format("{} and {} more", fmt::join(first, ", "), names.size() - kFew);
}

std::string prefixed(const std::string& range) {
  return range.empty() ? "" : ", " + range;
}

/// Objects of the file that was asked for go without its name.
std::string place(const Layout& layout, std::size_t file, const std::string& object) {
  return file == 0 ? object : fmt::format("{} of {}", object, layout.files[file].filename().string());
}

std::string singles_text(const std::string& where, const SplitLayout& split) {
  std::string values = "decoded and";
  if (split.are_arrays) values = fmt::format("{}{},", hdf5::type_name(split.format.type), prefixed(split.range));
  return fmt::format("{} {} in {}, {} scaled to {} x {}", split.n_images,
                     split.are_arrays ? "arrays" : "JPEG or PNG files", where, values, split.format.height,
                     split.format.width);
}

std::string pictures_text(const Layout& layout, const SplitLayout& split) {
  if (!split.objects.empty())
    return singles_text(fmt::format("data sets of their own ({})", some(split.objects)), split);
  std::vector<std::string> parts;
  for (const PicturePart& part : split.parts) {
    parts.push_back(place(layout, part.file, part.object) + " " + shape_text(part.info));
    if (part.per_batch > 0) parts.back() += fmt::format(" in batches of {}", part.per_batch);
  }
  if (split.is_resized()) return singles_text(some(parts), split);
  const PixelFormat& format = split.format;
  std::string text =
      fmt::format("{} {}{}", some(parts), format.big_endian ? "big-endian " : "",
                  format.type == hdf5::Type::kInt8 ? "int8 read as uint8" : hdf5::type_name(format.type));
  text += prefixed(split.range);
  if (split.parts.front().info.shape.size() == 4) text += format.axes == Axes::kNCHW ? ", NCHW" : ", NHWC";
  if (format.transposed) text += ", turned as MATLAB stores them";
  if (format.channels > 1) text += split.channels_differ ? ", channels turned to grey" : ", grey stored as RGB";
  return text;
}

std::string labels_text(const Layout& layout, const SplitLayout& split) {
  const LabelPlace& place_of = split.label_place;
  if (!place_of.csv.empty()) return "labels " + place_of.csv.filename().string();
  if (!place_of.object.empty()) return "labels " + place(layout, place_of.file, place_of.object);
  return split.objects.empty() ? "a data set for each class" : "a group for each class";
}

}  // namespace

std::vector<std::string> picture_ids(const SplitLayout& split) {
  std::vector<std::string> ids;
  for (const std::filesystem::path object : split.objects) {
    const std::filesystem::path name = object.filename();
    ids.push_back((split.of_class.empty() ? name : object.parent_path().filename() / name).string());
  }
  return ids;
}

std::string describe(const Layout& layout, const SplitLayout& split) {
  return fmt::format("{}: {}; {}{}{}, {} classes ({}){}{}", split.name, pictures_text(layout, split),
                     labels_text(layout, split), split.label_form.empty() ? "" : ", ", split.label_form,
                     layout.classes.size(), some(layout.classes), split.reading.empty() ? "" : "; read ",
                     split.reading);
}

}  // namespace xrai
