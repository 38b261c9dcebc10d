// Rows of one HDF5 data set exactly as they are stored: the file's element type, its byte order, nothing converted.
// Where the file's layout allows it they are read around the HDF5 library and its lock. What the bytes mean is not
// known here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "runtime/hdf5/file.h"

namespace xrai {

struct RowOptions {
  int n_threads = 0;                                      // that read and inflate; 0: one a processor
  std::uint64_t memory_bytes = std::uint64_t{256} << 20;  // for inflated chunks, those kept and those in work
  bool through_library = false;                           // even where the layout allows the faster way
  std::uint64_t per_batch = 0;                            // not 0: rows are the so many of each of the outermost axis
};

class RowSource {
 public:
  RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;
  virtual ~RowSource() = default;

  [[nodiscard]] virtual std::int64_t n_rows() const = 0;     // the outermost axis
  [[nodiscard]] virtual std::int64_t row_bytes() const = 0;  // one index of the outermost axis
  /// Rows that are cheapest read together, because they lie in one chunk; at least 1.
  [[nodiscard]] virtual std::int64_t rows_per_chunk() const = 0;
  /// Rows that may be read in any order without inflating a chunk twice, because so many chunks are kept; 0: in no
  /// order is anything inflated twice.
  [[nodiscard]] virtual std::int64_t window_rows() const = 0;
  /// "outside the HDF5 library, ...", or "through the HDF5 library, because ...".
  [[nodiscard]] virtual std::string how() const = 0;

  /// Names rows that will be read after the next call of read(), soonest first, in place of those named before. Where
  /// it helps, their chunks are fetched and inflated ahead, within the memory of the options.
  virtual void expect(std::span<const std::int64_t> /*rows*/) {}
  /// Copies rows, in any order and as often as they are named, to `out` (rows.size() * row_bytes). May be called from
  /// several threads. Throws Error(kBadData) with the file, the data set and what is wrong.
  virtual void read(std::span<const std::int64_t> rows, std::byte* out) = 0;
};

/// Opens a data set with one axis or more. `file` must outlive the result. Throws Error(kBadData).
std::unique_ptr<RowSource> open_rows(const hdf5::File& file, const std::string& dataset,
                                     const RowOptions& options = {});

}  // namespace xrai
