// Pictures and a network of which it is known what stress must do to them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "apps/stress/clusters.h"
#include "apps/stress/shortcuts.h"
#include "apps/stress/stress_suite.h"
#include "kernels/parallel.h"

namespace xrai::testing {

inline constexpr std::int64_t kSide = 20, kPixels = kSide * kSide;

/// Pictures with a smooth ramp; those of class 1 are brighter. Two families a class.
class MadeUpData : public DatasetReader {
 public:
  explicit MadeUpData(std::int64_t n) {
    for (const char* split : {"train", "val"})
      for (std::int64_t i = 0; i < n; ++i) {
        Split& held = splits_[split];
        const auto label = static_cast<std::int32_t>(i % 2);
        held.labels.push_back(label);
        const std::string number = std::to_string(100 + i);
        const bool first = i % 4 < 2;
        held.sources.push_back(label == 0 ? (first ? "N/IM-" : "N/NORMAL2-IM-") + number + "-0001.jpeg"
                                          : "P/person" + number + (first ? "_bacteria_1.jpeg" : "_virus_1.jpeg"));
        for (std::int64_t p = 0; p < kPixels; ++p)
          held.pixels.push_back(static_cast<std::uint8_t>(85 + 30 * label + i % 13 + 2 * (p % kSide) + p / kSide));
      }
  }
  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] const Layout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<std::string> splits() const override { return {"train", "val"}; }
  [[nodiscard]] std::int64_t n_images(std::string_view s) const override { return std::ssize(labels(s)); }
  [[nodiscard]] std::int64_t height(std::string_view) const override { return kSide; }
  [[nodiscard]] std::int64_t width(std::string_view) const override { return kSide; }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view) const override { return 4; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return names; }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view s) const override { return at(s).labels; }
  [[nodiscard]] std::vector<std::string> groups(std::string_view) const override { return {}; }
  [[nodiscard]] std::vector<std::string> sources(std::string_view s) const override { return at(s).sources; }
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string&) const override { return std::nullopt; }
  void read_rows(std::string_view s, std::span<const std::int64_t> rows, std::uint8_t* pixels) override {
    for (const std::int64_t row : rows) pixels = std::copy_n(at(s).pixels.begin() + row * kPixels, kPixels, pixels);
  }

  std::vector<std::string> names = {"NORMAL", "PNEUMONIA"};

 private:
  struct Split {
    std::vector<std::int32_t> labels;
    std::vector<std::string> sources;
    std::vector<std::uint8_t> pixels;
  };
  [[nodiscard]] const Split& at(std::string_view s) const { return splits_.find(s)->second; }

  std::map<std::string, Split, std::less<>> splits_;
  std::filesystem::path path_ = "made-up.h5";
  Layout layout_;
};

/// A network that looks at nothing but exposure: surely class 1 above a mean grey of 137.
inline std::vector<float> by_exposure(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                      std::int64_t width) {
  std::vector<float> probabilities;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint8_t* const first = pixels + i * height * width;
    const double mean = std::accumulate(first, first + height * width, 0.0) / static_cast<double>(height * width);
    const auto p = static_cast<float>(1.0 / (1.0 + std::exp(-(mean - 137.0) / 8.0)));
    probabilities.insert(probabilities.end(), {1.0f - p, p});
  }
  return probabilities;
}

inline void not_told(std::int64_t) {}

struct StressFixture : ::testing::Test {
  // One thread: on a busy machine more of them wait for each other.
  StressFixture() { kernels::set_thread_count(1); }
  ~StressFixture() override { kernels::set_thread_count(threads_before); }

  const int threads_before = kernels::thread_count();
  MadeUpData data{23};
  Predictions clean = score_split(data, "val", {}, data.names, "best.h5", by_exposure);
  std::vector<StatisticColumn> columns = varying_columns(split_statistics(data, "val"));

  StressResult stress(const std::function<void(std::int64_t)>& on_images = not_told) {
    return measure_stress(data, "val", clean, 0.5, 1, by_exposure, on_images);
  }
  ShortcutResult shortcuts() { return measure_shortcuts(data, "val", clean, 0.5, columns, by_exposure, not_told); }
};

inline const CorruptionResult& of(const StressResult& result, CorruptionKind kind) {
  return *std::find_if(result.corruptions.begin(), result.corruptions.end(),
                       [&](const CorruptionResult& c) { return c.corruption.kind == kind; });
}

}  // namespace xrai::testing
