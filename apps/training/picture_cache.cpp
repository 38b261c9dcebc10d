#include "apps/training/picture_cache.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "apps/support/progress.h"
#include "loaders/cached_reader.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{16} << 20;  // read and uploaded at once

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.0f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::uint64_t split_bytes(const DatasetReader& reader, const std::string& split) {
  return static_cast<std::uint64_t>(reader.n_images(split) * reader.height(split) * reader.width(split));
}

/// Of the splits that a run reads.
std::uint64_t picture_bytes(const TrainingData& data) {
  const std::uint64_t train = split_bytes(*data.file, "train");
  return data.validation_split == "train" ? train : train + split_bytes(*data.file, data.validation_split);
}

Buffer move_to_device(Device& device, DatasetReader& reader, const std::string& split, bool quiet) {
  const std::int64_t n = reader.n_images(split), picture = reader.height(split) * reader.width(split);
  const std::int64_t block =
      std::clamp(std::max(kBlockBytes / picture, reader.rows_per_chunk(split)), std::int64_t{1}, n);
  Buffer pixels = device.allocate(split_bytes(reader, split));
  const Buffer staging = device.allocate_staging(static_cast<std::size_t>(block * picture));
  Progress bar("read " + split, n, "images", quiet || n * picture < 8 * kBlockBytes);
  std::vector<std::int64_t> rows;
  for (std::int64_t first = 0; first < n; first += block) {
    rows.resize(static_cast<std::size_t>(std::min(block, n - first)));
    std::iota(rows.begin(), rows.end(), first);
    reader.read_rows(split, rows, staging.as<std::uint8_t>());
    device.upload(pixels.as<std::uint8_t>() + first * picture, staging.data(),
                  rows.size() * static_cast<std::size_t>(picture), Queue::kCopy);
    device.synchronize();  // the staging memory is written again
    bar.update(first + static_cast<std::int64_t>(rows.size()));
  }
  return pixels;
}

}  // namespace

CacheChoice choose_cache(const std::string& wanted, std::uint64_t picture_bytes, const FreeMemory& free) {
  const auto fits = [&](std::uint64_t free_bytes) { return picture_bytes <= free_bytes / 4; };
  const auto remark = [&](const char* where, std::uint64_t free_bytes) {
    return fmt::format("pictures ({}) {}, of which {} are free", mebibytes(picture_bytes), where,
                       mebibytes(free_bytes));
  };
  if (wanted == "device" || (wanted == "auto" && fits(free.device)))
    return {CachePlace::kDevice, remark("stay in the device's memory", free.device > 0 ? free.device : free.host)};
  if (wanted == "host" || (wanted == "auto" && fits(free.host)))
    return {CachePlace::kHost, remark("stay in host memory once they were read", free.host)};
  if (wanted == "none") return {CachePlace::kNone, "pictures are read from the file in every epoch, as asked"};
  return {CachePlace::kNone,
          fmt::format("pictures are read from the file in every epoch: {} are more than a quarter of the {} that are "
                      "free; --cache host or --cache device keeps them all the same",
                      mebibytes(picture_bytes), mebibytes(free.host))};
}

PictureStore::PictureStore(TrainingData& data, Device& device, const std::string& wanted, bool quiet) : data_(data) {
  const CacheChoice choice = choose_cache(wanted, picture_bytes(data), {available_memory_bytes(), device.free_bytes()});
  remark_ = choice.remark;
  const bool kept_already = data.reader != data.file;  // by the network before, of the same run
  if (kept_already && choice.place != CachePlace::kDevice) remark_ = "pictures are in host memory already";
  reads_the_file_ = choice.place == CachePlace::kNone && !kept_already;
  if (choice.place == CachePlace::kHost && !kept_already) data.reader = keep_in_memory(data.file);
  if (choice.place != CachePlace::kDevice) return;
  resident_.emplace("train", move_to_device(device, *data.file, "train", quiet));
  if (const std::string& other = data.validation_split; !resident_.contains(other))
    resident_.emplace(other, move_to_device(device, *data.file, other, quiet));
}

std::unique_ptr<BatchLoader> PictureStore::loader(const std::string& split, const std::vector<std::int64_t>& rows,
                                                  BatchLoaderOptions options) const {
  if (const auto resident = resident_.find(split); resident != resident_.end())
    options.resident = resident->second.as<std::uint8_t>();
  return std::make_unique<BatchLoader>(data_.reader, split, rows, std::move(options));
}

}  // namespace xrai
