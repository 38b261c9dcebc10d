// Values into a file: whole data sets, rows, growing data sets, strings.
#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {
namespace {

void check_options(const std::vector<std::uint64_t>& shape, const CreateOptions& options, const Task& task) {
  if ((options.deflate_level > 0 || options.growable) && options.chunk_shape.empty()) {
    fail(task, "compressing or growing was asked for without a chunk shape");
  }
  if (!options.chunk_shape.empty() && options.chunk_shape.size() != shape.size()) {
    fail(task, fmt::format("the chunk shape has {} axes and the data {}", options.chunk_shape.size(), shape.size()));
  }
}

}  // namespace

template <class T>
void File::create_dataset(std::string_view name, const std::vector<std::uint64_t>& shape,
                          const CreateOptions& options) {
  const LibraryLock lock;
  check_options(shape, options, state().writing(name));
  state().make_dataset(name, stored_type(type_of<T>()), shape, options);
}

template <class T>
void File::write(std::string_view name, const std::vector<std::uint64_t>& shape, const T* values,
                 const CreateOptions& options) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  check_options(shape, options, task);
  const OpenDataset& dataset = state().make_dataset(name, stored_type(type_of<T>()), shape, options);
  if (!shape.empty() && dataset.shape[0] * dataset.row_elements() == 0) return;
  check(H5Dwrite(dataset.id.get(), memory_type(type_of<T>()), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), task);
}

template <class T>
void File::write_rows(std::string_view name, std::uint64_t first, std::uint64_t count, const T* values) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  const OpenDataset& dataset = state().dataset(name, task);
  const Handle file_space = state().select_rows(dataset, first, count, task);
  const std::uint64_t n = count * dataset.row_elements();
  if (n == 0) return;
  const Handle memory_space = rows_in_memory(dataset, count, task);
  check(
      H5Dwrite(dataset.id.get(), memory_type(type_of<T>()), memory_space.get(), file_space.get(), H5P_DEFAULT, values),
      task);
}

template <class T>
void File::append_rows(std::string_view name, std::uint64_t count, const T* values) {
  std::uint64_t first = 0;
  {
    const LibraryLock lock;
    const Task task = state().writing(name);
    OpenDataset& dataset = state().dataset(name, task);
    if (dataset.shape.empty()) fail(task, "a single value has no rows to append to");
    first = dataset.shape[0];
    std::vector<hsize_t> larger = dataset.shape;
    larger[0] += count;
    check(H5Dset_extent(dataset.id.get(), larger.data()), task);
    dataset.shape = larger;
  }
  write_rows(name, first, count, values);
}

void File::write_strings(std::string_view name, const std::vector<std::string>& values) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  const Handle type = string_type(task);
  const OpenDataset& dataset = state().make_dataset(name, type.get(), {values.size()}, {});
  if (values.empty()) return;
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  check(H5Dwrite(dataset.id.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), task);
}

#define XRAI_HDF5_WRITE(T)                                                                                           \
  template void File::create_dataset<T>(std::string_view, const std::vector<std::uint64_t>&, const CreateOptions&);  \
  template void File::write<T>(std::string_view, const std::vector<std::uint64_t>&, const T*, const CreateOptions&); \
  template void File::write_rows<T>(std::string_view, std::uint64_t, std::uint64_t, const T*);                       \
  template void File::append_rows<T>(std::string_view, std::uint64_t, const T*);
XRAI_HDF5_WRITE(std::int8_t)
XRAI_HDF5_WRITE(std::uint8_t)
XRAI_HDF5_WRITE(std::int16_t)
XRAI_HDF5_WRITE(std::uint16_t)
XRAI_HDF5_WRITE(std::int32_t)
XRAI_HDF5_WRITE(std::uint32_t)
XRAI_HDF5_WRITE(std::int64_t)
XRAI_HDF5_WRITE(std::uint64_t)
XRAI_HDF5_WRITE(float)
XRAI_HDF5_WRITE(double)
#undef XRAI_HDF5_WRITE

}  // namespace xrai::hdf5
