// From one file into another: data sets, types, links, or what is around a data set whose values are written again.
#include <algorithm>

#include "runtime/core/log.h"
#include "runtime/hdf5/state.h"
#include "runtime/hdf5/strings.h"

namespace xrai::hdf5 {
namespace {

herr_t keep_attribute_name(hid_t, const char* name, const H5A_info_t*, void* names) {
  try {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
  } catch (...) {  // exceptions must not pass through the C library
    return -1;
  }
}

H5L_info_t link_info(const File::State& state, const std::string& object, const Task& task) {
  H5L_info_t info{};
  check(H5Lget_info(state.file.get(), object.c_str(), &info, H5P_DEFAULT), task);
  return info;
}

Handle making_groups(const Task& task) {
  Handle links = own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, task);
  check(H5Pset_create_intermediate_group(links.get(), 1), task);
  return links;
}

/// Symbolic links stay what they are; nobody looks where they lead.
void copy_link(const File::State& from, const std::string& object, const H5L_info_t& info, const File::State& to,
               const Task& task) {
  std::vector<char> target(info.u.val_size + 1);
  check(H5Lget_val(from.file.get(), object.c_str(), target.data(), info.u.val_size, H5P_DEFAULT), task);
  const Handle links = making_groups(task);
  if (info.type == H5L_TYPE_SOFT) {
    check(H5Lcreate_soft(target.data(), to.file.get(), object.c_str(), links.get(), H5P_DEFAULT), task);
    return;
  }
  if (info.type != H5L_TYPE_EXTERNAL) fail(task, "it is a link of a kind that cannot be copied");
  const char *file = nullptr, *path = nullptr;
  unsigned flags = 0;
  check(H5Lunpack_elink_val(target.data(), info.u.val_size, &flags, &file, &path), task);
  check(H5Lcreate_external(file, path, to.file.get(), object.c_str(), links.get(), H5P_DEFAULT), task);
}

void copy_attribute(const File::State& state, hid_t from, hid_t to, const std::string& name, const Task& task) {
  const Task reading = state.reading(task.object);
  const Handle attribute = own(H5Aopen(from, name.c_str(), H5P_DEFAULT), H5Aclose, reading);
  const Handle type = own(H5Aget_type(attribute.get()), H5Tclose, reading);
  const Handle space = own(H5Aget_space(attribute.get()), H5Sclose, reading);
  const bool is_text = H5Tis_variable_str(type.get()) > 0;
  if (holds_references(type.get()) && !is_text) {
    log::warning(fmt::format("attribute '{}' of {} holds references and is left out", name, task.object));
    return;
  }
  // A type with a name is one of the other file.
  const Handle own_type = own(H5Tcopy(type.get()), H5Tclose, task);
  const Handle made =
      own(H5Acreate2(to, name.c_str(), own_type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, task);
  const auto n = static_cast<std::uint64_t>(check(H5Sget_simple_extent_npoints(space.get()), reading));
  if (n == 0) return;
  if (!is_text) {
    std::vector<std::byte> values(n * H5Tget_size(type.get()));
    check(H5Aread(attribute.get(), type.get(), values.data()), reading);
    check(H5Awrite(made.get(), type.get(), values.data()), task);
    return;
  }
  const auto texts = read_all_strings(attribute.get(), type.get(), n, reading,
                                      [&](hid_t memory, void* out) { return H5Aread(attribute.get(), memory, out); });
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  check(H5Awrite(made.get(), type.get(), pointers.data()), task);
}

void copy_attributes(const File::State& state, const std::string& object, const File::State& to, const Task& task) {
  const Handle source = state.open_object(object, state.reading(object));
  const Handle made = to.open_object(object, task);
  std::vector<std::string> names;
  hsize_t position = 0;
  check(H5Aiterate2(source.get(), H5_INDEX_NAME, H5_ITER_NATIVE, &position, keep_attribute_name, &names), task);
  for (const std::string& name : names) copy_attribute(state, source.get(), made.get(), name, task);
}

constexpr std::ptrdiff_t kDeepestGroup = 32;  // groups in groups

/// What becomes of values on their way to another file.
enum class Values { kAsStored, kText, kSequences, kLeftOut };

Values kind_of_values(hid_t type, const Task& task) {
  if (H5Tis_variable_str(type) > 0) return Values::kText;
  if (!holds_references(type)) return Values::kAsStored;
  if (H5Tget_class(type) != H5T_VLEN) return Values::kLeftOut;
  const Handle part = own(H5Tget_super(type), H5Tclose, task);
  return holds_references(part.get()) || H5Tis_variable_str(part.get()) > 0 ? Values::kLeftOut : Values::kSequences;
}

/// Copies the values of one data set, some rows at a time. Each part is read as everything is read here, looked at
/// before the library is given it, and never through H5Ocopy, which looks at nothing.
class ValueCopy {
 public:
  ValueCopy(const File::State& from, OpenDataset& source, hid_t made, const Task& writing)
      : from_(from), source_(source), made_(made), reading_(from.reading(writing.object)), writing_(writing) {}

  void run(Values kind) {
    if (source_.shape.empty()) return copy(kind, 1, H5S_ALL, H5S_ALL);
    const std::uint64_t row_bytes = source_.row_elements() * H5Tget_size(source_.type.get());
    if (row_bytes > kMostOfARow) fail(reading_, fmt::format("its rows are of {} MB each", row_bytes >> 20));
    const std::uint64_t rows = source_.shape[0], most = kind == Values::kAsStored ? rows : kMostSequences;
    const std::uint64_t at_once =
        std::clamp<std::uint64_t>(kAtOnce / (row_bytes + 1), 1, std::max<std::uint64_t>(1, most));
    for (std::uint64_t first = 0; first < rows; first += at_once) {
      const std::uint64_t count = std::min(at_once, rows - first);
      const Handle place = from_.select_rows(source_, first, count, reading_);
      const Handle memory = rows_in_memory(source_, count, reading_);
      copy(kind, count * source_.row_elements(), memory.get(), place.get());
    }
  }

 private:
  static constexpr std::uint64_t kAtOnce = std::uint64_t{4} << 20, kMostOfARow = std::uint64_t{1} << 30;
  static constexpr std::uint64_t kMostSequences = 256;  // rows; each may be a whole picture

  void copy(Values kind, std::uint64_t n, hid_t memory, hid_t place) {
    if (n == 0) return;
    const hid_t type = source_.type.get();
    const auto read = [&](hid_t as, void* out) { from_.read_values(source_, as, memory, place, out, reading_); };
    const auto write = [&](const void* values) {
      check(H5Dwrite(made_, type, memory, place, H5P_DEFAULT, values), writing_);
    };
    if (kind == Values::kAsStored) {
      std::vector<std::byte> values(n * H5Tget_size(type));
      read(type, values.data());
      write(values.data());
    } else if (kind == Values::kText) {
      const auto texts = read_all_strings(source_.id.get(), type, n, reading_, read);
      std::vector<const char*> pointers;
      for (const std::string& text : texts) pointers.push_back(text.c_str());
      write(pointers.data());
    } else {
      const std::size_t unit = H5Tget_size(own(H5Tget_super(type), H5Tclose, reading_).get());
      auto sequences = read_sequences(source_.id.get(), unit, n, reading_, read);
      std::vector<hvl_t> pointers;
      for (auto& bytes : sequences) pointers.push_back({bytes.size() / unit, bytes.data()});
      write(pointers.data());
    }
  }

  const File::State& from_;
  OpenDataset& source_;
  const hid_t made_;
  const Task reading_, writing_;
};

void copy_fill_value(const OpenDataset& source, hid_t creation, const Task& task) {
  const Handle of_source = own(H5Dget_create_plist(source.id.get()), H5Pclose, task);
  H5D_fill_value_t kind{};
  check(H5Pfill_value_defined(of_source.get(), &kind), task);
  if (kind != H5D_FILL_VALUE_USER_DEFINED) return;
  std::vector<std::byte> value(H5Tget_size(source.type.get()));
  check(H5Pget_fill_value(of_source.get(), source.type.get(), value.data()), task);
  check(H5Pset_fill_value(creation, source.type.get(), value.data()), task);
}

void copy_dataset(const File::State& from, const std::string& object, const File::State& to, const Task& task) {
  OpenDataset source = from.open_dataset(object, from.reading(object));
  const Values kind = kind_of_values(source.type.get(), task);
  if (kind == Values::kLeftOut) {
    log::warning(fmt::format("{} holds references and is left out", object));
    return;
  }
  const Handle space = own(H5Dget_space(source.id.get()), H5Sclose, task), links = making_groups(task);
  const bool is_empty = H5Sget_simple_extent_type(space.get()) == H5S_NULL;
  // Declared, and never written: it stays so, however large it is.
  const bool is_written = !is_empty && (source.elsewhere || from.stored_bytes(source, from.reading(object)) > 0);
  if (is_written) (void)from.elements_that_fit(source, from.reading(object));
  // Without what it may grow to, since that needs chunks.
  const Handle as_large =
      is_empty ? own(H5Screate(H5S_NULL), H5Sclose, task)
      : source.shape.empty()
          ? own(H5Screate(H5S_SCALAR), H5Sclose, task)
          : own(H5Screate_simple(static_cast<int>(source.shape.size()), source.shape.data(), nullptr), H5Sclose, task);
  const Handle type = own(H5Tcopy(source.type.get()), H5Tclose, task);
  const Handle creation = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, task);
  if (kind == Values::kAsStored) copy_fill_value(source, creation.get(), task);
  const Handle made = own(
      H5Dcreate2(to.file.get(), object.c_str(), type.get(), as_large.get(), links.get(), creation.get(), H5P_DEFAULT),
      H5Dclose, task);
  if (is_written) ValueCopy(from, source, made.get(), task).run(kind);
  copy_attributes(from, object, to, task);
}

void copy_type(const File::State& from, const std::string& object, const File::State& to, const Task& task) {
  const Handle named = from.open_object(object, from.reading(object)), links = making_groups(task);
  const Handle type = own(H5Tcopy(named.get()), H5Tclose, task);
  check(H5Tcommit2(to.file.get(), object.c_str(), type.get(), links.get(), H5P_DEFAULT, H5P_DEFAULT), task);
  copy_attributes(from, object, to, task);
}

}  // namespace

bool File::is_link(std::string_view object) const {
  const LibraryLock lock;
  return link_info(state(), std::string(object), state().reading(object)).type != H5L_TYPE_HARD;
}

std::uint64_t File::address(std::string_view object) const {
  const LibraryLock lock;
  if (object == "/") return state().root_address();
  return link_info(state(), std::string(object), state().reading(object)).u.address;
}

void File::link(std::string_view existing, std::string_view name) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  const Handle links = making_groups(task);
  check(H5Lcreate_hard(state().file.get(), std::string(existing).c_str(), state().file.get(), std::string(name).c_str(),
                       links.get(), H5P_DEFAULT),
        task);
}

void File::copy(const File& source, std::string_view name) {
  const std::string object(name);
  if (!source.is_link(object) && source.is_group(object)) {
    if (std::count(object.begin(), object.end(), '/') > kDeepestGroup) {
      fail(source.state().reading(name), "it is in a group without end");
    }
    create_group_like(source, object);
    for (const std::string& member : source.names_in(object)) copy(source, object + "/" + member);
    return;
  }
  const LibraryLock lock;
  const Task writing = state().writing(name), reading = source.state().reading(name);
  const H5L_info_t info = link_info(source.state(), object, reading);
  if (info.type != H5L_TYPE_HARD) return copy_link(source.state(), object, info, state(), writing);
  const H5I_type_t kind = H5Iget_type(source.state().open_object(object, reading).get());
  if (kind == H5I_DATASET) copy_dataset(source.state(), object, state(), writing);
  if (kind == H5I_DATATYPE) copy_type(source.state(), object, state(), writing);
  source.state().check_unchanged(reading);
}

void File::create_group_like(const File& source, std::string_view group) {
  const LibraryLock lock;
  const Task task = state().writing(group);
  const std::string object(group);
  if (object != "/") {
    const Handle links = making_groups(task);
    own(H5Gcreate2(state().file.get(), object.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose, task);
  }
  copy_attributes(source.state(), object, state(), task);
}

void File::create_dataset_like(const File& source, std::string_view name, const CreateOptions& options) {
  const LibraryLock lock;
  const OpenDataset& dataset = source.state().dataset(name, source.state().reading(name));
  state().make_dataset(name, dataset.type.get(), {dataset.shape.begin(), dataset.shape.end()}, options);
  copy_attributes(source.state(), std::string(name), state(), state().writing(name));
}

void File::write_stored_rows(std::string_view name, std::uint64_t first, std::uint64_t count, const std::byte* rows) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  const OpenDataset& dataset = state().dataset(name, task);
  const Handle file_space = state().select_rows(dataset, first, count, task);
  const Handle memory_space = rows_in_memory(dataset, count, task);
  check(H5Dwrite(dataset.id.get(), dataset.type.get(), memory_space.get(), file_space.get(), H5P_DEFAULT, rows), task);
}

}  // namespace xrai::hdf5
