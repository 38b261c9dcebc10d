// Reads the layout that xrai_dataset writes (docs/data-format.md):
//   /train|val|test/images (N, H, W) or (N, H, W, 1) uint8, labels (N) or (N, 1) of any integer type,
//   optionally group (N) and source (N) strings; attributes of the file: classes, decoder, resize, fit, size, ...
#pragma once

#include <map>

#include "loaders/reader.h"

namespace xrai {

class NativeReader final : public DatasetReader {
 public:
  /// Whether any split has its images where this layout has them.
  static bool recognises(const hdf5::File& file);
  /// Reads and checks everything but pixels and names. Throws Error(kBadData).
  explicit NativeReader(hdf5::File file);

  [[nodiscard]] const std::filesystem::path& path() const override { return file_.path(); }
  [[nodiscard]] std::vector<std::string> splits() const override;
  [[nodiscard]] std::int64_t n_images(std::string_view name) const override { return split(name).n_images; }
  [[nodiscard]] std::int64_t height(std::string_view name) const override { return split(name).height; }
  [[nodiscard]] std::int64_t width(std::string_view name) const override { return split(name).width; }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view name) const override { return split(name).rows_per_chunk; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view name) const override {
    return split(name).labels;
  }
  [[nodiscard]] std::vector<std::string> groups(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> sources(std::string_view name) const override;
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string& name) const override;
  void read_rows(std::string_view name, std::span<const std::int64_t> rows, std::uint8_t* pixels) override;

 private:
  struct Split {
    std::string images;  // path in the file
    std::int64_t n_images = 0, height = 0, width = 0, rows_per_chunk = 1;
    std::vector<std::int32_t> labels;
  };
  [[nodiscard]] const Split& split(std::string_view name) const;
  [[nodiscard]] Split read_split(const std::string& name) const;
  void name_classes();
  [[nodiscard]] std::vector<std::string> names(std::string_view split, const char* data_set) const;

  hdf5::File file_;
  std::map<std::string, Split, std::less<>> splits_;
  std::vector<std::string> classes_;
};

}  // namespace xrai
