#include "loaders/picture_samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/hdf5/file.h"

namespace xrai {
namespace {

PictureSamples sample_class(const hdf5::File& file, const std::string& images,
                            const std::vector<std::uint64_t>& members, std::int64_t most) {
  const hdf5::DatasetInfo info = file.info(images);
  const auto height = static_cast<int>(info.shape[1]), width = static_cast<int>(info.shape[2]);
  PictureSamples samples;
  samples.n_pictures = static_cast<std::int64_t>(members.size());
  const std::int64_t n = std::min(most, samples.n_pictures);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t row = members[static_cast<std::size_t>(i * samples.n_pictures / n)];
    GreyImage picture{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height)};
    file.read_rows(images, row, 1, picture.pixels.data());
    samples.pictures.push_back(std::move(picture));
  }
  return samples;
}

}  // namespace

std::vector<PictureSamples> sample_pictures(const std::filesystem::path& path, const std::vector<std::string>& classes,
                                            std::int64_t most) {
  const hdf5::File file = hdf5::File::open(path);
  std::vector<PictureSamples> all;
  for (const char* split : {"train", "val", "test"}) {
    const std::string images = fmt::format("/{}/images", split);
    if (!file.has(images)) continue;
    const auto labels = file.read<std::int64_t>(fmt::format("/{}/labels", split));
    for (std::size_t label = 0; label < classes.size(); ++label) {
      std::vector<std::uint64_t> members;
      for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] == static_cast<std::int64_t>(label)) members.push_back(i);
      if (members.empty()) continue;
      PictureSamples samples = sample_class(file, images, members, most);
      samples.split = split;
      samples.class_name = classes[label];
      all.push_back(std::move(samples));
    }
  }
  return all;
}

}  // namespace xrai
