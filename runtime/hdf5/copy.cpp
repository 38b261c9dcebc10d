// From one file into another: whole objects, or what is around a data set whose values are written again.
#include "runtime/core/log.h"
#include "runtime/hdf5/chunk_check.h"
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
  const Handle made =
      own(H5Acreate2(to, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, task);
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

herr_t keep_link_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  return keep_attribute_name(-1, name, nullptr, names);
}

/// What the library would follow without looking when it copies an object: the members of a group and theirs, the index
/// of a data set's chunks, values of variable length, types that have an object of their own, and the attributes of
/// all.
class CopyCheck {
 public:
  CopyCheck(const File::State& state, const Task& task) : state_(state), task_(task) {}

  void require_sound(const std::string& object, int depth = 0) {
    if (depth > kDeepest) fail(task_, "it has groups in groups without end", kCopyAgain);
    state_.require_sound(object, task_);
    const Handle opened = state_.open_object(object, task_);
    if (!is_new(opened.get())) return;
    require_sound_attributes(opened.get(), depth);
    if (!state_.opened_as) return;
    const H5I_type_t kind = H5Iget_type(opened.get());
    if (kind == H5I_GROUP) require_sound_members(object, opened.get(), depth);
    if (kind == H5I_DATASET) require_sound_values(object, depth);
  }

 private:
  static constexpr int kDeepest = 64;

  /// Objects can be met by several names, and types by everything that has them.
  bool is_new(hid_t object) {
    ObjectInfo info{};
    check(H5Oget_info2(object, &info, H5O_INFO_BASIC), task_);
    return seen_.emplace(info.fileno, info.addr).second;
  }

  void require_sound_attributes(hid_t object, int depth) {
    std::vector<std::string> names;
    hsize_t position = 0;
    check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, &position, keep_attribute_name, &names), task_);
    for (const std::string& name : names) {
      const Handle attribute = own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, task_);
      const Handle type = own(H5Aget_type(attribute.get()), H5Tclose, task_);
      const Handle space = own(H5Aget_space(attribute.get()), H5Sclose, task_);
      const auto n = static_cast<std::uint64_t>(check(H5Sget_simple_extent_npoints(space.get()), task_));
      require_sound_type(type.get(), depth);
      require_sound_variable(attribute.get(), type.get(), n, task_,
                             [&](hid_t memory, void* out) { check(H5Aread(attribute.get(), memory, out), task_); });
    }
  }

  void require_sound_type(hid_t type, int depth) {
    if (depth > kDeepest) fail(task_, "its types refer to one another without end", kCopyAgain);
    if (!state_.opened_as || check(H5Tcommitted(type), task_) == 0 || !is_new(type)) return;
    ObjectInfo info{};
    check(H5Oget_info2(type, &info, H5O_INFO_BASIC), task_);
    const Handle home = own(H5Iget_file_id(type), H5Fclose, task_);
    require_sound_at(home.get(), info.addr, task_);
    require_sound_attributes(type, depth + 1);
  }

  void require_sound_members(const std::string& group, hid_t opened, int depth) {
    std::vector<std::string> names;
    hsize_t position = 0;
    check(H5Literate(opened, H5_INDEX_NAME, H5_ITER_NATIVE, &position, keep_link_name, &names), task_);
    for (const std::string& name : names) {
      const std::string member = (group == "/" ? "" : group) + "/" + name;
      if (link_info(state_, member, task_).type == H5L_TYPE_HARD) require_sound(member, depth + 1);
    }
  }

  void require_sound_values(const std::string& object, int depth) {
    OpenDataset dataset = state_.open_dataset(object, task_);
    require_sound_type(dataset.type.get(), depth);
    require_sound_chunks(dataset, 0, 0, task_);  // the index: it copies chunks as they are
    if (!is_variable(dataset.type.get(), task_)) return;
    require_sound_variable(
        dataset.id.get(), dataset.type.get(), state_.elements_that_fit(dataset, task_), task_,
        [&](hid_t memory, void* out) { state_.read_values(dataset, memory, H5S_ALL, H5S_ALL, out, task_); });
  }

  const File::State& state_;
  const Task task_;
  std::set<std::pair<unsigned long, haddr_t>> seen_;
};

}  // namespace

bool File::is_link(std::string_view object) const {
  const LibraryLock lock;
  return link_info(state(), std::string(object), state().reading(object)).type != H5L_TYPE_HARD;
}

void File::copy(const File& source, std::string_view name) {
  const LibraryLock lock;
  const Task task = source.state().reading(name);
  const std::string object(name);
  const H5L_info_t info = link_info(source.state(), object, task);
  if (info.type != H5L_TYPE_HARD) return copy_link(source.state(), object, info, state(), task);
  CopyCheck(source.state(), task).require_sound(object);
  const Handle links = making_groups(task);
  check(
      H5Ocopy(source.state().file.get(), object.c_str(), state().file.get(), object.c_str(), H5P_DEFAULT, links.get()),
      task);
  source.state().check_unchanged(task);
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
