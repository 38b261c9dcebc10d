// A data set without a file: slow, failing, and counting what is read, on demand.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "loaders/reader.h"
#include "runtime/core/error.h"

namespace xrai {

/// Pictures of 2 x 3 pixels; the first four pixels are the bytes of their row, lowest first, the others zero.
class FakeReader final : public DatasetReader {
 public:
  static constexpr std::int64_t kImageBytes = 6;
  static std::int64_t row_of(const std::uint8_t* picture) {
    return picture[0] | picture[1] << 8 | picture[2] << 16 | std::int64_t{picture[3]} << 24;
  }

  explicit FakeReader(std::int64_t n_images, std::int64_t rows_per_chunk = 1)
      : n_images_(n_images), rows_per_chunk_(rows_per_chunk) {}

  /// Row r has class r % 2.
  void make_labels() {
    for (std::int64_t row = 0; row < n_images_; ++row) labels_.push_back(static_cast<std::int32_t>(row % 2));
  }

  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] const Layout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<std::string> splits() const override { return {"train"}; }
  [[nodiscard]] std::int64_t n_images(std::string_view) const override { return n_images_; }
  [[nodiscard]] std::int64_t height(std::string_view) const override { return 2; }
  [[nodiscard]] std::int64_t width(std::string_view) const override { return 3; }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view) const override { return rows_per_chunk_; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return classes_; }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view) const override { return labels_; }
  [[nodiscard]] std::vector<std::string> groups(std::string_view) const override { return {}; }
  [[nodiscard]] std::vector<std::string> sources(std::string_view) const override { return {}; }
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string&) const override { return std::nullopt; }

  void read_rows(std::string_view, std::span<const std::int64_t> rows, std::uint8_t* pixels) override {
    ++n_reads;
    rows_read += static_cast<std::int64_t>(rows.size());
    if (const auto pause = delay.load(); pause.count() > 0) std::this_thread::sleep_for(pause);
    for (const std::int64_t row : rows) {
      if (row == failing_row) throw Error(ExitCode::kBadData, fmt::format("row {} is damaged", row));
      for (int pixel = 0; pixel < kImageBytes; ++pixel) {
        *pixels++ = pixel < 4 ? static_cast<std::uint8_t>(row >> (8 * pixel)) : std::uint8_t{0};
      }
    }
  }

  std::atomic<int> n_reads = 0;
  std::atomic<std::int64_t> rows_read = 0;
  std::atomic<std::chrono::microseconds> delay{std::chrono::microseconds(0)};
  std::atomic<std::int64_t> failing_row = -1;

 private:
  std::filesystem::path path_ = "fake.h5";
  Layout layout_;
  std::int64_t n_images_, rows_per_chunk_;
  std::vector<std::string> classes_{"NORMAL", "PNEUMONIA"};
  std::vector<std::int32_t> labels_;
};

}  // namespace xrai
