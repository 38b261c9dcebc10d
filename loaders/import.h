// From a folder of radiographs, a .npz file of NumPy, or a folder of .mat files of MATLAB, to one HDF5 file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "loaders/image_decoder.h"
#include "loaders/import_plan.h"

namespace xrai {

struct ImportOptions {
  std::filesystem::path folder, output;
  DecodeTarget target;
  PlanOptions plan;
  int n_threads = 0;  // 0: one a core
  int deflate_level = 0;
  bool strict = false;  // the first unreadable picture ends it
  bool force = false;   // replace an existing output
  std::string creator;  // program and version, kept in the file
};

struct SplitCount {
  std::vector<std::int64_t> of_class;
  std::int64_t n_pictures = 0, n_groups = 0;
};

struct DuplicateSet {
  std::vector<std::string> paths;  // all have the same pixels once decoded
  bool across_splits = false;
  bool across_classes = false;
};

struct ImportReport {
  std::vector<std::string> classes;
  std::map<std::string, SplitCount> splits;
  std::vector<SkippedFile> skipped;     // other files that lay around
  std::vector<SkippedFile> unreadable;  // pictures that could not be decoded
  std::vector<DuplicateSet> duplicates;
  std::vector<std::string> notes, warnings;
  std::int64_t n_pictures = 0;
  double elapsed_s = 0.0;
};

/// Called with the pictures done and their number.
using ImportProgress = std::function<void(std::int64_t, std::int64_t)>;

/// Decodes on all threads, writes in path order, holds a few pictures a thread. The output appears when it is whole.
/// Throws Error: kBadData (no data set there, nothing readable, or strict and one unreadable), kStorage (cannot write,
/// or the output is there and `force` is not), kInterrupted.
ImportReport import_folder(const ImportOptions& options, const ImportProgress& progress);

/// The same for a .npz file (`folder`) with MedMNIST's names: train_images (N, side, side) or with channels,
/// train_labels (N) or (N, 1), and the same for val and test. Pictures keep their size; options about decoding and
/// splits do not count. Throws the same.
ImportReport import_npz(const ImportOptions& options, const ImportProgress& progress);

/// The same for a folder of MATLAB's .mat files with a picture each (loaders/mat_pictures.h). Throws the same.
ImportReport import_mat_files(const ImportOptions& options, const ImportProgress& progress);

/// Throws Error(kStorage) when `output` may not be written: there already and not `force`, or no folder to put it in;
/// Error(kUsage) when it is `input`, which is read while it is written.
void check_output(const std::filesystem::path& output, bool force, const std::filesystem::path& input = {});

}  // namespace xrai
