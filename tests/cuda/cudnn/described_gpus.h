// The GPUs of devices.json: cards that are not here, described by their properties for cuDNN's planning. The figures
// are the vendor's published ones; on a machine with a card its own can be held against them.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace xrai::testing {

struct DescribedGpu {
  std::string name;        // "RTX 4090"
  std::string properties;  // JSON, as CudnnTarget::described takes it
};

/// For GoogleTest's messages.
void PrintTo(const DescribedGpu& gpu, std::ostream* out);

std::vector<DescribedGpu> described_gpus();
/// Throws std::out_of_range for a name that is not there.
DescribedGpu described_gpu(const std::string& name);

}  // namespace xrai::testing
