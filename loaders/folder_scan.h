// Finds the pictures of a data set on disk: class folders, with or without train/val/test above them, among the junk
// that zips and file managers leave. Looks at names and first bytes only; nothing is decoded here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace xrai {

enum class OwnSplit { kNone, kTrain, kVal, kTest };

struct FoundPicture {
  std::string path;  // relative to FolderScan::root, with '/'
  std::uint8_t label = 0;
  OwnSplit own_split = OwnSplit::kNone;  // of the folder it lies in
  std::string group{};                   // whose picture it is; empty: the name says
};

struct SkippedFile {
  std::string path;  // relative to the root, or the folder itself with a '/' at its end
  std::string reason;
};

struct FolderScan {
  std::filesystem::path root;          // what was asked for, or the one folder nested in it
  std::vector<std::string> classes;    // in alphabetical order: NORMAL 0, PNEUMONIA 1
  std::vector<FoundPicture> pictures;  // in path order within each split folder
  std::vector<SkippedFile> skipped;
};

/// Class folders are the folders in `folder` (two or more; pictures may lie deeper in them). When train, val or test
/// folders are there (also training, valid, validation, dev, testing; any case), the class folders are in those and
/// must have the same names in each. A lone folder in a folder is descended into. Hidden files, __MACOSX, Thumbs.db and
/// desktop.ini are passed over silently; other files that are no JPEG or PNG are listed in `skipped`. Links are
/// followed, each folder once. Throws Error(kBadData) when this does not make a data set, and says what was found
/// instead.
FolderScan scan_folder(const std::filesystem::path& folder);

/// All JPEG and PNG files in a folder and the folders in it, in path order, without the junk; for scoring, where there
/// are no classes. Throws Error(kBadData) when it cannot be read.
std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder);

}  // namespace xrai
