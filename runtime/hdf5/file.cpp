// Making and closing files; what is in them.
#include "runtime/hdf5/file.h"

#include <algorithm>
#include <exception>

#include "runtime/core/log.h"
#include "runtime/hdf5/file_bytes.h"
#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {
namespace {

herr_t keep_name(hid_t /*group*/, const char* name, const H5L_info_t* /*info*/, void* names) {
  try {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
  } catch (...) {  // exceptions must not pass through the C library
    return -1;
  }
}

std::string filter_name(hid_t creation, unsigned index, const Task& task) {
  unsigned flags = 0, config = 0, values[8] = {};
  std::size_t n_values = 8;
  char name[64] = "";
  const H5Z_filter_t id = H5Pget_filter2(creation, index, &flags, &n_values, values, sizeof name, name, &config);
  check(id, task);
  if (id == H5Z_FILTER_DEFLATE) return fmt::format("deflate({})", values[0]);
  return name[0] != '\0' ? std::string(name) : fmt::format("filter {}", id);
}

}  // namespace

std::uint64_t DatasetInfo::row_bytes() const {
  std::uint64_t bytes = element_bytes;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) bytes *= shape[axis];
  return bytes;
}

File::File(std::unique_ptr<State> state) : state_(std::move(state)) {}
File::File(File&&) noexcept = default;

File& File::operator=(File&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

File::~File() {
  if (!state_) return;
  try {
    close();
  } catch (const std::exception& error) {
    // Behind a write that failed the closing fails for the same reason, which is on its way already.
    if (std::uncaught_exceptions() == 0) log::warning(error.what());
  }
}

File File::create(const std::filesystem::path& path) {
  const Task task{"creating", "", path, ExitCode::kStorage};
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    throw Error(
        ExitCode::kStorage,
        fmt::format("creating {} failed: it is already there; remove it or choose another name", path.string()));
  }
  const LibraryLock lock;
  auto state = std::make_unique<State>();
  state->path = path;
  const Handle access = file_access(task);
  state->file = own(H5Fcreate(path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access.get()), H5Fclose, task);
  try {
    state->written = FileBytes(state->file.get(), task).descriptor();
  } catch (const NotUnderstood&) {  // a driver that the environment chose; the library writes all then
  }
  return File(std::move(state));
}

const std::filesystem::path& File::path() const {
  return state().path;
}

File::State& File::state() const {
  if (!state_) throw Error(ExitCode::kFailure, "an HDF5 file was used after it had been closed; please report this");
  return *state_;
}

void File::close() {
  const LibraryLock lock;
  if (!state_) return;
  const std::unique_ptr<State> state = std::move(state_);
  const Task task{"closing", "", state->path, ExitCode::kStorage};
  std::string reason;
  const auto keep_first_reason = [&reason](herr_t status) {
    if (status < 0 && reason.empty()) reason = reason_from_library();
  };
  // Everything is closed whatever fails on the way: an identifier left behind would be written again at exit.
  for (auto& [name, dataset] : state->datasets) {
    keep_first_reason(dataset.type.close());
    keep_first_reason(dataset.id.close());
    dataset.sources.reset();  // they may be in this file, which closes all that is open in it
  }
  keep_first_reason(state->file.close());
  if (!reason.empty()) fail(task, reason, "check the folder's free space, permissions and quota");
}

bool File::has(std::string_view object) const {
  const LibraryLock lock;
  return state().has(object);
}

std::vector<std::string> File::names_in(std::string_view group) const {
  const LibraryLock lock;
  const Task task = state().reading(group);
  if (!state().has(group)) fail(task, "there is no such group in the file");
  state().require_sound(group, task);
  const Handle opened = own(H5Gopen2(state().file.get(), std::string(group).c_str(), H5P_DEFAULT), H5Gclose, task);
  std::vector<std::string> names;
  hsize_t position = 0;
  check(H5Literate(opened.get(), H5_INDEX_NAME, H5_ITER_NATIVE, &position, keep_name, &names), task);
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

/// Of the identifiers' kinds; H5I_BADID: there is no such object.
H5I_type_t kind_of(const File::State& state, std::string_view object) {
  if (!state.has(object)) return H5I_BADID;
  return H5Iget_type(state.open_object(object, state.reading(object)).get());
}

}  // namespace

bool File::is_dataset(std::string_view object) const {
  const LibraryLock lock;
  return kind_of(state(), object) == H5I_DATASET;
}

bool File::is_group(std::string_view object) const {
  const LibraryLock lock;
  return kind_of(state(), object) == H5I_GROUP;
}

void File::require_plausible(std::string_view name) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  (void)state().elements_that_fit(state().dataset(name, task), task);
}

DatasetInfo File::info(std::string_view name) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  DatasetInfo info;
  info.shape.assign(dataset.shape.begin(), dataset.shape.end());
  info.chunk_shape.assign(dataset.chunk.begin(), dataset.chunk.end());
  info.values_elsewhere = dataset.elsewhere;
  info.type = classify(dataset.type.get());
  info.element_bytes = H5Tget_size(dataset.type.get());
  info.big_endian = is_big_endian(dataset.type.get());
  info.any_length = H5Tis_variable_str(dataset.type.get()) > 0;
  info.stored_bytes = state().stored_bytes(dataset, task);
  const Handle creation = own(H5Dget_create_plist(dataset.id.get()), H5Pclose, task);
  const int n_filters = check(H5Pget_nfilters(creation.get()), task);
  for (int i = 0; i < n_filters; ++i) {
    info.filters.push_back(filter_name(creation.get(), static_cast<unsigned>(i), task));
  }
  return info;
}

}  // namespace xrai::hdf5
