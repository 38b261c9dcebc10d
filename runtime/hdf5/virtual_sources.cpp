#include "runtime/hdf5/virtual_sources.h"

#include <algorithm>

#include "runtime/hdf5/chunk_check.h"

namespace xrai::hdf5 {

/// A part of the data set, and the part of the source that is seen there.
struct VirtualSources::Part {
  std::string file, dataset;
  std::vector<hsize_t> first, last;  // of the virtual data set
  bool is_whole = false;             // all of the source is seen, whatever its shape
  std::vector<hsize_t> source_first, source_last;
  hssize_t n_values = 0, n_source_values = 0;
  bool follows_rows = false;  // the source's rows are those of the virtual data set, one by one
  OpenDataset* source = nullptr;
};

namespace {

constexpr const char* kSameFile = ".";

std::string text_of(ssize_t (*get)(hid_t, std::size_t, char*, std::size_t), hid_t creation, std::size_t i,
                    const Task& task) {
  std::string text(static_cast<std::size_t>(check(get(creation, i, nullptr, 0), task)) + 1, '\0');
  check(get(creation, i, text.data(), text.size()), task);
  text.pop_back();
  return text;
}

void bounds(hid_t space, std::vector<hsize_t>& first, std::vector<hsize_t>& last, const Task& task) {
  first.resize(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space), task)));
  last.resize(first.size());
  check(H5Sget_select_bounds(space, first.data(), last.data()), task);
}

/// Whether nothing is left out between the first and the last value.
bool is_one_block(const std::vector<hsize_t>& first, const std::vector<hsize_t>& last, hssize_t n_values) {
  hsize_t product = 1;
  for (std::size_t axis = 0; axis < first.size(); ++axis) product *= last[axis] - first[axis] + 1;
  return product == static_cast<hsize_t>(n_values);
}

}  // namespace

VirtualSources::VirtualSources(const OpenDataset& dataset, const File::State& state, const Task& task)
    : opened_first_(state.opened_first()),
      links_(state.links),
      home_(file_that_holds(dataset.id.get(), task)),
      home_file_(own(H5Iget_file_id(dataset.id.get()), H5Fclose, task)),
      kind_(H5Tget_class(dataset.type.get())) {
  require_unset("HDF5_VDS_PREFIX", task);
  const Handle creation = own(H5Dget_create_plist(dataset.id.get()), H5Pclose, task);
  std::size_t n_parts = 0;
  check(H5Pget_virtual_count(creation.get(), &n_parts), task);
  parts_.reserve(n_parts);
  for (std::size_t i = 0; i < n_parts; ++i) add_part(creation.get(), i, task);
}

VirtualSources::~VirtualSources() = default;

void VirtualSources::add_part(hid_t creation, std::size_t i, const Task& task) {
  Part part;
  part.file = text_of(H5Pget_virtual_filename, creation, i, task);
  part.dataset = text_of(H5Pget_virtual_dsetname, creation, i, task);
  if (links_ == Links::kInFolder && part.file != kSameFile && !is_in_folder(opened_first_, home_, part.file)) {
    fail_outside(part.file, task);
  }
  const Handle place = own(H5Pget_virtual_vspace(creation, i), H5Sclose, task);
  bounds(place.get(), part.first, part.last, task);
  part.n_values = check(H5Sget_select_npoints(place.get()), task);
  const Handle seen = own(H5Pget_virtual_srcspace(creation, i), H5Sclose, task);
  part.is_whole = H5Sget_select_type(seen.get()) == H5S_SEL_ALL;
  if (!part.is_whole) {
    bounds(seen.get(), part.source_first, part.source_last, task);
    part.n_source_values = check(H5Sget_select_npoints(seen.get()), task);
  }
  parts_.push_back(std::move(part));
}

File::State& VirtualSources::file_of(const Part& part, const Task& task) {
  std::unique_ptr<File::State>& known = files_[part.file];
  if (known) return *known;
  const auto path = part.file == kSameFile ? home_ : linked_file(home_, part.file);
  auto opened = std::make_unique<File::State>();
  opened->path = path;
  opened->led_from = opened_first_;
  opened->links = links_;
  // The library gives up, and reads nothing but zeros, where the file is open in another way than its own.
  opened->file = part.file == kSameFile ? std::move(home_file_) : open_as_source(path, task);
  if (opened->file.get() < 0) {
    fail(task,
         fmt::format("its source {} is not there, or cannot be opened beside what is open already", path.string()),
         "put it beside the file that names it, or copy the values into one file (h5repack)");
  }
  struct stat status_now {};
  if (stat(path.c_str(), &status_now) == 0) opened->opened_as = status_now;
  known = std::move(opened);
  return *known;
}

void VirtualSources::require_unchanged(const Task& task) const {
  for (const auto& [name, file] : files_) {
    if (!file) continue;
    if (!std::filesystem::exists(file->path)) fail(task, fmt::format("its source {} is gone", file->path.string()));
    file->check_unchanged(task);
  }
}

OpenDataset& VirtualSources::open(Part& part, const Task& task) {
  if (part.source != nullptr) return *part.source;
  File::State& file = file_of(part, task);
  const Task source_task = file.reading(part.dataset);
  const std::string name = part.dataset.starts_with('/') ? part.dataset : "/" + part.dataset;
  OpenDataset& source = file.dataset(name, source_task);
  const Handle creation = own(H5Dget_create_plist(source.id.get()), H5Pclose, task);
  if (check(H5Pget_layout(creation.get()), task) == H5D_VIRTUAL) {
    fail(task, fmt::format("its source {} is a virtual data set itself", part.dataset),
         "copy its values: h5repack, or h5py");
  }
  require_fitting(part, source, task);
  const auto rows_of = [](const auto& first, const auto& last) { return last.empty() ? 0 : last[0] - first[0] + 1; };
  if (part.is_whole) {
    part.source_first.assign(source.shape.size(), 0);
    part.source_last.clear();
    for (const hsize_t length : source.shape) part.source_last.push_back(length - 1);
    part.n_source_values = part.n_values;
  }
  part.follows_rows = part.first.size() == part.source_first.size() &&
                      rows_of(part.first, part.last) == rows_of(part.source_first, part.source_last) &&
                      is_one_block(part.first, part.last, part.n_values) &&
                      is_one_block(part.source_first, part.source_last, part.n_source_values);
  part.source = &source;
  return source;
}

void VirtualSources::require_fitting(const Part& part, const OpenDataset& source, const Task& task) const {
  const auto require = [&](bool is_true) {
    if (!is_true) fail(task, fmt::format("its source {} has another shape or type", part.dataset), kCopyAgain);
  };
  require(H5Tget_class(source.type.get()) == kind_ && !holds_references(source.type.get()));
  if (part.is_whole) {
    const std::uint64_t n_values = source.shape.empty() ? 0 : source.shape[0] * source.row_elements();
    return require(n_values == static_cast<std::uint64_t>(part.n_values));
  }
  require(part.n_source_values == part.n_values && part.source_last.size() == source.shape.size());
  for (std::size_t axis = 0; axis < source.shape.size(); ++axis) require(part.source_last[axis] < source.shape[axis]);
}

void VirtualSources::require_sound(std::uint64_t first_row, std::uint64_t n_rows, const Task& task) {
  if (n_rows == 0) return;
  for (Part& part : parts_) {
    const std::uint64_t first = std::max<std::uint64_t>(first_row, part.first[0]);
    const std::uint64_t last = std::min<std::uint64_t>(first_row + n_rows - 1, part.last[0]);
    if (part.n_values == 0 || first > last) continue;
    OpenDataset& source = open(part, task);
    if (source.chunk.empty()) continue;
    const Task source_task = files_.at(part.file)->reading(part.dataset);
    const std::uint64_t skipped = part.follows_rows ? first - part.first[0] : 0;
    const std::uint64_t begin = part.source_first[0] + skipped;
    const std::uint64_t count = part.follows_rows ? last - first + 1 : part.source_last[0] - begin + 1;
    require_sound_chunks(source, begin, count, source_task);
  }
}

}  // namespace xrai::hdf5
