#include "loaders/picture_samples.h"

#include <algorithm>

namespace xrai {
namespace {

PictureSamples sample_class(DatasetReader& data, const std::string& split, const std::vector<std::int64_t>& members,
                            std::int64_t most) {
  const auto height = static_cast<int>(data.height(split)), width = static_cast<int>(data.width(split));
  PictureSamples samples;
  samples.split = split;
  samples.n_pictures = static_cast<std::int64_t>(members.size());
  const std::int64_t n = std::min(most, samples.n_pictures);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = members[static_cast<std::size_t>(i * samples.n_pictures / n)];
    GreyImage picture{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height)};
    data.read_rows(split, {&row, 1}, picture.pixels.data());
    samples.pictures.push_back(std::move(picture));
  }
  return samples;
}

}  // namespace

std::vector<PictureSamples> sample_pictures(DatasetReader& data, std::int64_t most) {
  std::vector<PictureSamples> all;
  for (const std::string& split : data.splits()) {
    const std::vector<std::int32_t>& labels = data.labels(split);
    for (std::size_t label = 0; label < data.classes().size(); ++label) {
      std::vector<std::int64_t> members;
      for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] == static_cast<std::int32_t>(label)) members.push_back(static_cast<std::int64_t>(i));
      if (members.empty()) continue;
      all.push_back(sample_class(data, split, members, most));
      all.back().class_name = data.classes()[label];
    }
  }
  return all;
}

}  // namespace xrai
