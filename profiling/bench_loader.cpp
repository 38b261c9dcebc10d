// How fast rows come out of a data set, beside what the machine could do at most in the same run: a gather of the same
// rows by memcpy, and libdeflate on the same chunks. bench_loader FILE.h5 [data set, /train/images [batch size, 32]]
// checks rows against the HDF5 library's, then times in turns, and prints JSON. The loader's own figures follow for
// files that xrai can train on. Processor time stands beside: where neighbours use the machine it says what time does
// not. With --cold in front the file is put out of the page cache before each epoch, and the limit is what as many
// threads get that read the same bytes batch by batch, each with one call after the other.
#include <fcntl.h>
#include <fmt/format.h>
#include <libdeflate.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <numeric>

#include "loaders/batch_loader.h"
#include "loaders/cached_reader.h"
#include "loaders/chunk_geometry.h"
#include "loaders/row_source.h"
#include "loaders/workers.h"
#include "runtime/core/error.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

using Clock = std::chrono::steady_clock;
using Rows = std::vector<std::int64_t>;
constexpr int kRounds = 7;
constexpr int kSlots = 4;  // batches that are filled in turn, as in the loader's ring
constexpr std::uint64_t kSeed = 1;

double seconds_of(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Of all threads together.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Rounds of one kind of work.
struct Rounds {
  std::vector<double> seconds, processor;

  void add(const std::function<void()>& work) {
    const double begin = processor_seconds();
    seconds.push_back(seconds_of(work));
    processor.push_back(processor_seconds() - begin);
  }
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// One data set, its rows in the order of an epoch, and the batches that they make.
class RowBench {
 public:
  RowBench(const char* path, std::string dataset, std::int64_t batch_size)
      : file_(hdf5::File::open(path)),
        dataset_(std::move(dataset)),
        source_(open_rows(file_, dataset_)),
        storage_(file_.storage(dataset_)),
        batch_size_(std::min(batch_size, source_->n_rows())) {
    compressed_ = std::any_of(storage_.filters.begin(), storage_.filters.end(),
                              [](const hdf5::StoredFilter& filter) { return filter.id == 1; });
    const std::int64_t n = source_->n_rows(), in_chunk = source_->rows_per_chunk();
    Rows all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    by_chunk_ = compressed_ && in_chunk > 1;
    order_ = by_chunk_ ? chunk_order(all, in_chunk, source_->window_rows(), kSeed, 0)
                       : epoch_order(Order::kShuffled, n, kSeed, 0);
    slots_.resize(static_cast<std::size_t>(kSlots * batch_size_ * source_->row_bytes()));
  }

  void check() {
    const auto library = open_rows(file_, dataset_, {.through_library = true});
    const Rows rows(order_.begin(), order_.begin() + std::min<std::int64_t>(200, source_->n_rows()));
    std::vector<std::byte> expected(rows.size() * static_cast<std::size_t>(source_->row_bytes())), found = expected;
    library->read(rows, expected.data());
    source_->read(rows, found.data());
    if (found != expected) throw Error(ExitCode::kFailure, "the rows are not those that the HDF5 library reads");
  }

  /// Pages that were written a moment ago and are not on the disk yet stay in memory, so those are waited for.
  void run_cold() {
    const int descriptor = open(file_.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw Error(ExitCode::kBadData, "the file cannot be opened a second time");
    Rounds plain, rows;
    for (int round = 0; round < kRounds; ++round) {
      for (Rounds* way : {&plain, &rows}) {
        source_ = open_rows(file_, dataset_);
        fsync(descriptor);
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
        way->add([&] { way == &plain ? read_plainly(descriptor) : read_rows(); });
      }
    }
    close(descriptor);
    const double limit = median(plain.seconds), taken = median(rows.seconds);
    const double gigabytes = static_cast<double>(source_->n_rows() * source_->row_bytes()) / 1e9;
    fmt::print(
        "{{\"bench\": \"cold rows\", \"how\": \"{}\", \"rows\": {}, \"threads\": {}, "
        "\"read_calls_gigabytes_per_second\": {:.2f}, \"gigabytes_per_second\": {:.2f}, \"times_read_calls\": "
        "{:.2f}}}\n",
        source_->how(), source_->n_rows(), available_cores(), gigabytes / limit, gigabytes / taken, limit / taken);
  }

  void run() {
    Rounds gather, rows, inflate;
    keep_in_memory();
    source_ = open_rows(file_, dataset_);
    const double first = seconds_of([&] { read_rows(); });  // threads start, pages are mapped
    for (int round = 0; round < kRounds; ++round) {
      gather.add([&] { gather_by_memcpy(); });
      if (source_->window_rows() > 0) source_ = open_rows(file_, dataset_);  // without the chunks that it kept
      rows.add([&] { read_rows(); });
      if (compressed_) inflate.add([&] { inflate_all(); });
    }
    const double gigabytes = static_cast<double>(source_->n_rows() * source_->row_bytes()) / 1e9;
    const bool has_limit = compressed_ || storage_.filters.empty();
    const Rounds& least = compressed_ ? inflate : gather;
    const double limit = median(least.seconds), taken = median(rows.seconds), work = median(rows.processor);
    fmt::print(
        "{{\"bench\": \"rows\", \"how\": \"{}\", \"order\": \"{}\", \"rows\": {}, "
        "\"row_bytes\": {}, \"threads\": {}, "
        "\"memcpy_gather_gigabytes_per_second\": {:.2f}, \"libdeflate_gigabytes_per_second\": {}, "
        "\"first_epoch_gigabytes_per_second\": {:.2f}, \"gigabytes_per_second\": {:.2f}, \"rows_per_second\": {:.0f}, "
        "\"part_of_limit\": {}, \"part_of_limit_in_processor_time\": {}, "
        "\"processor_microseconds_per_row\": {:.1f}}}\n",
        source_->how(), by_chunk_ ? "chunk" : "shuffled", source_->n_rows(), source_->row_bytes(), available_cores(),
        gigabytes / median(gather.seconds),
        compressed_ ? fmt::format("{:.2f}", gigabytes / median(inflate.seconds)) : "null", gigabytes / first,
        gigabytes / taken, static_cast<double>(source_->n_rows()) / taken,
        has_limit ? fmt::format("{:.2f}", limit / taken) : "null",
        has_limit ? fmt::format("{:.2f}", median(least.processor) / work) : "null",
        1e6 * work / static_cast<double>(n_batches() * batch_size_));
  }

 private:
  [[nodiscard]] std::int64_t n_batches() const { return source_->n_rows() / batch_size_; }
  [[nodiscard]] std::span<const std::int64_t> rows_of(std::int64_t batch) const {
    return std::span(order_).subspan(static_cast<std::size_t>(batch * batch_size_),
                                     static_cast<std::size_t>(batch_size_));
  }
  std::byte* slot_of(std::int64_t batch) { return slots_.data() + batch % kSlots * batch_size_ * source_->row_bytes(); }

  void read_rows() {
    for (std::int64_t batch = 0; batch < n_batches(); ++batch) {
      const auto after = static_cast<std::size_t>((batch + 1) * batch_size_);
      const auto n_wanted = static_cast<std::size_t>(2 * std::max(batch_size_, source_->window_rows()));
      source_->expect(std::span(order_).subspan(after, std::min(n_wanted, order_.size() - after)));
      source_->read(rows_of(batch), slot_of(batch));
    }
  }

  /// Of each row its own bytes, or the chunks that it is in as they are stored.
  void read_plainly(int descriptor) {
    const ChunkGeometry geometry(storage_);
    const auto read = [&](std::uint64_t offset, std::uint64_t bytes) {
      thread_local std::vector<std::byte> room;
      room.resize(std::max<std::size_t>(room.size(), bytes));
      if (pread(descriptor, room.data(), bytes, static_cast<off_t>(offset)) < 0)
        throw Error(ExitCode::kBadData, "the file cannot be read");
    };
    for (std::int64_t batch = 0; batch < n_batches(); ++batch) {
      const std::span<const std::int64_t> rows = rows_of(batch);
      workers_.run(std::ssize(rows), available_cores(), [&](std::int64_t i) {
        const auto row = static_cast<std::uint64_t>(rows[static_cast<std::size_t>(i)]);
        if (storage_.chunk_shape.empty())
          return read(storage_.offset + row * geometry.row_bytes(), geometry.row_bytes());
        const std::uint64_t first = row / geometry.chunk_rows() * geometry.chunks_per_band();
        for (std::uint64_t chunk = first; chunk < first + geometry.chunks_per_band(); ++chunk) {
          const hdf5::StoredChunk& stored = storage_.chunks[chunk];
          if (!storage_.filters.empty())
            read(stored.offset, stored.bytes);
          else
            read(stored.offset + row % geometry.chunk_rows() * geometry.chunk_row_bytes(), geometry.chunk_row_bytes());
        }
      });
    }
  }

  void gather_by_memcpy() {
    const std::int64_t row_bytes = source_->row_bytes();
    workers_.run(n_batches(), available_cores(), [&](std::int64_t batch) {
      std::byte* to = slot_of(batch);
      for (const std::int64_t row : rows_of(batch)) {
        std::memcpy(to, plain_.data() + row * row_bytes, static_cast<std::size_t>(row_bytes));
        to += row_bytes;
      }
    });
  }

  /// All rows for the gather, and all chunks as they are stored for libdeflate.
  void keep_in_memory() {
    Rows all(static_cast<std::size_t>(source_->n_rows()));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    plain_.resize(all.size() * static_cast<std::size_t>(source_->row_bytes()));
    source_->read(all, plain_.data());
    for (const hdf5::StoredChunk& chunk : storage_.chunks) {
      if (!compressed_) break;
      stored_.emplace_back(chunk.bytes);
      file_.read_bytes(dataset_, storage_, chunk.offset, chunk.bytes, stored_.back().data());
    }
  }

  /// The results are not looked at: a chunk that was not worth compressing fails at once.
  void inflate_all() {
    const std::uint64_t chunk_bytes = ChunkGeometry(storage_).chunk_bytes();
    workers_.run(static_cast<std::int64_t>(stored_.size()), available_cores(), [&](std::int64_t i) {
      const std::vector<std::byte>& stored = stored_[static_cast<std::size_t>(i)];
      thread_local const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater(
          libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
      thread_local std::vector<std::byte> chunk;
      chunk.resize(chunk_bytes + 64);
      std::size_t n_bytes = 0;
      (void)libdeflate_zlib_decompress(inflater.get(), stored.data(), stored.size(), chunk.data(), chunk.size(),
                                       &n_bytes);
    });
  }

  Workers workers_{available_cores()};  // of the two limits, which so have no threads to start
  hdf5::File file_;
  std::string dataset_;
  std::unique_ptr<RowSource> source_;
  hdf5::Storage storage_;
  std::int64_t batch_size_;
  bool compressed_ = false, by_chunk_ = false;
  Rows order_;
  std::vector<std::byte> slots_, plain_;
  std::vector<std::vector<std::byte>> stored_;
};

/// Images per second of three epochs; the pixels are only handed over, as to a device that copies them itself.
void bench_loader(const char* path, std::int64_t batch_size) {
  for (const bool in_memory : {false, true}) {
    std::shared_ptr<DatasetReader> reader = open_dataset(path);
    if (in_memory) reader = keep_in_memory(reader);
    BatchLoaderOptions options;
    options.batch_size = batch_size;
    BatchLoader loader(reader, reader->splits().front(), {}, options);
    std::vector<double> rates;
    Batch batch;
    for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
      const double seconds = seconds_of([&] {
        loader.start_epoch({epoch, 0});
        while (loader.next(batch)) loader.release(batch);
      });
      rates.push_back(static_cast<double>(loader.size()) / seconds);
    }
    fmt::print(
        "{{\"bench\": \"loader\", \"memory\": {}, \"batch_size\": {}, \"images\": {}, "
        "\"images_per_second\": [{:.0f}]}}\n",
        in_memory, batch_size, loader.size(), fmt::join(rates, ", "));
  }
}

}  // namespace
}  // namespace xrai

int main(int argc, char** argv) {
  const bool cold = argc > 1 && std::strcmp(argv[1], "--cold") == 0;
  argv += cold ? 1 : 0;
  argc -= cold ? 1 : 0;
  if (argc < 2 || argc > 4) {
    fmt::print(stderr, "usage: bench_loader [--cold] FILE.h5 [data set, /train/images [batch size, 32]]\n");
    return 2;
  }
  try {
    const std::int64_t batch_size = argc > 3 ? std::max(1LL, std::atoll(argv[3])) : 32;
    xrai::RowBench bench(argv[1], argc > 2 ? argv[2] : "/train/images", batch_size);
    bench.check();
    if (cold) {
      bench.run_cold();
      return 0;
    }
    bench.run();
    if (argc < 3) xrai::bench_loader(argv[1], batch_size);
    return 0;
  } catch (const xrai::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
