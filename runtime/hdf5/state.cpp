// Opening and making objects of a file, with every number of a file's header checked before it is believed.
#include "runtime/hdf5/state.h"

#include <algorithm>
#include <limits>

#include "runtime/hdf5/chunk_filters.h"
#include "runtime/hdf5/virtual_sources.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;
// A data set that was declared and never written is legal and reads as zeros; up to here it is given to the caller.
constexpr std::uint64_t kUnwrittenLimit = 64 * kMegabyte;
constexpr std::uint64_t kElsewhereLimit = std::uint64_t{1} << 36;

std::vector<hsize_t> checked_shape(hid_t space, const Task& task) {
  const int rank = check(H5Sget_simple_extent_ndims(space), task);
  std::vector<hsize_t> shape(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space, shape.data(), nullptr), task);
  std::uint64_t product = 1;
  for (const hsize_t axis : shape) {
    // 2^59 elements of eight bytes are still counted in 64 bits.
    if (axis != 0 && product > (std::uint64_t{1} << 59) / axis) {
      fail(task, fmt::format("its shape ({}) cannot be true", fmt::join(shape, ", ")), kCopyAgain);
    }
    product *= std::max<std::uint64_t>(axis, 1);
  }
  return shape;
}

// Unfiltered chunks are read in place, row by row: a cache would read the whole chunk for each row of a shuffled
// epoch. Filtered chunks are inflated whole, so a few of them are kept.
Handle access_properties(const OpenDataset& dataset, const Task& task) {
  Handle access = own(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, task);
  // By default those files are looked for where the program was started, and not beside this one.
  if (dataset.external) check(H5Pset_efile_prefix(access.get(), "${ORIGIN}"), task);
  if (dataset.chunk.empty()) return access;
  std::uint64_t chunk_bytes = H5Tget_size(dataset.type.get());
  for (const hsize_t axis : dataset.chunk) chunk_bytes = std::min<std::uint64_t>(chunk_bytes * axis, 64 * kMegabyte);
  const std::uint64_t cache_bytes = dataset.filtered ? std::max<std::uint64_t>(8 * chunk_bytes, kMegabyte) : 0;
  check(H5Pset_chunk_cache(access.get(), 521, cache_bytes, 0.75), task);
  return access;
}

/// A part of a file without any form that holds values.
struct RawPart {
  std::string file;
  std::uint64_t offset;
  hsize_t n_bytes;  // H5F_UNLIMITED: to the end
};

std::vector<RawPart> raw_parts(hid_t creation, const Task& task) {
  std::vector<RawPart> parts;
  const int n = check(H5Pget_external_count(creation), task);
  for (int i = 0; i < n; ++i) {
    char name[4096] = "";
    off_t offset = 0;
    hsize_t n_bytes = 0;
    check(H5Pget_external(creation, static_cast<unsigned>(i), sizeof name - 1, name, &offset, &n_bytes), task);
    if (offset < 0) fail(task, "its values lie before the beginning of a file", kCopyAgain);
    parts.push_back({name, static_cast<std::uint64_t>(offset), n_bytes});
  }
  return parts;
}

/// The library would read zeros past the end of such a file, and wait for whoever writes to a pipe.
std::uint64_t bytes_behind(const RawPart& part, const std::filesystem::path& path, const Task& task) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    fail(task, fmt::format("{}, which holds its values, is not there", path.string()), kCopyAgain);
  }
  const std::uint64_t file_bytes = std::filesystem::file_size(path, error);
  return error || part.offset > file_bytes ? 0 : file_bytes - part.offset;
}

void require_sound_raw_files(const OpenDataset& dataset, const std::vector<RawPart>& parts, const File::State& state,
                             const Task& task) {
  require_unset("HDF5_EXTFILE_PREFIX", task);
  const std::filesystem::path home = file_that_holds(dataset.id.get(), task);
  const std::uint64_t n_values = dataset.shape.empty() ? 1 : dataset.shape[0] * dataset.row_elements();
  std::uint64_t left = 0;
  if (__builtin_mul_overflow(n_values, H5Tget_size(dataset.type.get()), &left)) left = H5F_UNLIMITED;
  for (const RawPart& part : parts) {
    if (state.links == Links::kInFolder && !is_in_folder(state.opened_first(), home, part.file)) {
      fail_outside(part.file, task);
    }
    if (left == 0) return;
    const std::filesystem::path path = home.parent_path() / part.file;
    const std::uint64_t wanted = std::min<std::uint64_t>(left, part.n_bytes);
    if (bytes_behind(part, path, task) < wanted) {
      fail(task, fmt::format("{} ends before its values do", path.string()), kCopyAgain);
    }
    left -= wanted;
  }
  if (left > 0) fail(task, "its files have no place for all of its values", kCopyAgain);
}

/// The first filter of a data set that is neither part of the library nor found as a plug-in.
std::string missing_filter(hid_t creation, const Task& task) {
  const int n = check(H5Pget_nfilters(creation), task);
  for (int i = 0; i < n; ++i) {
    unsigned flags = 0, config = 0;
    std::size_t n_values = 0;
    char name[64] = "";
    const H5Z_filter_t id =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &n_values, nullptr, sizeof name - 1, name, &config);
    if (H5Zfilter_avail(check(id, task)) <= 0) {
      H5Eclear2(H5E_DEFAULT);
      return name[0] != '\0' ? fmt::format("{} ({})", name, id) : fmt::format("number {}", id);
    }
  }
  return "";
}

void describe(OpenDataset& dataset, const File::State& state, const Task& task) {
  dataset.type = own(H5Dget_type(dataset.id.get()), H5Tclose, task);
  const Handle space = own(H5Dget_space(dataset.id.get()), H5Sclose, task);
  dataset.shape = checked_shape(space.get(), task);
  const Handle creation = own(H5Dget_create_plist(dataset.id.get()), H5Pclose, task);
  const H5D_layout_t layout = check(H5Pget_layout(creation.get()), task);
  if (layout == H5D_CHUNKED) {
    dataset.chunk.resize(dataset.shape.size());
    check(H5Pget_chunk(creation.get(), static_cast<int>(dataset.chunk.size()), dataset.chunk.data()), task);
    dataset.filtered = check(H5Pget_nfilters(creation.get()), task) > 0;
    dataset.missing_filter = missing_filter(creation.get(), task);
  }
  ObjectInfo file_info{}, info{};
  check(H5Oget_info2(state.file.get(), &file_info, H5O_INFO_BASIC), task);
  check(H5Oget_info2(dataset.id.get(), &info, H5O_INFO_BASIC), task);
  const auto parts = layout == H5D_CONTIGUOUS ? raw_parts(creation.get(), task) : std::vector<RawPart>{};
  dataset.external = !parts.empty();
  dataset.elsewhere = layout == H5D_VIRTUAL || dataset.external || info.fileno != file_info.fileno;
  if (dataset.external) require_sound_raw_files(dataset, parts, state, task);
  const std::filesystem::path home = dataset.elsewhere ? file_that_holds(dataset.id.get(), task) : state.path;
  const auto watch = [&](const std::filesystem::path& path) {
    struct stat now {};
    if (stat(path.c_str(), &now) == 0) dataset.others.push_back({path, now});
  };
  if (home != state.path) watch(home);
  for (const RawPart& part : parts) watch(home.parent_path() / part.file);
  if (layout == H5D_VIRTUAL) dataset.sources = std::make_shared<VirtualSources>(dataset, state, task);
}

}  // namespace

std::uint64_t OpenDataset::row_elements() const {
  std::uint64_t product = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) product *= shape[axis];
  return product;
}

Handle rows_in_memory(const OpenDataset& dataset, std::uint64_t count, const Task& task) {
  std::vector<hsize_t> extent = dataset.shape;
  extent[0] = count;
  return own(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose, task);
}

void fail_without_filter(const OpenDataset& dataset, const Task& task) {
  H5Eclear2(H5E_DEFAULT);
  fail(task,
       fmt::format("it is compressed with the filter {}, which the HDF5 library does not have", dataset.missing_filter),
       "install the plug-in and name its folder in HDF5_PLUGIN_PATH, or write the file again where it can be read "
       "(h5repack -f GZIP=4)");
}

OpenDataset File::State::open_dataset(std::string_view name, const Task& task) const {
  if (!has(name)) fail(task, "there is no such data set in the file");
  OpenDataset opened;
  const std::string text(name);
  if (H5Iget_type(open_object(name, task).get()) != H5I_DATASET) fail(task, "it is a group or a type, not a data set");
  opened.id = own(H5Dopen2(file.get(), text.c_str(), H5P_DEFAULT), H5Dclose, task);
  describe(opened, *this, task);
  const Handle access = access_properties(opened, task);
  opened.id.close();  // cache settings count only for the first opener of a data set
  opened.id = own(H5Dopen2(file.get(), text.c_str(), access.get()), H5Dclose, task);
  return opened;
}

OpenDataset& File::State::dataset(std::string_view name, const Task& task) {
  const auto known = datasets.find(name);
  if (known != datasets.end()) return known->second;
  return datasets.emplace(std::string(name), open_dataset(name, task)).first->second;
}

std::uint64_t File::State::elements_that_fit(OpenDataset& dataset, const Task& task) const {
  const std::uint64_t elements = dataset.shape.empty() ? 1 : dataset.shape[0] * dataset.row_elements();
  hsize_t file_bytes = 0;
  check(H5Fget_filesize(file.get(), &file_bytes), task);
  const std::uint64_t stored = std::min<std::uint64_t>(stored_bytes(dataset, task), file_bytes);
  const std::uint64_t inflated =
      stored > std::numeric_limits<std::uint64_t>::max() / kMostInflation ? stored : stored * kMostInflation;
  const std::uint64_t limit =
      dataset.elsewhere ? kElsewhereLimit : std::max(kUnwrittenLimit, dataset.filtered ? inflated : stored);
  const std::uint64_t element_bytes = std::max<std::uint64_t>(H5Tget_size(dataset.type.get()), 1);
  if (elements > limit / element_bytes) {
    fail(task,
         fmt::format("it declares {} values of {} bytes ({}), which {} stored bytes cannot hold", elements,
                     element_bytes, fmt::join(dataset.shape, " x "), stored),
         kCopyAgain);
  }
  return elements;
}

void require_as_opened(const WatchedFile& file, const Task& task) {
  const struct stat& then = file.opened_as;
  struct stat now {};
  if (stat(file.path.c_str(), &now) != 0) return;  // a removed file can still be read
  constexpr std::string_view kAdvice = "leave it alone while it is in use";
  const Task of_file{task.verb, task.object, file.path, task.code};
  if (now.st_ino != then.st_ino || now.st_dev != then.st_dev) {
    fail(of_file, "another file has taken its place since it was opened", kAdvice);
  }
  if (now.st_size != then.st_size) {
    fail(of_file, fmt::format("it had {} bytes when it was opened and has {} now", then.st_size, now.st_size), kAdvice);
  }
  if (now.st_mtim.tv_sec != then.st_mtim.tv_sec || now.st_mtim.tv_nsec != then.st_mtim.tv_nsec) {
    fail(of_file, "it was written to after it had been opened", kAdvice);
  }
}

void File::State::check_unchanged(const Task& task) const {
  if (opened_as) require_as_opened({path, *opened_as}, task);
}

Handle File::State::select_rows(const OpenDataset& dataset, std::uint64_t first, std::uint64_t count,
                                const Task& task) const {
  const std::uint64_t rows = dataset.shape.empty() ? 0 : dataset.shape[0];
  if (first > rows || count > rows - first) {
    fail(task, fmt::format("rows {} to {} were asked for, but it has {}", first, first + count, rows));
  }
  Handle space = own(H5Dget_space(dataset.id.get()), H5Sclose, task);
  std::vector<hsize_t> start(dataset.shape.size(), 0), extent = dataset.shape;
  start[0] = first;
  extent[0] = count;
  check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr), task);
  return space;
}

OpenDataset& File::State::make_dataset(std::string_view name, hid_t type, const std::vector<std::uint64_t>& shape,
                                       const CreateOptions& options) {
  const Task task = writing(name);
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  std::vector<hsize_t> largest = dims;
  if (options.growable && !largest.empty()) largest[0] = H5S_UNLIMITED;
  const Handle space =
      dims.empty() ? own(H5Screate(H5S_SCALAR), H5Sclose, task)
                   : own(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), largest.data()), H5Sclose, task);
  const Handle link_creation = own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, task);
  check(H5Pset_create_intermediate_group(link_creation.get(), 1), task);
  const Handle creation = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, task);
  OpenDataset made;
  made.chunk.assign(options.chunk_shape.begin(), options.chunk_shape.end());
  made.filtered = options.deflate_level > 0;
  if (!made.chunk.empty()) {
    check(H5Pset_chunk(creation.get(), static_cast<int>(made.chunk.size()), made.chunk.data()), task);
  }
  if (options.growable && !made.filtered) {
    // A chunk has its place as soon as the data set reaches there, so that append_rows can write around the library,
    // and it is not written twice, the first time with zeros.
    check(H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY), task);
    check(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), task);
  }
  if (made.filtered) check(H5Pset_deflate(creation.get(), static_cast<unsigned>(options.deflate_level)), task);
  made.type = own(H5Tcopy(type), H5Tclose, task);
  made.shape = dims;
  const Handle access = access_properties(made, task);
  const std::string text(name);
  made.id = own(H5Dcreate2(file.get(), text.c_str(), made.type.get(), space.get(), link_creation.get(), creation.get(),
                           access.get()),
                H5Dclose, task);
  return datasets.insert_or_assign(text, std::move(made)).first->second;
}

}  // namespace xrai::hdf5
