#include "loaders/layout_reader.h"

#include <algorithm>

#include "loaders/array_picture.h"
#include "loaders/csv_table.h"
#include "loaders/label_values.h"
#include "loaders/picture_format.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::int64_t kNewestSchema = 1;
constexpr DecodeTarget kTarget{};  // what the importer makes by default
// Stored rows are converted so many bytes at a time, whatever the batch.
constexpr std::int64_t kRowBytesAtATime = std::int64_t{32} << 20;

void check_schema(const hdf5::File& file) {
  const auto schema = file.attribute("/", "xrai_schema");
  const auto* version = schema ? std::get_if<std::int64_t>(&*schema) : nullptr;
  if (version != nullptr && *version > kNewestSchema) {
    throw Error(ExitCode::kBadData, fmt::format("{} has schema {}, this program reads up to {}; use a newer xrai",
                                                file.path().string(), *version, kNewestSchema));
  }
}

}  // namespace

LayoutReader::LayoutReader(Layout layout, OpenFiles files, const LayoutOptions& options, const RowOptions& row_options)
    : files_(std::move(files)), layout_(std::move(layout)) {
  check_schema(*files_.front());
  splits_.resize(layout_.splits.size());
  for (std::size_t i = 0; i < splits_.size(); ++i) {
    splits_[i].layout = &layout_.splits[i];
    open_pictures(splits_[i], options, row_options);
  }
  read_labels();
}

void LayoutReader::open_pictures(Split& split, const LayoutOptions& options, const RowOptions& row_options) {
  SplitLayout& layout = *split.layout;
  if (layout.is_resized()) {
    if (layout.are_arrays) decide_range_of_arrays(layout, options.range);
    layout.format.height = layout.format.width = kTarget.size;
    return;
  }
  std::int64_t first_row = 0;
  for (const PicturePart& part : layout.parts) {
    RowOptions of_part = row_options;
    of_part.per_batch = part.per_batch;
    split.parts.push_back({first_row, open_rows(*files_[part.file], part.object, of_part)});
    first_row += split.parts.back().rows->n_rows();
  }
  note_reading(split);
  // One range for all splits, or the same grey would mean different things in training and in evaluation.
  const SplitLayout& first = layout_.splits.front();
  const bool is_alike = &layout != &first && layout.format.type == first.format.type;
  try {
    decide_range(
        layout, options.range, is_alike ? &first : nullptr,
        [&](std::span<const std::int64_t> rows, std::byte* out) { read_stored(split, rows, out); }, layout_.warnings);
  } catch (const Error& error) {
    const PicturePart& part = layout.parts.front();
    throw Error(error.code(), fmt::format("{} of {} cannot be used: {}", part.object, layout_.files[part.file].string(),
                                          error.what()));
  }
}

void LayoutReader::decide_range_of_arrays(SplitLayout& layout, const std::string& range) {
  constexpr std::size_t kLooks = 32;
  const SplitLayout& first = layout_.splits.front();
  const std::size_t n = layout.objects.size(), looks = std::min(n, kLooks);
  ValueSample sample;
  std::string object = layout.objects.front();
  try {
    for (std::size_t look = 0; look < looks; ++look) {
      object = layout.objects[look * (n - 1) / std::max<std::size_t>(looks - 1, 1)];
      const ArrayPicture picture = read_array_picture(*files_.front(), object, layout.format.transposed);
      look_at(picture.format, picture.values.data(), sample);
      if (!sample.finite) throw Error(ExitCode::kBadData, fmt::format("it {}", kNotNumbers));
    }
    const bool is_alike = &layout != &first && layout.format.type == first.format.type;
    decide_range(layout, range, is_alike ? &first : nullptr, sample, layout_.warnings);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} of {} cannot be used: {}", object, path().string(), error.what()));
  }
}

void LayoutReader::note_reading(const Split& split) {
  constexpr std::int64_t kLargeChunk = 4 << 20;  // bytes
  split.layout->reading = split.parts.front().rows->how();
  for (std::size_t i = 0; i < split.parts.size(); ++i) {
    const RowSource& rows = *split.parts[i].rows;
    const std::int64_t chunk_bytes = rows.rows_per_chunk() * rows.row_bytes();
    if (rows.window_rows() == 0 || chunk_bytes <= kLargeChunk) continue;
    const std::string file = layout_.files[split.layout->parts[i].file].string();
    layout_.warnings.push_back(fmt::format(
        "{} of {} is compressed in chunks of {} pictures, so that reading them shuffled inflates {:.0f} MB "
        "for each, unless they stay in memory: 'xrai_dataset repack {} OUT.h5' cures it, and --shuffle chunk helps",
        split.layout->parts[i].object, file, rows.rows_per_chunk(), static_cast<double>(chunk_bytes) / 1e6, file));
  }
}

void LayoutReader::read_labels() {
  std::vector<LabelColumn> columns;
  for (const Split& split : splits_) {
    SplitLayout& layout = *split.layout;
    const LabelPlace& place = layout.label_place;
    if (!place.csv.empty()) {
      columns.push_back(read_csv_labels(place.csv, place.column, picture_ids(layout), layout.n_images));
    } else if (!place.object.empty()) {
      columns.push_back(xrai::read_labels(*files_[place.file], place.object, place.column, layout_.classes,
                                          layout.n_images, layout.parts.empty() ? 0 : layout.parts.front().per_batch));
    } else {
      columns.push_back({.where = layout_.files.front().string()});
      std::vector<std::int64_t>& numbers = columns.back().numbers;
      for (std::size_t label = 0; label < layout.of_class.size(); ++label) {
        numbers.insert(numbers.end(), layout.of_class[label], static_cast<std::int64_t>(label));
      }
    }
    layout.label_form = columns.back().form;
    if (!columns.back().warning.empty()) layout_.warnings.push_back(columns.back().warning);
  }
  auto labels = number_labels(columns, layout_.classes);
  for (std::size_t i = 0; i < splits_.size(); ++i) splits_[i].labels = std::move(labels[i]);
  // Names are printed, and what they hold for terminals is not meant for ours.
  for (std::string& name : layout_.classes)
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
}

std::vector<std::string> LayoutReader::splits() const {
  std::vector<std::string> names;
  for (const Split& split : splits_) names.push_back(split.layout->name);
  return names;
}

const LayoutReader::Split& LayoutReader::split(std::string_view name) const {
  const auto found =
      std::find_if(splits_.begin(), splits_.end(), [&](const Split& split) { return split.layout->name == name; });
  if (found != splits_.end()) return *found;
  throw Error(ExitCode::kBadData,
              fmt::format("{} has no split '{}'; it has {}", path().string(), name, fmt::join(splits(), ", ")));
}

std::int64_t LayoutReader::rows_per_chunk(std::string_view name) const {
  std::int64_t rows = 1;
  for (const Part& part : split(name).parts) rows = std::max(rows, part.rows->rows_per_chunk());
  return rows;
}

std::int64_t LayoutReader::window_rows(std::string_view name) const {
  std::int64_t least = 0;
  for (const Part& part : split(name).parts) {
    const std::int64_t rows = part.rows->window_rows();
    if (rows > 0) least = least == 0 ? rows : std::min(least, rows);
  }
  return least;
}

std::vector<std::string> LayoutReader::texts(const SplitLayout& split, const std::string& object, Role role) const {
  if (!object.empty()) {
    const PicturePart& pictures = split.parts.front();
    return read_texts(*files_[pictures.file], object, split.n_images, pictures.per_batch);
  }
  if (split.label_place.csv.empty()) return {};
  const CsvTable table = read_csv_table(split.label_place.csv);
  const auto column = table.column(role);
  return column ? table.values(*column, picture_ids(split), split.n_images) : std::vector<std::string>();
}

std::vector<std::string> LayoutReader::groups(std::string_view name) const {
  const SplitLayout& layout = *split(name).layout;
  return texts(layout, layout.groups_from, Role::kGroups);
}

std::vector<std::string> LayoutReader::sources(std::string_view name) const {
  const SplitLayout& layout = *split(name).layout;
  return layout.objects.empty() ? texts(layout, layout.sources_from, Role::kSources) : picture_ids(layout);
}

std::vector<OriginalSize> LayoutReader::original_sizes(std::string_view name) const {
  const Split& from = split(name);
  if (from.layout->parts.size() != 1) return {};
  const PicturePart& part = from.layout->parts.front();
  const std::string object = part.object.substr(0, part.object.find_last_of('/') + 1) + kOriginalSizeName;
  const hdf5::File& file = *files_[part.file];
  if (!file.has(object) || !file.is_dataset(object)) return {};
  const std::vector<std::uint64_t> expected{static_cast<std::uint64_t>(from.layout->n_images), 2};
  if (file.info(object).shape != expected) return {};  // somebody else's data set of that name
  const auto values = file.read<std::int32_t>(object);
  std::vector<OriginalSize> sizes;
  for (std::size_t i = 0; i < values.size(); i += 2) sizes.push_back({values[i], values[i + 1]});
  return sizes;
}

// Beside the pictures, in files of the project's own layout; what else goes by that name elsewhere is not looked at.
std::vector<LesionPlace> LayoutReader::lesions(std::string_view name) const {
  const SplitLayout& layout = *split(name).layout;
  const hdf5::File& file = *files_.front();
  const std::string object = "/" + layout.name + "/lesion";
  if (!file.attribute("/", "xrai_schema") || !file.is_dataset(object)) return {};
  const hdf5::DatasetInfo info = file.info(object);
  const auto n = static_cast<std::uint64_t>(layout.n_images);
  if (info.type != hdf5::Type::kFloat32 || info.shape != std::vector<std::uint64_t>{n, 3})
    throw Error(ExitCode::kBadData,
                fmt::format("{} of {} must be float32 ({}, 3): centre x, centre y and radius of each "
                            "picture's lesion; remove it or write the set again",
                            object, path().string(), n));
  const std::vector<float> flat = file.read<float>(object);
  std::vector<LesionPlace> places;
  for (std::size_t i = 0; i + 2 < flat.size(); i += 3) places.push_back({flat[i], flat[i + 1], flat[i + 2]});
  return places;
}

std::optional<hdf5::Attribute> LayoutReader::attribute(const std::string& name) const {
  return files_.front()->attribute("/", name);
}

void LayoutReader::read_stored(const Split& split, std::span<const std::int64_t> rows, std::byte* out) const {
  if (split.parts.size() == 1) return split.parts.front().rows->read(rows, out);
  const std::int64_t row_bytes = split.parts.front().rows->row_bytes();
  for (const Part& part : split.parts) {
    std::vector<std::int64_t> of_part, places;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int64_t row = rows[i] - part.first_row;
      if (row < 0 || row >= part.rows->n_rows()) continue;
      of_part.push_back(row);
      places.push_back(static_cast<std::int64_t>(i));
    }
    std::vector<std::byte> stored(of_part.size() * static_cast<std::size_t>(row_bytes));
    part.rows->read(of_part, stored.data());
    for (std::size_t i = 0; i < places.size(); ++i) {
      std::copy_n(stored.data() + static_cast<std::int64_t>(i) * row_bytes, row_bytes, out + places[i] * row_bytes);
    }
  }
}

void LayoutReader::read_converted(const Split& split, std::span<const std::int64_t> rows, std::uint8_t* pixels) const {
  const SplitLayout& layout = *split.layout;
  const std::int64_t row_bytes = split.parts.front().rows->row_bytes();
  const auto n_at_a_time = static_cast<std::size_t>(std::max<std::int64_t>(kRowBytesAtATime / row_bytes, 1));
  std::vector<std::byte> stored(std::min(n_at_a_time, rows.size()) * static_cast<std::size_t>(row_bytes));
  std::vector<std::uint8_t> scratch(static_cast<std::size_t>(layout.format.elements()));
  for (std::size_t first = 0; first < rows.size(); first += n_at_a_time) {
    const auto block = rows.subspan(first, std::min(n_at_a_time, rows.size() - first));
    read_stored(split, block, stored.data());
    for (std::size_t i = 0; i < block.size(); ++i) {
      const std::byte* const picture = stored.data() + static_cast<std::int64_t>(i) * row_bytes;
      if (!to_grey8(layout.format, picture, scratch.data(), pixels)) {
        throw Error(ExitCode::kBadData, fmt::format("picture {} of split '{}' of {} {}", block[i], layout.name,
                                                    path().string(), kNotNumbers));
      }
      pixels += layout.format.height * layout.format.width;
    }
  }
}

DecodedPicture LayoutReader::picture_of(const SplitLayout& layout, std::int64_t row) const {
  const hdf5::File& file = *files_.front();
  if (!layout.objects.empty()) {
    const std::string& object = layout.objects[static_cast<std::size_t>(row)];
    if (!layout.are_arrays) return square_picture(file.read_bytes(object), kTarget);
    return square_picture(read_array_picture(file, object, layout.format.transposed), kTarget, layout.format);
  }
  auto part = layout.parts.begin();
  auto of_part = static_cast<std::uint64_t>(row);
  for (; of_part >= part->info.shape[0]; ++part) of_part -= part->info.shape[0];
  return square_picture(files_[part->file]->read_bytes_of_row(part->object, of_part), kTarget);
}

void LayoutReader::read_resized(const Split& split, std::span<const std::int64_t> rows, std::uint8_t* pixels) const {
  const SplitLayout& layout = *split.layout;
  for (const std::int64_t row : rows) {
    try {
      const DecodedPicture picture = picture_of(layout, row);
      pixels = std::copy(picture.image.pixels.begin(), picture.image.pixels.end(), pixels);
    } catch (const Error& error) {
      const std::string name = layout.objects.empty() ? fmt::format("{} of {}", row, layout.parts.front().object)
                                                      : layout.objects[static_cast<std::size_t>(row)];
      throw Error(error.code(),
                  fmt::format("picture {} of {} cannot be used: {}", name, path().string(), error.what()));
    }
  }
}

void LayoutReader::expect(std::string_view name, std::span<const std::int64_t> rows) {
  const Split& from = split(name);
  if (from.parts.size() == 1) from.parts.front().rows->expect(rows);  // which rows of several parts is not worth asking
}

void LayoutReader::read_rows(std::string_view name, std::span<const std::int64_t> rows, std::uint8_t* pixels) {
  const Split& from = split(name);
  for (const std::int64_t row : rows) {
    if (row >= 0 && row < from.layout->n_images) continue;
    throw Error(ExitCode::kBadData, fmt::format("row {} was asked for, but split '{}' of {} has {} pictures", row, name,
                                                path().string(), from.layout->n_images));
  }
  if (from.layout->is_resized()) return read_resized(from, rows, pixels);
  if (from.parts.size() > 1 || !from.layout->format.is_grey8()) return read_converted(from, rows, pixels);
  from.parts.front().rows->read(rows, reinterpret_cast<std::byte*>(pixels));
}

}  // namespace xrai
