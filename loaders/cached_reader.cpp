// The memory of a split, filled chunk by chunk under one lock, read without it.
#include "loaders/cached_reader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;  // read at once where the file has no chunks

struct Kept {
  std::unique_ptr<std::uint8_t[]> pixels;  // (n_images, height, width)
  std::vector<bool> present;               // (n_blocks)
  std::int64_t n_images = 0, image_bytes = 0, block_rows = 1;
};

class CachedReader final : public DatasetReader {
 public:
  explicit CachedReader(std::shared_ptr<DatasetReader> reader) : reader_(std::move(reader)) {}

  [[nodiscard]] const std::filesystem::path& path() const override { return reader_->path(); }
  [[nodiscard]] const Layout& layout() const override { return reader_->layout(); }
  [[nodiscard]] std::vector<std::string> splits() const override { return reader_->splits(); }
  [[nodiscard]] std::int64_t n_images(std::string_view split) const override { return reader_->n_images(split); }
  [[nodiscard]] std::int64_t height(std::string_view split) const override { return reader_->height(split); }
  [[nodiscard]] std::int64_t width(std::string_view split) const override { return reader_->width(split); }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view split) const override {
    return reader_->rows_per_chunk(split);
  }
  [[nodiscard]] std::int64_t window_rows(std::string_view split) const override { return reader_->window_rows(split); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return reader_->classes(); }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view split) const override {
    return reader_->labels(split);
  }
  [[nodiscard]] std::vector<std::string> groups(std::string_view split) const override {
    return reader_->groups(split);
  }
  [[nodiscard]] std::vector<std::string> sources(std::string_view split) const override {
    return reader_->sources(split);
  }
  [[nodiscard]] std::vector<OriginalSize> original_sizes(std::string_view split) const override {
    return reader_->original_sizes(split);
  }
  [[nodiscard]] std::vector<LesionPlace> lesions(std::string_view split) const override {
    return reader_->lesions(split);
  }
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string& name) const override {
    return reader_->attribute(name);
  }
  void read_rows(std::string_view split, std::span<const std::int64_t> rows, std::uint8_t* pixels) override;

 private:
  Kept& kept(std::string_view split);
  void reserve(Kept& kept, std::string_view split) const;
  void load_block(Kept& kept, std::string_view split, std::int64_t block);

  const std::shared_ptr<DatasetReader> reader_;
  std::mutex mutex_;  // of the map, the flags and the reading; pixels that are present never change
  std::map<std::string, Kept, std::less<>> kept_;
};

void CachedReader::reserve(Kept& kept, std::string_view split) const {
  const auto bytes = static_cast<std::uint64_t>(kept.n_images * kept.image_bytes);
  // Not cleared: the system hands out each page when it is first filled.
  kept.pixels.reset(new (std::nothrow) std::uint8_t[bytes]);
  if (!kept.pixels) {
    throw Error(ExitCode::kOutOfMemory,
                fmt::format("keeping split '{}' of {} needs {} MiB of memory, more than there is; "
                            "try --cache none, which reads it from the file",
                            split, path().string(), bytes >> 20));
  }
}

Kept& CachedReader::kept(std::string_view split) {
  const auto known = kept_.find(split);
  if (known != kept_.end()) return known->second;
  Kept kept;
  kept.n_images = reader_->n_images(split);
  kept.image_bytes = reader_->height(split) * reader_->width(split);
  kept.block_rows = std::max({reader_->rows_per_chunk(split), kBlockBytes / kept.image_bytes, std::int64_t{1}});
  kept.present.resize(static_cast<std::size_t>((kept.n_images + kept.block_rows - 1) / kept.block_rows));
  reserve(kept, split);
  return kept_.emplace(split, std::move(kept)).first->second;
}

void CachedReader::load_block(Kept& kept, std::string_view split, std::int64_t block) {
  const std::int64_t first = block * kept.block_rows;
  std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(kept.block_rows, kept.n_images - first)));
  std::iota(rows.begin(), rows.end(), first);
  reader_->read_rows(split, rows, kept.pixels.get() + first * kept.image_bytes);
  kept.present[static_cast<std::size_t>(block)] = true;
}

void CachedReader::read_rows(std::string_view split, std::span<const std::int64_t> rows, std::uint8_t* pixels) {
  const Kept* found = nullptr;
  {
    const std::lock_guard lock(mutex_);
    Kept& split_kept = kept(split);
    for (const std::int64_t row : rows) {
      if (row < 0 || row >= split_kept.n_images) {
        throw Error(ExitCode::kBadData, fmt::format("row {} was asked for, but split '{}' of {} has {} pictures", row,
                                                    split, path().string(), split_kept.n_images));
      }
      const std::int64_t block = row / split_kept.block_rows;
      if (!split_kept.present[static_cast<std::size_t>(block)]) load_block(split_kept, split, block);
    }
    found = &split_kept;  // a map's elements stay where they are
  }
  for (const std::int64_t row : rows) {
    std::memcpy(pixels, found->pixels.get() + row * found->image_bytes, static_cast<std::size_t>(found->image_bytes));
    pixels += found->image_bytes;
  }
}

}  // namespace

std::shared_ptr<DatasetReader> keep_in_memory(std::shared_ptr<DatasetReader> reader) {
  return std::make_shared<CachedReader>(std::move(reader));
}

}  // namespace xrai
