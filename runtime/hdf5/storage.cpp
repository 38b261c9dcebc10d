// What the library knows of where a data set lies, together with the chunk index that it does not give away.
#include "runtime/hdf5/storage.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "runtime/hdf5/chunk_index.h"
#include "runtime/hdf5/library_filters.h"
#include "runtime/hdf5/packed_numbers.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kMostMapped = std::uint64_t{1} << 30;

std::vector<StoredFilter> stored_filters(hid_t creation, const Task& task) {
  std::vector<StoredFilter> filters(static_cast<std::size_t>(check(H5Pget_nfilters(creation), task)));
  for (std::size_t i = 0; i < filters.size(); ++i) {
    unsigned flags = 0, config = 0;
    std::array<unsigned, 20> values{};
    std::size_t n_values = values.size();
    std::array<char, 64> name{};
    const H5Z_filter_t id = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &n_values, values.data(),
                                           name.size() - 1, name.data(), &config);
    filters[i] = {check(id, task), name.data(), {values.begin(), values.begin() + std::min(n_values, values.size())}};
  }
  return filters;
}

std::vector<std::byte> fill_value(hid_t creation, hid_t type, const Task& task) {
  std::vector<std::byte> value(H5Tget_size(type));
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  check(H5Pfill_value_defined(creation, &defined), task);
  if (defined == H5D_FILL_VALUE_USER_DEFINED) check(H5Pget_fill_value(creation, type, value.data()), task);
  return value;
}

ChunkGridSpec grid_spec(const OpenDataset& dataset, const Storage& storage, bool plain_edges, const Task& task) {
  ChunkGridSpec spec{storage.shape, {}, storage.chunk_shape, storage.element_bytes, dataset.filtered, plain_edges};
  const Handle space = own(H5Dget_space(dataset.id.get()), H5Sclose, task);
  std::vector<hsize_t> largest(storage.shape.size());
  check(H5Sget_simple_extent_dims(space.get(), nullptr, largest.data()), task);
  for (const hsize_t axis : largest) spec.largest.push_back(axis == H5S_UNLIMITED ? kNowhere : axis);
  for (const std::uint64_t axis : storage.chunk_shape) {
    if (axis == 0 || spec.chunk_bytes > UINT32_MAX / axis) throw Damaged{};  // the format's own limit is 4 GB
    spec.chunk_bytes *= axis;
  }
  return spec;
}

NumberType number_type(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return {.is_number = false};
  const bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
  return {.is_float = kind == H5T_FLOAT,
          .is_signed = is_signed,
          .big_endian = H5Tget_order(type) == H5T_ORDER_BE,
          .bytes = H5Tget_size(type),
          .bits = H5Tget_precision(type),
          .first_bit = static_cast<std::uint64_t>(std::max(H5Tget_offset(type), 0))};
}

/// Filters that pack numbers say of the values what the data set says, too; and szip what can be.
void require_fitting_filters(const Storage& storage, hid_t type, const Task& task) {
  std::uint64_t n_values = 1;
  for (const std::uint64_t axis : storage.chunk_shape) n_values *= axis;
  const NumberType numbers = number_type(type);
  for (const StoredFilter& filter : storage.filters) {
    if (!packs_numbers(filter) || !obstacle_in_packing(filter).empty()) continue;
    if (fits_type(filter, numbers, n_values)) continue;
    fail(task, fmt::format("its filter '{}' is for other values than it holds", filter.name), kCopyAgain);
  }
  const std::string obstacle = obstacle_in_szip(storage.filters, storage.element_bytes);
  if (!obstacle.empty()) fail(task, obstacle + ", which cannot be undone", kCopyAgain);
}

Storage read_chunks(const OpenDataset& dataset, const Task& task) {
  const Handle hdf5_file = own(H5Iget_file_id(dataset.id.get()), H5Fclose, task);  // a link may have led to another one
  const FileBytes file(hdf5_file.get(), task);
  Storage storage;
  storage.descriptor = file.descriptor();
  storage.shape.assign(dataset.shape.begin(), dataset.shape.end());
  storage.element_bytes = H5Tget_size(dataset.type.get());
  const Handle creation = own(H5Dget_create_plist(dataset.id.get()), H5Pclose, task);
  unsigned chunk_options = 0;
  check(H5Pget_chunk_opts(creation.get(), &chunk_options), task);
  storage.filters = stored_filters(creation.get(), task);
  storage.chunk_shape.assign(dataset.chunk.begin(), dataset.chunk.end());
  ObjectInfo info{};
  check(H5Oget_info2(dataset.id.get(), &info, H5O_INFO_BASIC), task);
  const Handle file_creation = own(H5Fget_create_plist(hdf5_file.get()), H5Pclose, task);
  unsigned half_of_children = 0;
  check(H5Pget_istore_k(file_creation.get(), &half_of_children), task);
  const bool plain_edges = (chunk_options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
  ChunkGrid grid(file, grid_spec(dataset, storage, plain_edges, task));
  read_chunk_index(file, read_layout_message(file, info.addr), 2 * std::uint64_t{half_of_children}, grid);
  storage.chunks = grid.take();
  require_fitting_filters(storage, dataset.type.get(), task);
  return storage;
}

void locate(const File::State& state, OpenDataset& dataset, Storage& storage, const Task& task) {
  if (!state.opened_as) throw NotUnderstood{"the file is being written"};
  if (dataset.shape.empty()) throw NotUnderstood{"it is a single value"};
  if (dataset.elsewhere) throw NotUnderstood{"its values lie in other files"};
  const Handle creation = own(H5Dget_create_plist(dataset.id.get()), H5Pclose, task);
  if (holds_references(dataset.type.get())) throw NotUnderstood{"its values are references to where the values are"};
  const FileBytes file(state.file.get(), task);
  const H5D_layout_t layout = check(H5Pget_layout(creation.get()), task);
  if (layout == H5D_CHUNKED) storage = *locate_chunks(dataset, task);
  storage.descriptor = file.descriptor();
  if (!dataset.filtered && file.base() + file.size() <= kMostMapped) {
    storage.mapping = std::make_shared<MappedFile>(file.descriptor(), file.base() + file.size());
  }
  storage.fill = fill_value(creation.get(), dataset.type.get(), task);
  if (layout == H5D_CHUNKED) return;
  if (layout != H5D_CONTIGUOUS) throw NotUnderstood{"its values lie in its header"};
  const haddr_t offset = H5Dget_offset(dataset.id.get());
  storage.written = offset != HADDR_UNDEF;
  if (!storage.written) return H5Eclear2(H5E_DEFAULT), void();
  storage.offset = offset;
  if (offset < file.base()) throw Damaged{};
  file.require(offset - file.base(), dataset.shape[0] * dataset.row_elements() * storage.element_bytes);
}

}  // namespace

std::shared_ptr<const Storage> locate_chunks(OpenDataset& dataset, const Task& task) {
  if (dataset.chunks) return dataset.chunks;
  try {
    dataset.chunks = std::make_shared<const Storage>(read_chunks(dataset, task));
  } catch (const Damaged&) {
    fail(task, "the index of its chunks is damaged", kCopyAgain);
  }
  return dataset.chunks;
}

std::uint64_t File::State::stored_bytes(OpenDataset& dataset, const Task& task) const {
  if (dataset.chunk.empty() || !opened_as) return H5Dget_storage_size(dataset.id.get());
  if (dataset.chunks_stored_bytes) return *dataset.chunks_stored_bytes;
  constexpr std::size_t kMostKept = 4096;
  std::uint64_t n_bytes = 0;
  try {
    const auto located = locate_chunks(dataset, task);
    for (const StoredChunk& chunk : located->chunks) n_bytes += chunk.bytes;
    // All data sets of a file are asked; a few bytes can say of each that it has a million chunks.
    if (located->chunks.size() > kMostKept) dataset.chunks.reset();
  } catch (const NotUnderstood&) {  // whoever reads it is told so
  }
  dataset.chunks_stored_bytes = n_bytes;
  return n_bytes;
}

Storage File::storage(std::string_view name) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  Storage storage;
  storage.shape.assign(dataset.shape.begin(), dataset.shape.end());
  storage.element_bytes = H5Tget_size(dataset.type.get());
  try {
    locate(state(), dataset, storage, task);
  } catch (const NotUnderstood& kind) {
    storage.obstacle = kind.reason;
  } catch (const Damaged&) {
    fail(task, "its values lie past the end of the file", kCopyAgain);
  }
  return storage;
}

void File::read_bytes(std::string_view name, const Storage& storage, std::uint64_t offset, std::size_t n_bytes,
                      std::byte* out) const {
  if (storage.mapping && storage.mapping->copy(offset, n_bytes, out)) return;
  while (n_bytes > 0) {
    const ssize_t n = pread(storage.descriptor, out, n_bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const Task task = state().reading(name);
      state().check_unchanged(task);  // the better sentence, when the file has become shorter
      fail(task, n < 0 ? std::strerror(errno) : "it ends too early", kCopyAgain);
    }
    offset += static_cast<std::uint64_t>(n);
    n_bytes -= static_cast<std::size_t>(n);
    out += n;
  }
}

bool File::is_in_memory(const Storage& storage, std::uint64_t offset) {
  std::byte unused{};
  const iovec place{&unused, 1};
  return preadv2(storage.descriptor, &place, 1, static_cast<off_t>(offset), RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

void File::fetch(const Storage& storage, std::uint64_t offset, std::uint64_t n_bytes) {
  (void)posix_fadvise(storage.descriptor, static_cast<off_t>(offset), static_cast<off_t>(n_bytes), POSIX_FADV_WILLNEED);
}

void File::require_unchanged(std::string_view name) const {
  state().check_unchanged(state().reading(name));
}

}  // namespace xrai::hdf5
