// Serves any layout as grey pictures of 8 bits: reads rows as they are stored, and converts where they are not that
// already.
#pragma once

#include <map>

#include "loaders/image_decoder.h"
#include "loaders/layout.h"
#include "loaders/object_name.h"
#include "loaders/reader.h"
#include "loaders/row_source.h"

namespace xrai {

class LayoutReader final : public DatasetReader {
 public:
  /// Reads labels and a sample of the values. Throws Error(kBadData).
  LayoutReader(Layout layout, OpenFiles files, const LayoutOptions& options, const RowOptions& row_options);

  [[nodiscard]] const std::filesystem::path& path() const override { return layout_.files.front(); }
  [[nodiscard]] const Layout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<std::string> splits() const override;
  [[nodiscard]] std::int64_t n_images(std::string_view name) const override { return split(name).layout->n_images; }
  [[nodiscard]] std::int64_t height(std::string_view name) const override { return split(name).layout->format.height; }
  [[nodiscard]] std::int64_t width(std::string_view name) const override { return split(name).layout->format.width; }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view name) const override;
  [[nodiscard]] std::int64_t window_rows(std::string_view name) const override;
  [[nodiscard]] const std::vector<std::string>& classes() const override { return layout_.classes; }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view name) const override {
    return split(name).labels;
  }
  [[nodiscard]] std::vector<std::string> groups(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> sources(std::string_view name) const override;
  [[nodiscard]] std::vector<OriginalSize> original_sizes(std::string_view name) const override;
  [[nodiscard]] std::vector<LesionPlace> lesions(std::string_view name) const override;
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string& name) const override;
  void expect(std::string_view name, std::span<const std::int64_t> rows) override;
  void read_rows(std::string_view name, std::span<const std::int64_t> rows, std::uint8_t* pixels) override;

 private:
  struct Part {
    std::int64_t first_row = 0;  // of the split
    std::unique_ptr<RowSource> rows;
  };
  struct Split {
    SplitLayout* layout = nullptr;
    std::vector<Part> parts;
    std::vector<std::int32_t> labels;  // (n_images)
  };
  [[nodiscard]] const Split& split(std::string_view name) const;
  void open_pictures(Split& split, const LayoutOptions& options, const RowOptions& row_options);
  void decide_range_of_arrays(SplitLayout& layout, const std::string& range);
  /// Notes how the split's pictures are read, and warns where a shuffled epoch would take for ever.
  void note_reading(const Split& split);
  void read_labels();
  /// Of that role, one a picture: `object`, or a column of the table that the labels are in.
  [[nodiscard]] std::vector<std::string> texts(const SplitLayout& split, const std::string& object, Role role) const;
  /// As they are stored, whichever parts they are in.
  void read_stored(const Split& split, std::span<const std::int64_t> rows, std::byte* out) const;
  void read_converted(const Split& split, std::span<const std::int64_t> rows, std::uint8_t* pixels) const;
  /// Of a split whose pictures have their own sizes.
  [[nodiscard]] DecodedPicture picture_of(const SplitLayout& layout, std::int64_t row) const;
  void read_resized(const Split& split, std::span<const std::int64_t> rows, std::uint8_t* pixels) const;

  OpenFiles files_;  // outlive the rows
  Layout layout_;
  std::vector<Split> splits_;  // as in layout_
};

}  // namespace xrai
