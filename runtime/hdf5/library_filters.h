// Filters that only the library has, such as szip, or a plug-in of it, undone for one chunk so that their result can be
// measured.
#pragma once

#include <cstddef>
#include <span>

#include "runtime/hdf5/state.h"
#include "runtime/hdf5/storage.h"

namespace xrai::hdf5 {

/// Why chunks with szip among their filters cannot be given to the library; empty: they can, or have none. libaec
/// divides by some of its parameters and believes all of them.
std::string obstacle_in_szip(const std::vector<StoredFilter>& filters, std::size_t element_bytes);
/// Whether szip, where it is among the filters and was applied, says of its result that it has more than `most` bytes:
/// the library makes room for as much as that. The filters have no obstacle.
bool szip_claims_more(const std::vector<StoredFilter>& filters, std::uint32_t skipped,
                      std::span<const std::byte> stored, std::uint64_t most);

/// The library tells nobody how long the result of its filters is. So a data set in memory gets the same chunks and
/// filters and one more before them, which is undone last and looks at what the others left.
class LibraryFilters {
 public:
  /// Throws Error when the filters cannot be set up another time.
  LibraryFilters(const OpenDataset& like, const Task& task);

  /// A plug-in may take its parameters for another data set's wishes and change them (bitshuffle does); then nothing
  /// can be said here of chunks that were written with others.
  [[nodiscard]] bool same_parameters() const { return same_parameters_; }

  /// Throws Error(kBadData) when `stored` becomes less than a chunk. Bit i of `skipped`: filter i was not applied.
  void require_whole(std::span<const std::byte> stored, std::uint32_t skipped, const Task& task);

 private:
  Handle file_, dataset_, one_value_, first_;  // the last two: spaces in memory and in the data set
  Handle type_;
  std::size_t rank_ = 0;
  bool same_parameters_ = true;
};

}  // namespace xrai::hdf5
