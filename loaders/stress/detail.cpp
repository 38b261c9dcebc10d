// Changes of detail: blur, sharpening, and what JPEG leaves of a picture.
#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "loaders/stress/pixel_changes.h"
#include "loaders/stress/rounding.h"
#include "runtime/core/error.h"

namespace xrai::pixels {
namespace {

std::vector<float> gaussian_weights(double sigma) {
  const int reach = std::max(1, static_cast<int>(std::ceil(3.0 * sigma)));
  std::vector<float> weights;
  double sum = 0;
  for (int i = -reach; i <= reach; ++i) sum += std::exp(-0.5 * i * i / (sigma * sigma));
  for (int i = -reach; i <= reach; ++i)
    weights.push_back(static_cast<float>(std::exp(-0.5 * i * i / (sigma * sigma)) / sum));
  return weights;
}

/// Columns first, row by row, then along each row: inner loops run over neighbours in memory.
std::vector<float> blurred(const Picture& p, double sigma) {
  const std::vector<float> weights = gaussian_weights(sigma);
  const int reach = static_cast<int>(weights.size()) / 2;
  std::vector<float> result(static_cast<std::size_t>(p.count()));
  std::vector<float> line(static_cast<std::size_t>(p.width + 2 * reach));  // a row with its border replicated
  for (int y = 0; y < p.height; ++y) {
    float* const middle = line.data() + reach;
    std::fill(line.begin(), line.end(), 0.0f);
    for (int i = -reach; i <= reach; ++i) {
      const std::uint8_t* const row = p.in + std::int64_t{std::clamp(y + i, 0, p.height - 1)} * p.width;
      const float weight = weights[static_cast<std::size_t>(i + reach)];
      for (int x = 0; x < p.width; ++x) middle[x] += weight * static_cast<float>(row[x]);
    }
    std::fill(line.begin(), line.begin() + reach, middle[0]);
    std::fill(line.end() - reach, line.end(), middle[p.width - 1]);
    float* const out = result.data() + std::int64_t{y} * p.width;
    for (std::size_t i = 0; i < weights.size(); ++i)
      for (int x = 0; x < p.width; ++x) out[x] += weights[i] * line[static_cast<std::size_t>(x) + i];
  }
  return result;
}

struct DestroyCodec {
  void operator()(void* handle) const noexcept { tjDestroy(handle); }
};
using Codec = std::unique_ptr<void, DestroyCodec>;

struct FreeJpeg {
  void operator()(unsigned char* bytes) const noexcept { tjFree(bytes); }
};

void check(int status, const Codec& codec) {
  if (status == 0) return;
  throw Error(ExitCode::kFailure, fmt::format("cannot pass a picture through JPEG: {}", tjGetErrorStr2(codec.get())));
}

}  // namespace

void blur(const Picture& p, double sigma) {
  const std::vector<float> smooth = blurred(p, sigma);
  for (std::int64_t i = 0; i < p.count(); ++i) p.out[i] = to_level(smooth[static_cast<std::size_t>(i)]);
}

void sharpen(const Picture& p, double sigma, double amount) {
  const std::vector<float> smooth = blurred(p, sigma);
  for (std::int64_t i = 0; i < p.count(); ++i) {
    const auto grey = static_cast<float>(p.in[i]);
    p.out[i] = to_level(grey + static_cast<float>(amount) * (grey - smooth[static_cast<std::size_t>(i)]));
  }
}

void pass_through_jpeg(const Picture& p, int quality) {
  thread_local const Codec compressor(tjInitCompress()), decompressor(tjInitDecompress());
  if (!compressor || !decompressor) throw std::bad_alloc();
  unsigned char* bytes = nullptr;
  unsigned long n_bytes = 0;
  // The accurate transform: the fast one differs between processors.
  const int status = tjCompress2(compressor.get(), p.in, p.width, 0, p.height, TJPF_GRAY, &bytes, &n_bytes, TJSAMP_GRAY,
                                 quality, TJFLAG_ACCURATEDCT);
  const std::unique_ptr<unsigned char, FreeJpeg> owner(bytes);
  check(status, compressor);
  check(tjDecompress2(decompressor.get(), bytes, n_bytes, p.out, p.width, 0, p.height, TJPF_GRAY, TJFLAG_ACCURATEDCT),
        decompressor);
}

}  // namespace xrai::pixels
