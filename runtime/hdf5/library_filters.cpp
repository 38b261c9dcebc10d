#include "runtime/hdf5/library_filters.h"

#include <array>
#include <atomic>

namespace xrai::hdf5 {
namespace {

constexpr H5Z_filter_t kMeasure = 510;  // 256 to 511 are for use within a program; it is written to no file
constexpr std::size_t kGrowth = std::size_t{1} << 20;

std::size_t measure(unsigned flags, std::size_t n_numbers, const unsigned* numbers, std::size_t n_bytes,
                    std::size_t* /*room*/, void** /*bytes*/) {
  const bool is_whole = (flags & H5Z_FLAG_REVERSE) == 0 || (n_numbers == 1 && n_bytes >= numbers[0]);
  return is_whole ? n_bytes : 0;
}

void register_measure(const Task& task) {
  if (H5Zfilter_avail(kMeasure) > 0) return;
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, kMeasure, 1, 1, "length of a chunk", nullptr, nullptr, measure};
  check(H5Zregister(&filter), task);
}

/// A file that is in memory only. The library takes two of one name for the same.
Handle file_in_memory(const Task& task) {
  static std::atomic<int> n_made{0};
  const Handle access = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, task);
  check(H5Pset_fapl_core(access.get(), kGrowth, false), task);
  const std::string name = fmt::format("xrai chunk {}", n_made++);
  return own(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose, task);
}

struct LibraryFilter {
  H5Z_filter_t id = 0;
  unsigned flags = 0;
  std::array<unsigned, 256> numbers{};
  std::size_t n_numbers = 0;
};

/// Number i of a property list.
LibraryFilter filter_of(hid_t creation, int i, const Task& task) {
  LibraryFilter filter;
  unsigned config = 0;
  filter.n_numbers = filter.numbers.size();
  filter.id = H5Pget_filter2(creation, static_cast<unsigned>(i), &filter.flags, &filter.n_numbers,
                             filter.numbers.data(), 0, nullptr, &config);
  check(filter.id, task);
  if (filter.n_numbers > filter.numbers.size()) {
    fail(task, "one of its filters has too many parameters", kCopyAgain);
  }
  return filter;
}

void copy_filters(hid_t from, hid_t to, const Task& task) {
  const int n_filters = check(H5Pget_nfilters(from), task);
  for (int i = 0; i < n_filters; ++i) {
    const LibraryFilter filter = filter_of(from, i, task);
    // Nothing will be compressed, so that a library which only reads szip serves as well.
    check(H5Pset_filter(to, filter.id, filter.flags | H5Z_FLAG_OPTIONAL, filter.n_numbers, filter.numbers.data()),
          task);
  }
}

/// Whether the plug-ins behind the first filter of `made` are those of `wanted`, with the same parameters. The
/// library's own (szip) set theirs anew from the shape, and are measured with these.
bool has_same_filters(hid_t made, hid_t wanted, const Task& task) {
  const int n_filters = check(H5Pget_nfilters(wanted), task);
  for (int i = 0; i < n_filters; ++i) {
    const LibraryFilter now = filter_of(made, i + 1, task), then = filter_of(wanted, i, task);
    if (then.id < H5Z_FILTER_RESERVED) continue;
    if (now.id != then.id || now.n_numbers != then.n_numbers || now.numbers != then.numbers) return false;
  }
  return true;
}

}  // namespace

std::string obstacle_in_szip(const std::vector<StoredFilter>& filters, std::size_t element_bytes) {
  for (std::size_t i = 0; i < filters.size(); ++i) {
    if (filters[i].id != H5Z_FILTER_SZIP) continue;
    for (std::size_t later = i + 1; later < filters.size(); ++later) {
      // What it says of its result is at the beginning, where a checksum leaves it.
      if (filters[later].id != H5Z_FILTER_FLETCHER32) return "another filter follows 'szip'";
    }
    const auto& numbers = filters[i].parameters;
    if (numbers.size() < 4) return "its filter 'szip' lacks parameters";
    const unsigned block = numbers[1], bits = numbers[2], scanline = numbers[3];
    if (block < 2 || block > H5_SZIP_MAX_PIXELS_PER_BLOCK || block % 2 != 0) {
      return fmt::format("its filter 'szip' has blocks of {} pixels", block);
    }
    constexpr unsigned kLongestScanline = 4096;
    if (scanline == 0 || scanline > kLongestScanline) {
      return fmt::format("its filter 'szip' has lines of {} pixels", scanline);
    }
    if (bits == 0 || bits > 8 * element_bytes || (bits > 24 && bits != 32 && bits != 64)) {
      return fmt::format("its filter 'szip' has pixels of {} bits", bits);
    }
  }
  return "";
}

bool szip_claims_more(const std::vector<StoredFilter>& filters, std::uint32_t skipped,
                      std::span<const std::byte> stored, std::uint64_t most) {
  for (std::size_t i = 0; i < filters.size(); ++i) {
    if (filters[i].id != H5Z_FILTER_SZIP || (i < 32 && (skipped >> i & 1) != 0)) continue;
    std::uint64_t claimed = 0;
    for (std::size_t byte = 0; byte < 4 && byte < stored.size(); ++byte) {
      claimed |= std::to_integer<std::uint64_t>(stored[byte]) << (8 * byte);
    }
    return claimed > most;
  }
  return false;
}

LibraryFilters::LibraryFilters(const OpenDataset& like, const Task& task) : rank_(like.chunk.size()) {
  register_measure(task);
  // References have no meaning in another file; filters that ask for the type have none for them either.
  const std::size_t element_bytes = H5Tget_size(like.type.get());
  type_ = holds_references(like.type.get()) ? own(H5Tcreate(H5T_OPAQUE, element_bytes), H5Tclose, task)
                                            : own(H5Tcopy(like.type.get()), H5Tclose, task);
  unsigned chunk_bytes = static_cast<unsigned>(element_bytes);  // less than 4 GB, by the format
  for (const hsize_t axis : like.chunk) chunk_bytes *= static_cast<unsigned>(axis);
  const Handle old_creation = own(H5Dget_create_plist(like.id.get()), H5Pclose, task);
  const Handle creation = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, task);
  check(H5Pset_chunk(creation.get(), static_cast<int>(rank_), like.chunk.data()), task);
  check(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), task);
  check(H5Pset_filter(creation.get(), kMeasure, H5Z_FLAG_MANDATORY, 1, &chunk_bytes), task);
  copy_filters(old_creation.get(), creation.get(), task);
  file_ = file_in_memory(task);
  first_ = own(H5Screate_simple(static_cast<int>(rank_), like.chunk.data(), nullptr), H5Sclose, task);
  const Handle access = own(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, task);
  check(H5Pset_chunk_cache(access.get(), 1, 0, 0.0), task);
  dataset_ = own(H5Dcreate2(file_.get(), "chunk", type_.get(), first_.get(), H5P_DEFAULT, creation.get(), access.get()),
                 H5Dclose, task);
  const Handle made = own(H5Dget_create_plist(dataset_.get()), H5Pclose, task);
  same_parameters_ = has_same_filters(made.get(), old_creation.get(), task);
  const std::vector<hsize_t> one(rank_, 1), origin(rank_, 0);
  one_value_ = own(H5Screate_simple(static_cast<int>(rank_), one.data(), nullptr), H5Sclose, task);
  check(H5Sselect_hyperslab(first_.get(), H5S_SELECT_SET, origin.data(), nullptr, one.data(), nullptr), task);
}

void LibraryFilters::require_whole(std::span<const std::byte> stored, std::uint32_t skipped, const Task& task) {
  const std::vector<hsize_t> origin(rank_, 0);
  check(H5Dwrite_chunk(dataset_.get(), H5P_DEFAULT, skipped << 1, origin.data(), stored.size(), stored.data()), task);
  std::vector<std::byte> value(H5Tget_size(type_.get()));
  const herr_t status = H5Dread(dataset_.get(), type_.get(), one_value_.get(), first_.get(), H5P_DEFAULT, value.data());
  if (status >= 0) return;
  H5Eclear2(H5E_DEFAULT);
  fail(task, "its compressed values are damaged", kCopyAgain);
}

}  // namespace xrai::hdf5
