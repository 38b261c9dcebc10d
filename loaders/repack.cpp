// Walks the groups of the old file; pictures go through readers of rows, everything else is copied as it is. What has
// two names is written once.
#include "loaders/repack.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "loaders/row_source.h"
#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

constexpr std::uint64_t kPlainChunkBytes = 1 << 20;
constexpr std::uint64_t kCompressedChunkBytes = 64 << 10;  // what one picture of a shuffled epoch has inflated
constexpr std::uint64_t kBytesAtOnce = 8 << 20;
constexpr int kDeepest = 32;  // groups in groups

class Repacker {
 public:
  Repacker(const std::filesystem::path& input, const std::filesystem::path& output, const RepackOptions& options,
           const RepackProgress& progress)
      : from_(hdf5::File::open(input)), to_(hdf5::File::create(output)), options_(options), progress_(progress) {}

  std::vector<Repacked> run() {
    written_.emplace(from_.address("/"), "/");
    copy_group("/", 0);
    to_.close();
    return std::move(repacked_);
  }

 private:
  void copy_group(const std::string& group, int depth) {
    if (depth > kDeepest) {
      throw Error(ExitCode::kBadData, fmt::format("{} has groups in groups, more than {} of them, at {}",
                                                  from_.path().string(), kDeepest, group));
    }
    to_.create_group_like(from_, group);
    for (const std::string& name : from_.names_in(group)) {
      if (interrupt_requested() != 0) throw Error(ExitCode::kInterrupted, "interrupted; nothing was written");
      const std::string object = (group == "/" ? "" : group) + "/" + name;
      if (from_.is_link(object)) {
        to_.copy(from_, object);
        continue;
      }
      const auto [known, is_new] = written_.emplace(from_.address(object), object);
      if (!is_new) {
        to_.link(known->second, object);
      } else if (from_.is_group(object)) {
        copy_group(object, depth + 1);
      } else if (from_.is_dataset(object) && holds_pictures(from_.info(object))) {
        copy_rows(object);
      } else {
        to_.copy(from_, object);
      }
    }
  }

  static bool holds_pictures(const hdf5::DatasetInfo& info) {
    const bool numbers = hdf5::element_bytes(info.type) > 0;
    return numbers && info.shape.size() >= 3 && info.shape[0] > 1 && info.row_bytes() > 0;
  }

  [[nodiscard]] std::vector<std::uint64_t> chunk_shape(const std::string& object, const hdf5::DatasetInfo& info) const {
    if (info.row_bytes() > UINT32_MAX) {
      throw Error(ExitCode::kBadData, fmt::format("{} of {} has rows of {} MB, more than a chunk can hold", object,
                                                  from_.path().string(), info.row_bytes() >> 20));
    }
    std::vector<std::uint64_t> chunk = info.shape;
    const std::uint64_t wanted = options_.gzip > 0 ? kCompressedChunkBytes : kPlainChunkBytes;
    chunk[0] = options_.chunk_rows > 0 ? options_.chunk_rows : std::max<std::uint64_t>(1, wanted / info.row_bytes());
    chunk[0] = std::min(chunk[0], info.shape[0]);
    if (chunk[0] > UINT32_MAX / info.row_bytes()) {
      throw Error(ExitCode::kUsage, fmt::format("{} rows of {} bytes are more than a chunk can hold (4 GB); ask for "
                                                "fewer with --chunk-rows",
                                                chunk[0], info.row_bytes()));
    }
    return chunk;
  }

  void copy_rows(const std::string& object) {
    const hdf5::DatasetInfo info = from_.info(object);
    const std::vector<std::uint64_t> chunk = chunk_shape(object, info);
    from_.require_plausible(object);
    to_.create_dataset_like(from_, object, {.chunk_shape = chunk, .deflate_level = options_.gzip});
    const auto source = open_rows(from_, object);
    const std::int64_t n = source->n_rows(), row_bytes = source->row_bytes();
    // Whole chunks of the file whose compressed chunks are larger, so that few are inflated or compressed twice.
    const auto least = static_cast<std::int64_t>(std::max<std::uint64_t>(1, kBytesAtOnce / info.row_bytes()));
    const std::int64_t inflated = info.filters.empty() ? 1 : source->rows_per_chunk();
    const std::int64_t compressed = options_.gzip > 0 ? static_cast<std::int64_t>(chunk[0]) : 1;
    const std::int64_t in_chunks = std::max(inflated, compressed);
    const std::int64_t at_once = std::min(n, std::max<std::int64_t>(1, least / in_chunks) * in_chunks);
    std::vector<std::byte> bytes(static_cast<std::size_t>(at_once * row_bytes));
    std::vector<std::int64_t> rows;
    for (std::int64_t first = 0; first < n; first += at_once) {
      if (interrupt_requested() != 0) throw Error(ExitCode::kInterrupted, "interrupted; nothing was written");
      rows.resize(static_cast<std::size_t>(std::min(at_once, n - first)));
      std::iota(rows.begin(), rows.end(), first);
      source->read(rows, bytes.data());
      to_.write_stored_rows(object, static_cast<std::uint64_t>(first), rows.size(), bytes.data());
      progress_(object, first + static_cast<std::int64_t>(rows.size()), n);
    }
    repacked_.push_back({object, info.shape, info.chunk_shape, chunk});
  }

  hdf5::File from_, to_;
  const RepackOptions options_;
  const RepackProgress& progress_;
  std::map<std::uint64_t, std::string> written_;  // names of objects by their addresses in the old file
  std::vector<Repacked> repacked_;
};

}  // namespace

std::vector<Repacked> repack(const std::filesystem::path& input, const std::filesystem::path& output,
                             const RepackOptions& options, const RepackProgress& progress) {
  return Repacker(input, output, options, progress).run();
}

}  // namespace xrai
