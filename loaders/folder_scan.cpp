#include "loaders/folder_scan.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "loaders/image_decoder.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;

std::string lower_case(std::string text) {
  for (char& character : text) character = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
  return text;
}

/// NORMAL before Pneumonia and "normal" alike; ties by the bytes.
bool alphabetical(const std::string& a, const std::string& b) {
  const std::string lower_a = lower_case(a), lower_b = lower_case(b);
  return lower_a != lower_b ? lower_a < lower_b : a < b;
}

/// Of a path that does not end with a slash. fs::path::filename takes the whole path apart, for each of thousands.
std::string_view name_of(const fs::path& path) {
  const std::string_view text = path.native();
  return text.substr(text.rfind('/') + 1);  // npos + 1 is 0
}

bool is_junk(std::string_view name) {
  if (name.starts_with('.')) return true;
  const auto is = [&](std::string_view junk) {
    return name.size() == junk.size() && lower_case(std::string(name)) == junk;
  };
  return is("__macosx") || is("thumbs.db") || is("desktop.ini");
}

std::optional<OwnSplit> split_of_folder(const std::string& name) {
  static const std::map<std::string, OwnSplit> kNames{{"train", OwnSplit::kTrain},    {"training", OwnSplit::kTrain},
                                                      {"val", OwnSplit::kVal},        {"valid", OwnSplit::kVal},
                                                      {"validation", OwnSplit::kVal}, {"dev", OwnSplit::kVal},
                                                      {"test", OwnSplit::kTest},      {"testing", OwnSplit::kTest}};
  const auto found = kNames.find(lower_case(name));
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::uint8_t> first_bytes(const fs::path& path) {
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  constexpr std::size_t kEnoughForDicom = 132;
  std::vector<std::uint8_t> bytes(kEnoughForDicom);
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  bytes.resize(file ? std::fread(bytes.data(), 1, bytes.size(), file.get()) : 0);
  return bytes;
}

bool named_like_picture(const fs::path& path) {
  constexpr std::array<std::string_view, 5> kExtensions{".jpg", ".jpeg", ".jpe", ".jfif", ".png"};
  const std::string_view name = name_of(path);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string extension = lower_case(std::string(name.substr(dot)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

/// Entries without junk, in name order.
std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::error_code failure;
  fs::directory_iterator iterator(folder, failure);
  if (failure)
    throw Error(ExitCode::kBadData,
                fmt::format("cannot look into the folder {}: {}", folder.string(), failure.message()));
  std::vector<fs::directory_entry> entries;
  for (const fs::directory_entry& entry : iterator)
    if (!is_junk(name_of(entry.path()))) entries.push_back(entry);
  // All have the folder's path in front, so the names decide; comparing paths takes each apart again.
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.path().native() < b.path().native(); });
  return entries;
}

bool is_picture(const fs::path& path) {
  return named_like_picture(path) || sniff_format(first_bytes(path)) != PictureFormat::kOther;
}

class Scanner {
 public:
  explicit Scanner(fs::path root) : root_(std::move(root)) {}

  FolderScan scan() {
    descend_into_lone_folder();
    scan_.root = root_;
    const std::vector<fs::path> folders = folders_in(root_);
    std::vector<fs::path> split_folders, other_folders;
    for (const fs::path& folder : folders)
      (split_of_folder(folder.filename().string()) ? split_folders : other_folders).push_back(folder);
    visited_.insert(fs::canonical(root_));
    if (split_folders.empty()) {
      claim(folders);
      scan_classes(root_, folders, OwnSplit::kNone);
    } else {
      for (const fs::path& folder : other_folders)
        skip(folder, true, "it lies beside train, val or test folders, and only those are read");
      for (const fs::path& folder : split_folders) claim(folders_in(folder));
      for (const fs::path& folder : split_folders)
        scan_classes(folder, folders_in(folder), *split_of_folder(folder.filename().string()));
    }
    assign_labels();
    return std::move(scan_);
  }

 private:
  struct ClassFolder {
    fs::path path;
    std::string name;
    OwnSplit split;
    std::vector<fs::path> pictures;
  };

  /// All paths begin with the root's.
  [[nodiscard]] std::string relative(const fs::path& path) const {
    std::string_view rest = std::string_view(path.native()).substr(root_.native().size());
    if (rest.starts_with('/')) rest.remove_prefix(1);
    return rest.empty() ? "." : std::string(rest);
  }
  void skip(const fs::path& path, bool folder, std::string reason) {
    scan_.skipped.push_back({relative(path) + (folder ? "/" : ""), std::move(reason)});
  }

  [[nodiscard]] std::vector<fs::path> folders_in(const fs::path& folder) const {
    std::vector<fs::path> folders;
    std::error_code ignored;
    for (const fs::directory_entry& entry : entries_of(folder))
      if (entry.is_directory(ignored)) folders.push_back(entry.path());
    return folders;
  }

  void descend_into_lone_folder() {
    constexpr int kDeepestFolder = 8;  // a link may lead back up
    for (int depth = 0; depth < kDeepestFolder; ++depth) {
      const std::vector<fs::path> folders = folders_in(root_);
      if (folders.size() != 1 || split_of_folder(folders[0].filename().string()) || folders_in(folders[0]).empty())
        return;
      root_ = folders[0];
    }
  }

  void scan_classes(const fs::path& parent, const std::vector<fs::path>& folders, OwnSplit split) {
    for (const fs::directory_entry& entry : entries_of(parent)) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) continue;
      const bool picture = sniff_format(first_bytes(entry.path())) != PictureFormat::kOther;
      if (picture) ++pictures_outside_classes_;
      skip(entry.path(), false, picture ? "it lies outside the class folders" : "it is no picture in a class folder");
    }
    for (const fs::path& folder : folders) {
      ClassFolder found{folder, folder.filename().string(), split, {}};
      collect(folder, found.pictures);
      if (found.pictures.empty()) {
        skip(folder, true, "there is no JPEG or PNG in it");
      } else {
        class_folders_.push_back(std::move(found));
      }
    }
  }

  /// A link from one class folder into another, or back up, must not bring pictures of other classes along.
  void claim(const std::vector<fs::path>& class_folders) {
    for (const fs::path& folder : class_folders)
      if (visited_.insert(fs::canonical(folder)).second) claimed_.insert(folder);
  }

  void collect(const fs::path& folder, std::vector<fs::path>& pictures) {
    std::error_code failure;
    const fs::path canonical = fs::canonical(folder, failure);
    if (claimed_.erase(folder) == 0 && (failure || !visited_.insert(canonical).second)) {
      skip(folder, true, failure ? failure.message() : "it is a link to a folder that is read in its own place");
      return;
    }
    for (const fs::directory_entry& entry : entries_of(folder)) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) {
        collect(entry.path(), pictures);
      } else if (!entry.exists(ignored)) {
        skip(entry.path(), false, "the link leads nowhere");
      } else if (!entry.is_regular_file(ignored)) {
        skip(entry.path(), false, "it is not a regular file");
      } else if (is_picture(entry.path())) {
        pictures.push_back(entry.path());
      } else {
        skip(entry.path(), false,
             fmt::format("it is {}, and neither JPEG nor PNG", describe_bytes(first_bytes(entry.path()))));
      }
    }
  }

  void assign_labels() {
    std::map<OwnSplit, std::set<std::string>> classes_of_split;
    std::map<OwnSplit, fs::path> folder_of_split;
    for (const ClassFolder& folder : class_folders_) {
      classes_of_split[folder.split].insert(folder.name);
      folder_of_split[folder.split] = folder.path.parent_path();
    }
    for (const auto& [split, classes] : classes_of_split) {
      const auto& [first_split, first_classes] = *classes_of_split.begin();
      if (classes != first_classes)
        throw Error(ExitCode::kBadData,
                    fmt::format("the class folders differ: {} has {}, but {} has {}; give them the same names",
                                folder_of_split[first_split].string(), fmt::join(first_classes, ", "),
                                folder_of_split[split].string(), fmt::join(classes, ", ")));
      scan_.classes.assign(classes.begin(), classes.end());
    }
    check_classes();
    std::sort(scan_.classes.begin(), scan_.classes.end(), alphabetical);
    for (const ClassFolder& folder : class_folders_) {
      const auto place = std::find(scan_.classes.begin(), scan_.classes.end(), folder.name) - scan_.classes.begin();
      for (const fs::path& picture : folder.pictures)
        scan_.pictures.push_back({relative(picture), static_cast<std::uint8_t>(place), folder.split});
    }
  }

  void check_classes() const {
    constexpr std::size_t kMostClasses = 256;
    if (scan_.classes.size() >= 2 && scan_.classes.size() <= kMostClasses) return;
    std::string found = fmt::format("{} class folders with pictures", scan_.classes.size());
    if (scan_.classes.size() == 1) found = fmt::format("only the class folder {} with pictures", scan_.classes[0]);
    if (scan_.classes.empty()) found = "no class folders with pictures";
    if (scan_.classes.empty() && pictures_outside_classes_ > 0)
      found = fmt::format("{} picture{}, but no class folders around", pictures_outside_classes_,
                          pictures_outside_classes_ == 1 ? "" : "s");
    throw Error(ExitCode::kBadData,
                fmt::format("{} has {}; expected are folders such as NORMAL/ and PNEUMONIA/ (2 to 256, any names), or "
                            "train/, val/ and test/ with such folders inside",
                            root_.string(), found));
  }

  fs::path root_;
  FolderScan scan_;
  std::vector<ClassFolder> class_folders_;
  std::set<fs::path> visited_;  // canonical
  std::set<fs::path> claimed_;  // class folders that wait for their turn
  int pictures_outside_classes_ = 0;
};

}  // namespace

FolderScan scan_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  if (!fs::is_directory(folder, failure))
    throw Error(ExitCode::kBadData,
                fmt::format("{}; give the one that holds the class folders, unpacked",
                            fs::exists(folder, failure) ? fmt::format("{} is not a folder", folder.string())
                                                        : fmt::format("there is no folder {}", folder.string())));
  fs::path root = folder.lexically_normal();
  if (!root.has_filename()) root = root.parent_path();
  return Scanner(root).scan();
}

std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder) {
  std::vector<fs::path> pictures;
  const auto collect = [&](const auto& self, const fs::path& at) -> void {
    for (const fs::directory_entry& entry : entries_of(at)) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) {
        if (!entry.is_symlink(ignored)) self(self, entry.path());  // a link may lead back up
      } else if (entry.is_regular_file(ignored) && is_picture(entry.path())) {
        pictures.push_back(entry.path());
      }
    }
  };
  collect(collect, folder);
  return pictures;
}

}  // namespace xrai
