// A data set of radiographs as the trainer sees it: splits of grey pictures with labels, groups and file names,
// whatever the layout of the file (loaders/layout.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/layout.h"
#include "loaders/picture_facts.h"
#include "loaders/row_source.h"
#include "runtime/hdf5/file.h"

namespace xrai {

/// What is returned was checked when the file was opened: at least one split, each with at least one picture and a
/// label per picture that names a class. Methods that take a split throw Error(kBadData) when there is none of that
/// name. They may be called from several threads.
class DatasetReader {
 public:
  virtual ~DatasetReader() = default;

  [[nodiscard]] virtual const std::filesystem::path& path() const = 0;
  /// What was decided about the file when it was opened.
  [[nodiscard]] virtual const Layout& layout() const = 0;
  /// Those of "train", "val", "test" that the file has, in this order.
  [[nodiscard]] virtual std::vector<std::string> splits() const = 0;
  [[nodiscard]] virtual std::int64_t n_images(std::string_view split) const = 0;
  [[nodiscard]] virtual std::int64_t height(std::string_view split) const = 0;  // pixels
  [[nodiscard]] virtual std::int64_t width(std::string_view split) const = 0;   // pixels
  /// Pictures that are cheapest read together, because they lie in one chunk of the file; at least 1.
  [[nodiscard]] virtual std::int64_t rows_per_chunk(std::string_view split) const = 0;
  /// Pictures that may be read in any order without inflating a chunk twice; 0: in no order is anything inflated twice.
  [[nodiscard]] virtual std::int64_t window_rows(std::string_view /*split*/) const { return 0; }

  [[nodiscard]] virtual const std::vector<std::string>& classes() const = 0;                        // at least two
  [[nodiscard]] virtual const std::vector<std::int32_t>& labels(std::string_view split) const = 0;  // (n_images)
  /// Patient group of each picture: equal names must stay on one side of a split. Empty when the file has none.
  [[nodiscard]] virtual std::vector<std::string> groups(std::string_view split) const = 0;
  /// File that each picture was made from. Empty when the file does not say.
  [[nodiscard]] virtual std::vector<std::string> sources(std::string_view split) const = 0;
  /// Size of each picture before it was imported. Empty when the file does not say.
  [[nodiscard]] virtual std::vector<OriginalSize> original_sizes(std::string_view /*split*/) const { return {}; }
  /// Where the disease of each picture is. Empty when the file does not say.
  [[nodiscard]] virtual std::vector<LesionPlace> lesions(std::string_view /*split*/) const { return {}; }
  /// Property of the whole file, such as "decoder", "resize", "fit", "size" or "synthetic".
  [[nodiscard]] virtual std::optional<hdf5::Attribute> attribute(const std::string& name) const = 0;

  /// Names rows that will be read after the next call of read_rows(), soonest first; how many are of use says
  /// window_rows().
  virtual void expect(std::string_view /*split*/, std::span<const std::int64_t> /*rows*/) {}
  /// Pictures of these rows, in this order, into pixels: (rows.size(), height, width) uint8. Rows may repeat.
  /// Throws Error(kBadData) with file and row when one cannot be read or the file was changed meanwhile.
  virtual void read_rows(std::string_view split, std::span<const std::int64_t> rows, std::uint8_t* pixels) = 0;

 protected:
  DatasetReader() = default;
  DatasetReader(const DatasetReader&) = default;
  DatasetReader& operator=(const DatasetReader&) = default;
};

/// Opens a file of any layout that loaders/layout.h can describe, and those beside it that belong to it. Throws
/// Error(kBadData) that names what is missing and the option that helps.
std::unique_ptr<DatasetReader> open_dataset(const std::filesystem::path& path, const LayoutOptions& options = {},
                                            const RowOptions& row_options = {});

}  // namespace xrai
