// Writes docs/gpu-support.md: write_gpu_support FILE [--all]. With --all, every pooling is asked as well at all batches
// and sizes; that takes minutes and adds nothing to the page unless a plan is missing.
#include <fmt/format.h>

#include <cstring>
#include <fstream>

#include "tests/cuda/cudnn/support.h"

namespace xrai::testing {
namespace {

int report(const std::string& gpu, const std::vector<std::string>& complaints) {
  for (const std::string& complaint : complaints) fmt::print(stderr, "{}: {}\n", gpu, complaint);
  return static_cast<int>(complaints.size());
}

int ask_remaining_poolings(const DescribedGpu& gpu) {
  int complaints = 0;
  for (const std::int64_t batch : kBatches)
    for (const std::int64_t size : kPictureSizes)
      complaints += report(gpu.name, pooling_support(gpu, batch, size, Poolings::kAll).complaints);
  return complaints;
}

int write(const char* path, bool all) {
  std::vector<SupportedGpu> gpus;
  int complaints = 0;
  for (const DescribedGpu& gpu : described_gpus()) {
    fmt::print("{}\n", gpu.name);
    gpus.push_back({gpu.name, convolution_support(gpu), pooling_support(gpu, 32, 96, Poolings::kFirstOfEachWindow)});
    complaints += report(gpu.name, gpus.back().convolutions.complaints);
    complaints += report(gpu.name, gpus.back().poolings.complaints);
    if (all) complaints += ask_remaining_poolings(gpu);
  }
  std::ofstream(path) << render_page(gpus);
  return complaints == 0 ? 0 : 1;
}

}  // namespace
}  // namespace xrai::testing

int main(int argc, char** argv) {
  const bool all = argc == 3 && std::strcmp(argv[2], "--all") == 0;
  if (argc != 2 && !all) {
    fmt::print(stderr, "usage: write_gpu_support FILE [--all]\n");
    return 2;
  }
  return xrai::testing::write(argv[1], all);
}
