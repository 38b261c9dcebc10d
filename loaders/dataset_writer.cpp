#include "loaders/dataset_writer.h"

#include <algorithm>
#include <stdexcept>

#include "loaders/reader.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

// Large enough that one read is worth its seek, small enough that a random picture does not drag a whole file along.
constexpr std::uint64_t kChunkBytes = 1 << 20;
constexpr std::uint64_t kFlushBytes = 2 << 20;

std::string place(const std::string& split, std::string_view dataset) {
  return "/" + split + "/" + std::string(dataset);
}

}  // namespace

DatasetWriter::DatasetWriter(const std::filesystem::path& path, DatasetDescription description, int deflate_level)
    : path_(path),
      description_(std::move(description)),
      deflate_level_(deflate_level),
      chunk_rows_(std::max<std::uint64_t>(1, kChunkBytes / (static_cast<std::uint64_t>(description_.size) *
                                                            static_cast<std::uint64_t>(description_.size)))),
      file_(hdf5::File::create(path)) {
  file_.set_attribute("/", "xrai_schema", kSchemaVersion);
  file_.set_attribute("/", "classes", description_.classes);
  file_.set_attribute("/", "size", std::int64_t{description_.size});
  file_.set_attribute("/", "decoder", description_.decoder);
  file_.set_attribute("/", "resize", description_.resize);
  file_.set_attribute("/", "fit", description_.fit);
  file_.set_attribute("/", "creator", description_.creator);
  file_.set_attribute("/", "synthetic", std::int64_t{description_.synthetic ? 1 : 0});
}

void DatasetWriter::expect(std::int64_t n_pictures) {
  if (deflate_level_ > 0) return;  // nobody knows what they will take
  set_room_aside(path_, static_cast<std::uint64_t>(n_pictures) * static_cast<std::uint64_t>(description_.size) *
                            static_cast<std::uint64_t>(description_.size));
}

DatasetWriter::Split& DatasetWriter::open_split(const std::string& name) {
  const auto found = splits_.find(name);
  if (found != splits_.end()) return found->second;
  const auto side = static_cast<std::uint64_t>(description_.size);
  file_.create_dataset<std::uint8_t>(
      place(name, "images"), {0, side, side},
      {.chunk_shape = {chunk_rows_, side, side}, .deflate_level = deflate_level_, .growable = true});
  return splits_[name];
}

void DatasetWriter::append(std::string_view split_name, DatasetRow row) {
  const std::string name(split_name);
  Split& split = open_split(name);
  if (row.pixels.size() != static_cast<std::size_t>(description_.size) * static_cast<std::size_t>(description_.size))
    throw std::logic_error("a picture of another size than the data set's was given");
  split.waiting.push_back(std::move(row.pixels));
  split.labels.push_back(row.label);
  split.groups.push_back(std::move(row.group));
  split.sources.push_back(std::move(row.source));
  if (split.waiting.size() >= chunk_rows_) write_waiting(name, split);
}

void DatasetWriter::append(std::string_view split_name, DatasetRow row, const LesionPlace& lesion) {
  append(split_name, std::move(row));
  std::vector<float>& lesions = splits_.find(split_name)->second.lesions;
  lesions.insert(lesions.end(), lesion.begin(), lesion.end());
}

void DatasetWriter::append(std::string_view split_name, DatasetRow row, OriginalSize original_size) {
  append(split_name, std::move(row));
  std::vector<std::int32_t>& sizes = splits_.find(split_name)->second.original_sizes;
  sizes.insert(sizes.end(), {original_size.height, original_size.width});
}

void DatasetWriter::write_waiting(const std::string& name, Split& split) {
  if (split.waiting.empty()) return;
  std::vector<const std::uint8_t*> rows;
  for (const std::vector<std::uint8_t>& pixels : split.waiting) rows.push_back(pixels.data());
  file_.append_rows<std::uint8_t>(place(name, "images"), rows);
  unflushed_bytes_ += split.waiting.size() * split.waiting.front().size();
  split.waiting.clear();
  if (unflushed_bytes_ < kFlushBytes) return;
  start_flushing(path_);
  unflushed_bytes_ = 0;
}

void DatasetWriter::close() {
  for (auto& [name, split] : splits_) {
    const std::uint64_t n = split.labels.size();
    write_waiting(name, split);
    file_.write(place(name, "labels"), {n}, split.labels.data());
    file_.write_strings(place(name, "group"), split.groups);
    file_.write_strings(place(name, "source"), split.sources);
    if (split.lesions.size() % (3 * n) != 0 || split.original_sizes.size() % (2 * n) != 0)
      throw std::logic_error("lesions or original sizes were given for some pictures of a split only");
    if (!split.lesions.empty()) file_.write(place(name, "lesion"), {n, 3}, split.lesions.data());
    if (!split.original_sizes.empty()) file_.write(place(name, kOriginalSizeName), {n, 2}, split.original_sizes.data());
  }
  file_.close();
  return_spare_room(path_);
}

}  // namespace xrai
