// The way to an object: through groups and links, each looked at before the library goes there, and none that leads to
// a file which is not allowed.
#include <algorithm>
#include <cstdlib>
#include <functional>

#include "runtime/hdf5/header_check.h"
#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {
namespace {

constexpr int kMostSteps = 1024;   // names on the way to one object, those in links among them
constexpr int kStepsOfALink = 16;  // each may open a file

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

/// What a link in `group` means, without the empty names and points that the library passes over.
std::string place_of(const std::string& target, const std::string& group) {
  std::string place;
  const std::string all = target.starts_with('/') ? target : group + "/" + target;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('/', begin), all.size());
    const std::string name = all.substr(begin, end - begin);
    if (!name.empty() && name != ".") place += "/" + name;
    begin = end + 1;
  }
  return place.empty() ? "/" : place;
}

void refuse_in_words(const Task& task, const std::function<void()>& look) {
  try {
    look();
  } catch (const Damaged&) {
    fail(task, "its description is damaged", kCopyAgain);
  } catch (const NotUnderstood& kind) {
    fail(task, "it cannot be checked, because " + kind.reason, kWriteOlder);
  }
}

}  // namespace

std::filesystem::path linked_file(const std::filesystem::path& from, const std::string& target) {
  const std::filesystem::path named(target);
  std::error_code error;
  // Whoever moves both files together leaves the link with the folder where they were.
  if (named.is_absolute() && !std::filesystem::exists(named, error)) return folder_of(from) / named.filename();
  return folder_of(from) / named;
}

// Where the library has followed the link it has the file open already, and wants the settings that it took itself.
Handle open_linked(const std::filesystem::path& path, const Task& task) {
  if (!is_sound_file(path, task)) return {};
  const Handle access = file_access(task);
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_WEAK), task);
  hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get());
  if (file < 0) file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  H5Eclear2(H5E_DEFAULT);
  return {file, H5Fclose};
}

// The library opens sources with the settings that nobody changed, locks and all, and a file only once.
Handle open_as_source(const std::filesystem::path& path, const Task& task) {
  if (!is_sound_file(path, task)) return {};
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  H5Eclear2(H5E_DEFAULT);
  return file;
}

std::filesystem::path file_that_holds(hid_t object, const Task& task) {
  std::string name(static_cast<std::size_t>(check(H5Fget_name(object, nullptr, 0), task)) + 1, '\0');
  check(H5Fget_name(object, name.data(), name.size()), task);
  name.pop_back();
  return name;
}

void require_unset(const char* variable, const Task& task) {
  const char* const folders = std::getenv(variable);
  if (folders == nullptr || *folders == '\0') return;
  fail(task, fmt::format("{} is set, and would lead to files that were not looked at", variable),
       fmt::format("unset {}", variable));
}

bool is_in_folder(const std::filesystem::path& file, const std::filesystem::path& from, const std::string& target) {
  std::error_code error;
  const auto folder = std::filesystem::canonical(folder_of(file), error);
  if (error) return false;
  const auto found = std::filesystem::canonical(linked_file(from, target), error);
  if (error) return false;  // the library would look for it elsewhere
  const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), found.begin(), found.end());
  return end == folder.end();
}

void fail_outside(const std::string& target, const Task& task) {
  fail(task, fmt::format("it leads to {}, which is not in the folder of the file", target),
       "--allow-links follows it, if you trust the file");
}

bool File::State::has(std::string_view object) const {
  int steps_left = kMostSteps;
  return has(std::string(object), steps_left);
}

// The library would go all the way at once, through any number of groups, links and files. Here each group is looked
// at before the library looks into it, and a link ends the way: what it means is looked for from the beginning, in the
// file that it means, so that a link behind it is one of that file.
bool File::State::has(const std::string& name, int& steps_left) const {
  const std::string_view way = name;
  require_sound_header_of(root_address(), reading("/"));
  Handle group;
  hid_t place = file.get();
  for (std::size_t begin = 1; begin < name.size();) {
    if (--steps_left < 0) return false;  // the links go in circles
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    H5L_info_t link{};
    if (H5Lexists(place, part.c_str(), H5P_DEFAULT) <= 0 || H5Lget_info(place, part.c_str(), &link, H5P_DEFAULT) < 0) {
      H5Eclear2(H5E_DEFAULT);
      return false;
    }
    if (link.type != H5L_TYPE_HARD) {
      return leads_somewhere(place, part, link, name.substr(0, begin - 1), name.substr(end), steps_left);
    }
    require_sound_header_of(link.u.address, reading(way.substr(0, end)));
    if (end == name.size()) break;
    group = Handle(H5Gopen2(place, part.c_str(), H5P_DEFAULT), H5Gclose);
    if (group.get() < 0) {  // a data set has nothing in it
      H5Eclear2(H5E_DEFAULT);
      return false;
    }
    place = group.get();
    begin = end + 1;
  }
  return true;
}

bool File::State::leads_somewhere(hid_t place, const std::string& name, const H5L_info_t& link,
                                  const std::string& group, const std::string& rest, int& steps_left) const {
  const std::string way = group + "/" + name;
  const Task task = reading(way);
  if (link.type != H5L_TYPE_SOFT && link.type != H5L_TYPE_EXTERNAL) return false;
  steps_left -= kStepsOfALink;
  std::vector<char> value(link.u.val_size + 1);
  check(H5Lget_val(place, name.c_str(), value.data(), link.u.val_size, H5P_DEFAULT), task);
  if (link.type == H5L_TYPE_SOFT) return has(place_of(value.data() + rest, group), steps_left);
  const char *linked = nullptr, *object = nullptr;
  unsigned flags = 0;
  check(H5Lunpack_elink_val(value.data(), link.u.val_size, &flags, &linked, &object), task);
  if (links == Links::kInFolder && !is_in_folder(opened_first(), path, linked)) fail_outside(linked, task);
  require_unset("HDF5_EXT_PREFIX", task);
  State other;
  other.path = linked_file(path, linked);
  other.led_from = opened_first();
  other.links = links;
  other.file = open_linked(other.path, task);
  if (other.file.get() < 0) return false;
  other.opened_as.emplace();
  return other.has(place_of(object + rest, "/"), steps_left);
}

void File::State::require_sound(std::string_view name, const Task& task) const {
  if (!opened_as || sound.contains(name)) return;
  if (!has(name)) fail(task, "there is no such object in the file");
  sound.emplace(name);
}

haddr_t File::State::root_address() const {
  ObjectInfo info{};
  check(H5Oget_info2(file.get(), &info, H5O_INFO_BASIC), reading("/"));
  return info.addr;
}

// Asked for an object the library makes room for as much as its header says that it has, any number of bytes, before
// anybody has looked at it; so it is found by the address that the link says.
void File::State::require_sound_header_of(haddr_t address, const Task& task) const {
  if (!opened_as || sound_headers.contains(address)) return;  // we are writing it, or it was looked at
  refuse_in_words(task, [&] {
    if (!bytes) bytes = std::make_shared<const FileBytes>(file.get(), task);
    require_sound_header(*bytes, address);
  });
  sound_headers.insert(address);
}

Handle File::State::open_object(std::string_view name, const Task& task) const {
  require_sound(name, task);
  const std::string text(name);
  // Opened a second time it wants the same properties, and H5Oopen takes none.
  if (const auto known = datasets.find(name); known != datasets.end() && known->second.external) {
    const Handle access = own(H5Dget_access_plist(known->second.id.get()), H5Pclose, task);
    return own(H5Dopen2(file.get(), text.c_str(), access.get()), H5Dclose, task);
  }
  return own(H5Oopen(file.get(), text.c_str(), H5P_DEFAULT), H5Oclose, task);
}

}  // namespace xrai::hdf5
