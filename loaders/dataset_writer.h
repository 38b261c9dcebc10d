// Writes the HDF5 data sets that docs/data-format.md describes. Where the pictures come from is not known here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/picture_facts.h"
#include "runtime/hdf5/file.h"

namespace xrai {

/// Number in the root attribute "xrai_schema".
inline constexpr std::int64_t kSchemaVersion = 1;

/// What holds for every picture of the file; becomes the root's attributes.
struct DatasetDescription {
  std::vector<std::string> classes;  // names of the labels 0, 1, ...
  int size = 0;                      // side of the square pictures in pixels
  std::string decoder, resize, fit;  // how they were made; "none" when they were drawn
  std::string creator;               // program, version and commit
  bool synthetic = false;
};

/// One picture on its way into the file.
struct DatasetRow {
  std::vector<std::uint8_t> pixels;  // (size, size)
  std::uint8_t label = 0;
  std::string group, source;
};

/// Collects pictures to whole chunks of about 1 MB, so memory stays at one chunk a split whatever the number of
/// pictures.
class DatasetWriter {
 public:
  /// Makes a new file. `deflate_level` 0 stores the pictures uncompressed. Throws Error(kStorage).
  DatasetWriter(const std::filesystem::path& path, DatasetDescription description, int deflate_level = 0);

  /// Says how many pictures are to come, so that the system can set room on the disk aside. There may be fewer or more.
  void expect(std::int64_t n_pictures);
  /// Appends to /split/images and its companions; a split comes into being with its first picture.
  void append(std::string_view split, DatasetRow row);
  /// The same with a row of /split/lesion; a split has lesions for all of its pictures or for none.
  void append(std::string_view split, DatasetRow row, const LesionPlace& lesion);
  /// The same with a row of /split/original_size; a split has it for all of its pictures or for none.
  void append(std::string_view split, DatasetRow row, OriginalSize original_size);
  /// Writes what is left and closes; must be called once at the end. Throws Error(kStorage).
  void close();

 private:
  struct Split {
    std::vector<std::vector<std::uint8_t>> waiting;  // pixels of pictures that do not fill a chunk yet
    std::vector<std::uint8_t> labels;
    std::vector<std::string> groups, sources;
    std::vector<float> lesions;                // (N, 3)
    std::vector<std::int32_t> original_sizes;  // (N, 2)
  };

  Split& open_split(const std::string& name);
  void write_waiting(const std::string& name, Split& split);

  std::filesystem::path path_;
  std::uint64_t unflushed_bytes_ = 0;  // written since the system was last asked to bring them to the disk
  DatasetDescription description_;
  int deflate_level_;
  std::uint64_t chunk_rows_;
  hdf5::File file_;
  std::map<std::string, Split, std::less<>> splits_;
};

}  // namespace xrai
