// The memory of a split, filled chunk by chunk under one lock, read without it.
#include "loaders/cached_reader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>

#include "runtime/core/error.h"
#include "runtime/core/host_memory.h"

namespace xrai {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;  // read at once where the file has no chunks

struct Kept {
  std::shared_ptr<std::byte[]> memory;
  std::uint8_t* pixels = nullptr;      // (n_images, height, width), in that memory
  std::vector<bool> present;           // (n_blocks)
  std::vector<std::int64_t> expected;  // rows
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
  void expect(std::string_view split, std::span<const std::int64_t> rows) override;
  void read_rows(std::string_view split, std::span<const std::int64_t> rows, std::uint8_t* pixels) override;

 private:
  Kept& kept(std::string_view split);
  void reserve(Kept& kept, std::string_view split) const;
  void load_blocks(Kept& kept, std::string_view split, std::span<const std::int64_t> rows);
  void load_block(Kept& kept, std::string_view split, std::int64_t block);

  const std::shared_ptr<DatasetReader> reader_;
  std::mutex mutex_;  // of the map, the flags and the reading; pixels that are present never change
  std::map<std::string, Kept, std::less<>> kept_;
};

void CachedReader::reserve(Kept& kept, std::string_view split) const {
  const auto bytes = static_cast<std::uint64_t>(kept.n_images * kept.image_bytes);
  try {
    kept.memory = uninitialised_memory(bytes);
    kept.pixels = reinterpret_cast<std::uint8_t*>(kept.memory.get());
  } catch (const std::bad_alloc&) {
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
  reader_->read_rows(split, rows, kept.pixels + first * kept.image_bytes);
  kept.present[static_cast<std::size_t>(block)] = true;
}

/// Loads what these rows need; the reader hears what comes after each block, so that it can inflate several at once.
void CachedReader::load_blocks(Kept& kept, std::string_view split, std::span<const std::int64_t> rows) {
  const auto block_of = [&](std::int64_t row) { return row / kept.block_rows; };
  std::vector<bool> listed = kept.present;
  std::vector<std::int64_t> first_rows;  // of the blocks that are missing
  const auto list = [&](std::span<const std::int64_t> wanted) {
    for (const std::int64_t row : wanted) {
      if (row < 0 || row >= kept.n_images || listed[static_cast<std::size_t>(block_of(row))]) continue;
      listed[static_cast<std::size_t>(block_of(row))] = true;
      first_rows.push_back(block_of(row) * kept.block_rows);
    }
  };
  list(rows);
  const std::size_t n_needed = first_rows.size();
  if (n_needed == 0) return;
  list(kept.expected);
  for (std::size_t i = 0; i < n_needed; ++i) {
    reader_->expect(split, std::span(first_rows).subspan(i + 1));
    load_block(kept, split, block_of(first_rows[i]));
  }
}

void CachedReader::expect(std::string_view split, std::span<const std::int64_t> rows) {
  const std::lock_guard lock(mutex_);
  kept(split).expected.assign(rows.begin(), rows.end());
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
    }
    load_blocks(split_kept, split, rows);
    found = &split_kept;  // a map's elements stay where they are
  }
  for (const std::int64_t row : rows) {
    std::memcpy(pixels, found->pixels + row * found->image_bytes, static_cast<std::size_t>(found->image_bytes));
    pixels += found->image_bytes;
  }
}

}  // namespace

std::shared_ptr<DatasetReader> keep_in_memory(std::shared_ptr<DatasetReader> reader) {
  return std::make_shared<CachedReader>(std::move(reader));
}

}  // namespace xrai
