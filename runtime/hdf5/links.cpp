// The way to an object: through groups and links, each looked at before the library goes there, and none that leads to
// a file which is not allowed.
#include <algorithm>
#include <cstdlib>
#include <functional>

#include "runtime/hdf5/header_check.h"
#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {
namespace {

constexpr int kMostLinks = 64;  // on the way to one object; the library follows 16, one leading to the next

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

herr_t look_at_link(const char* from, const char* /*group*/, const char* file, const char* /*object*/,
                    unsigned* /*flags*/, hid_t /*access*/, void* data) {
  try {
    auto& guard = *static_cast<LinkGuard*>(data);
    guard.led_to = linked_file(from, file);
    if (guard.file == nullptr || is_in_folder(*guard.file, from, file)) return 0;
    guard.refused = file;
  } catch (...) {  // exceptions must not pass through the C library
  }
  return -1;
}

void refuse_in_words(const Task& task, const std::function<void()>& look) {
  try {
    look();
  } catch (const Damaged&) {
    fail(task, "its description is damaged", kCopyAgain);
  } catch (const NotUnderstood& kind) {
    fail(task, "it cannot be checked, because " + kind.reason, "write it again with h5py or h5repack");
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

hid_t File::State::guarded_way(const Task& task) const {
  if (guarded.get() < 0) {
    Handle made = own(H5Pcreate(H5P_LINK_ACCESS), H5Pclose, task);
    check(H5Pset_elink_cb(made.get(), look_at_link, &guard), task);
    guarded = std::move(made);
  }
  guard = {links == Links::kInFolder ? &opened_first() : nullptr, "", {}};
  return guarded.get();
}

bool File::State::has(std::string_view object) const {
  int links_left = kMostLinks;
  return has(std::string(object), links_left);
}

// The library wants every group on the way checked before the next; and so do we, before it looks into one. What is at
// the end is looked at, too.
bool File::State::has(const std::string& name, int& links_left) const {
  const Task task = reading(name);
  if (--links_left < 0) return false;  // they go in circles
  std::string group = "/";
  require_sound(group, task);
  for (std::size_t end = name.find('/', 1); !name.empty() && name != "/"; end = name.find('/', end + 1)) {
    const std::string part = name.substr(0, end);
    if (H5Lexists(file.get(), part.c_str(), guarded_way(task)) <= 0 || !leads_somewhere(part, group, links_left) ||
        H5Oexists_by_name(file.get(), part.c_str(), guarded_way(task)) <= 0) {
      H5Eclear2(H5E_DEFAULT);
      if (!guard.refused.empty()) fail_outside(guard.refused, task);
      return false;
    }
    if (end == std::string::npos) break;
    group = part;
  }
  return true;
}

// The library goes all the way of a link at once; each step of it is looked at here before.
bool File::State::leads_somewhere(const std::string& name, const std::string& group, int& links_left) const {
  const Task task = reading(name);
  H5L_info_t info{};
  check(H5Lget_info(file.get(), name.c_str(), &info, H5P_DEFAULT), task);
  if (info.type == H5L_TYPE_HARD) require_sound(name, task);
  if (info.type != H5L_TYPE_SOFT && info.type != H5L_TYPE_EXTERNAL) return true;
  std::vector<char> value(info.u.val_size + 1);
  check(H5Lget_val(file.get(), name.c_str(), value.data(), info.u.val_size, H5P_DEFAULT), task);
  if (info.type == H5L_TYPE_SOFT) {
    return has(place_of(value.data(), group), links_left);
  }
  const char *linked = nullptr, *object = nullptr;
  unsigned flags = 0;
  check(H5Lunpack_elink_val(value.data(), info.u.val_size, &flags, &linked, &object), task);
  if (links == Links::kInFolder && !is_in_folder(opened_first(), path, linked)) return true;  // the guard refuses it
  require_unset("HDF5_EXT_PREFIX", task);
  State other;
  other.path = linked_file(path, linked);
  other.led_from = opened_first();
  other.links = links;
  other.file = open_linked(other.path, task);
  if (other.file.get() < 0) return false;
  other.opened_as.emplace();
  return other.has(place_of(object, "/"), links_left);
}

// Asked for an object the library makes room for as much as its header says that it has, any number of bytes, before
// anybody has looked at it; so where a link says the address, that is taken, and others are followed here first.
haddr_t File::State::address_of(const std::string& name, const Task& task) const {
  if (name != "/") {
    H5L_info_t link{};
    check(H5Lget_info(file.get(), name.c_str(), &link, guarded_way(task)), task);
    if (link.type == H5L_TYPE_HARD) return link.u.address;
    int links_left = kMostLinks;
    (void)leads_somewhere(name, name.substr(0, std::min(name.rfind('/'), name.size())), links_left);
  }
  ObjectInfo info{};
  check(H5Oget_info_by_name2(file.get(), name.c_str(), &info, H5O_INFO_BASIC, guarded_way(task)), task);
  return info.addr;
}

void require_sound_at(hid_t file, haddr_t address, const Task& task) {
  refuse_in_words(task, [&] { require_sound_header(FileBytes(file, task), address); });
}

void File::State::require_sound(std::string_view name, const Task& task) const {
  if (!opened_as || sound.contains(name)) return;  // we are writing it, or it was looked at
  const haddr_t address = address_of(std::string(name), task);
  if (guard.led_to.empty()) {
    refuse_in_words(task, [&] {
      if (!bytes) bytes = std::make_shared<const FileBytes>(file.get(), task);
      require_sound_header(*bytes, address);
    });
  } else {
    const Handle other = open_linked(guard.led_to, task);
    require_sound_at(check(other.get(), task), address, task);
  }
  sound.emplace(name);
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
