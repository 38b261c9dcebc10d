// Folders of MATLAB files (-v7.3, which are HDF5) with one picture each and its label beside it, as saving a struct in
// a loop makes them: cjdata/image, cjdata/label, cjdata/PID. What becomes of the pictures is the importer's.
#pragma once

#include <filesystem>

#include "loaders/folder_scan.h"
#include "loaders/image_decoder.h"
#include "loaders/pixel_conversion.h"

namespace xrai {

/// Whether there are .mat files in the folder, or in the folders in it, and no JPEG or PNG.
bool is_folder_of_mat_files(const std::filesystem::path& folder);

/// Opens each .mat file for its label and its patient. Classes are the labels, as numbers in their order. Files without
/// a picture or a label are listed as skipped. Throws Error(kBadData) when no two classes come of it, and kInterrupted.
FolderScan scan_mat_files(const std::filesystem::path& folder);

/// Which type the pictures have and which values are black and white, from some of the files. Throws Error(kBadData).
PixelFormat format_of_mat_pictures(const FolderScan& scan);

/// The picture of a file, upright, with the grey levels of `like`, resized to (size, size). Throws Error(kBadData,
/// reason) without a file name, also for a picture of another type than `like`.
DecodedPicture load_mat_picture(const std::filesystem::path& path, const DecodeTarget& target, const PixelFormat& like);

}  // namespace xrai
