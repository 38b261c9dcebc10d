#include "apps/explain/picture_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "loaders/reader.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

GreyImage picture_of_file(const std::filesystem::path& file, const DecodeTarget& target) {
  try {
    return load_square_picture(file, target).image;
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("cannot read the picture {}: {}", file.string(), error.what()));
  }
}

GreyImage picture_of_row(const PictureChoice& choice, const DecodeTarget& target) {
  const auto data = open_dataset(choice.file);
  const std::vector<std::string> splits = data->splits();
  const std::string split = choice.split.empty() ? splits.front() : choice.split;
  if (std::find(splits.begin(), splits.end(), split) == splits.end())
    throw Error(ExitCode::kUsage,
                fmt::format("{} has no split {}; it has {}", choice.file.string(), split, fmt::join(splits, ", ")));
  const std::int64_t row = choice.row.value_or(0), count = data->n_images(split);
  if (row >= count)
    throw Error(ExitCode::kUsage,
                fmt::format("{} has no row {} in {}; the last one is {}", choice.file.string(), row, split, count - 1));
  GreyImage picture{static_cast<int>(data->width(split)), static_cast<int>(data->height(split)), {}};
  picture.pixels.resize(static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height));
  data->read_rows(split, {&row, 1}, picture.pixels.data());
  return resize_to_square(std::move(picture), target.size, target.fit);
}

}  // namespace

void PictureChoice::register_options(CommandLine& options, const std::string& group) {
  options.add({.group = group,
               .name = "image",
               .target = &file,
               .help = "a JPEG or PNG file, or a data set (.h5) of which --row takes one picture",
               .value_name = "IMAGE",
               .positional = true,
               .required = true});
  options.add({.group = group,
               .name = "row",
               .target = &row,
               .help = "which picture of a data set, counted from 0",
               .at_least = 0,
               .default_text = "0"});
  options.add({.group = group,
               .name = "split",
               .target = &split,
               .help = "of which split: train, val or test",
               .value_name = "SPLIT",
               .default_text = "the first"});
}

bool PictureChoice::is_data_set() const {
  const std::string ending = file.extension().string();
  return ending == ".h5" || ending == ".hdf5";
}

std::string PictureChoice::name() const {
  const std::string stem = file.stem().string();
  return is_data_set() ? fmt::format("{}-{}{}", stem, split.empty() ? "" : split + "-", row.value_or(0)) : stem;
}

std::string PictureChoice::title() const {
  const std::string plain = file.filename().string();
  return is_data_set() ? fmt::format("{}, {}row {}", plain, split.empty() ? "" : split + " ", row.value_or(0)) : plain;
}

GreyImage PictureChoice::load(const DecodeTarget& target) const {
  if (is_data_set()) return picture_of_row(*this, target);
  if (row || !split.empty())
    throw Error(ExitCode::kUsage,
                fmt::format("--row and --split choose a picture of a data set, and {} does not end in "
                            ".h5",
                            file.string()));
  return picture_of_file(file, target);
}

}  // namespace xrai
