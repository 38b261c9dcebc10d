// See variant_scores.h.
#include "apps/stress/variant_scores.h"

#include <algorithm>
#include <numeric>

namespace xrai {
namespace {

constexpr std::int64_t kMostBytesAtOnce = std::int64_t{16} << 20;  // the changed block as much again

std::int64_t rows_at_once(const DatasetReader& data, const std::string& split) {
  const std::int64_t chunk = std::max<std::int64_t>(1, data.rows_per_chunk(split));
  const std::int64_t most = std::max<std::int64_t>(1, kMostBytesAtOnce / (data.height(split) * data.width(split)));
  return most >= chunk ? most / chunk * chunk : most;
}

}  // namespace

std::vector<std::vector<float>> score_variants(DatasetReader& data, const std::string& split,
                                               const std::vector<Change>& changes, const Predict& predict,
                                               const std::function<void(std::int64_t)>& on_images) {
  std::vector<std::vector<float>> variants(changes.size());
  const std::int64_t n_images = data.n_images(split), at_once = std::min(rows_at_once(data, split), n_images);
  PictureBlock block{.height = data.height(split), .width = data.width(split)};
  const std::int64_t image_bytes = block.height * block.width;
  std::vector<std::uint8_t> stored(static_cast<std::size_t>(at_once * image_bytes)), changed(stored.size());
  block.in = stored.data();
  block.out = changed.data();
  std::int64_t done = 0;
  for (block.first_sample = 0; block.first_sample < n_images; block.first_sample += at_once) {
    block.n = std::min(at_once, n_images - block.first_sample);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(block.n));
    std::iota(rows.begin(), rows.end(), block.first_sample);
    data.read_rows(split, rows, stored.data());
    for (std::size_t i = 0; i < changes.size(); ++i) {
      changes[i](block);
      const auto scores = predict(changed.data(), block.n, block.height, block.width);
      variants[i].insert(variants[i].end(), scores.begin(), scores.end());
      on_images(done += block.n);
    }
  }
  return variants;
}

}  // namespace xrai
