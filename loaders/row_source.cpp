// Which way rows are read, and the way through the library.
#include "loaders/row_source.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "loaders/direct_rows.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

class LibraryRows final : public RowSource {
 public:
  LibraryRows(const hdf5::File& file, std::string dataset, std::string reason, std::uint64_t per_batch)
      : file_(file), dataset_(std::move(dataset)), reason_(std::move(reason)), per_batch_(per_batch) {
    const hdf5::DatasetInfo info = file.info(dataset_);
    if (info.shape.empty()) {
      throw Error(ExitCode::kBadData, fmt::format("{} of {} is a single value without rows; it cannot hold pictures",
                                                  dataset_, file.path().string()));
    }
    n_rows_ = static_cast<std::int64_t>(info.shape[0]);
    row_bytes_ = static_cast<std::int64_t>(info.row_bytes());
    if (!info.chunk_shape.empty()) rows_per_chunk_ = static_cast<std::int64_t>(info.chunk_shape[0]);
    if (per_batch_ == 0) return;
    const auto in_batch = static_cast<std::int64_t>(per_batch_);
    n_rows_ *= in_batch, row_bytes_ /= in_batch;
    if (!info.chunk_shape.empty()) rows_per_chunk_ *= static_cast<std::int64_t>(info.chunk_shape[1]);
  }

  [[nodiscard]] std::int64_t n_rows() const override { return n_rows_; }
  [[nodiscard]] std::int64_t row_bytes() const override { return row_bytes_; }
  [[nodiscard]] std::int64_t rows_per_chunk() const override { return rows_per_chunk_; }
  [[nodiscard]] std::int64_t window_rows() const override { return rows_per_chunk_ > 1 ? rows_per_chunk_ : 0; }
  [[nodiscard]] std::string how() const override { return "through the HDF5 library, because " + reason_; }
  void read(std::span<const std::int64_t> rows, std::byte* out) override;

 private:
  const hdf5::File& file_;
  std::string dataset_, reason_;
  std::uint64_t per_batch_;
  std::int64_t n_rows_ = 0, row_bytes_ = 0, rows_per_chunk_ = 1;
};

// Rows are visited in the order in which they lie in the file; a run of neighbours that also are neighbours in `out`
// is one read.
void LibraryRows::read(std::span<const std::int64_t> rows, std::byte* out) {
  std::vector<std::size_t> visit(rows.size());
  std::iota(visit.begin(), visit.end(), std::size_t{0});
  std::stable_sort(visit.begin(), visit.end(), [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  for (std::size_t begin = 0, end = 0; begin < visit.size(); begin = end) {
    const std::int64_t first = rows[visit[begin]];
    for (end = begin + 1; end < visit.size(); ++end) {
      const auto run = static_cast<std::int64_t>(end - begin);
      if (rows[visit[end]] != first + run || visit[end] != visit[begin] + static_cast<std::size_t>(run)) break;
    }
    const auto count = static_cast<std::uint64_t>(end - begin);
    std::byte* const to = out + static_cast<std::int64_t>(visit[begin]) * row_bytes_;
    try {
      if (per_batch_ == 0) file_.read_stored_rows(dataset_, static_cast<std::uint64_t>(first), count, to);
      for (std::uint64_t i = 0; per_batch_ > 0 && i < count; ++i) {
        const std::uint64_t row = static_cast<std::uint64_t>(first) + i;
        file_.read_stored_row(dataset_, row / per_batch_, row % per_batch_,
                              to + static_cast<std::int64_t>(i) * row_bytes_);
      }
    } catch (const Error& error) {
      throw Error(error.code(),
                  fmt::format("{} (rows {} to {})", error.what(), first, first + static_cast<std::int64_t>(count) - 1));
    }
  }
}

/// The two outermost axes as one. The chunks stay what they are, and in the same order, when none of them holds a part
/// of several batches.
void join_batches(hdf5::Storage& storage) {
  std::vector<std::uint64_t>& chunk = storage.chunk_shape;
  const auto join = [](std::vector<std::uint64_t>& axes) {
    axes[1] *= axes[0];
    axes.erase(axes.begin());
  };
  if (!chunk.empty() && storage.obstacle.empty()) {
    const bool in_one = chunk[0] == 1 && storage.shape[1] % chunk[1] == 0, whole = chunk[1] == storage.shape[1];
    if (!in_one && !whole) storage.obstacle = "its chunks hold parts of several batches";
    join(chunk);
  }
  join(storage.shape);
}

}  // namespace

std::unique_ptr<RowSource> open_rows(const hdf5::File& file, const std::string& dataset, const RowOptions& options) {
  hdf5::Storage storage = file.storage(dataset);
  if (options.per_batch > 0) join_batches(storage);
  std::string reason = storage.obstacle.empty() ? hdf5::obstacle_in_filters(storage.filters) : storage.obstacle;
  if (options.through_library) reason = "it was asked for";
  if (!reason.empty()) return std::make_unique<LibraryRows>(file, dataset, reason, options.per_batch);
  return std::make_unique<DirectRows>(file, dataset, std::move(storage), options);
}

}  // namespace xrai
