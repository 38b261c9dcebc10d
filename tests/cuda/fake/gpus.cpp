// The cards that the fake device can pretend to be. Figures: the vendor's data sheets and the CUDA programming guide's
// table of compute capabilities.
#include <stdexcept>

#include "fake_cuda.h"

namespace xrai::fake {
namespace {

constexpr std::size_t kGiB = std::size_t{1} << 30;
constexpr int kMiB = 1 << 20;
constexpr int kKiB = 1 << 10;

struct NamedGpu {
  const char* key;
  Gpu gpu;
};

// name, capability, multiprocessors, memory, clock and memory clock in kHz, bus, L2, shared memory on request, threads
constexpr NamedGpu kGpus[] = {
    {"V100", {"Tesla V100-SXM2-16GB", 7, 0, 80, 16 * kGiB, 1530000, 877000, 4096, 6 * kMiB, 96 * kKiB, 2048}},
    {"T4", {"Tesla T4", 7, 5, 40, 15 * kGiB, 1590000, 5001000, 256, 4 * kMiB, 64 * kKiB, 1024}},
    {"A100", {"NVIDIA A100-SXM4-80GB", 8, 0, 108, 80 * kGiB, 1410000, 1593000, 5120, 40 * kMiB, 163 * kKiB, 2048}},
    {"RTX 3090", {"NVIDIA GeForce RTX 3090", 8, 6, 82, 24 * kGiB, 1695000, 9751000, 384, 6 * kMiB, 99 * kKiB, 1536}},
    {"RTX 4090", {"NVIDIA GeForce RTX 4090", 8, 9, 128, 24 * kGiB, 2520000, 10501000, 384, 72 * kMiB, 99 * kKiB, 1536}},
    {"H100", {"NVIDIA H100 80GB HBM3", 9, 0, 132, 80 * kGiB, 1980000, 2619000, 5120, 50 * kMiB, 227 * kKiB, 2048}},
    {"B200", {"NVIDIA B200", 10, 0, 148, 180 * kGiB, 1965000, 3996000, 8192, 126 * kMiB, 227 * kKiB, 2048}},
    {"RTX 5090",
     {"NVIDIA GeForce RTX 5090", 12, 0, 170, 32 * kGiB, 2407000, 14001000, 512, 96 * kMiB, 99 * kKiB, 1536}},
};

}  // namespace

const Gpu& gpu(const std::string& name) {
  for (const NamedGpu& known : kGpus) {
    if (name == known.key) return known.gpu;
  }
  throw std::invalid_argument("The fake runtime has no card called '" + name + "'.");
}

std::vector<std::string> gpu_names() {
  std::vector<std::string> names;
  for (const NamedGpu& known : kGpus) names.emplace_back(known.key);
  return names;
}

}  // namespace xrai::fake
