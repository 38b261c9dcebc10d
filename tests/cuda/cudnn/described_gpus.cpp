#include "tests/cuda/cudnn/described_gpus.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace xrai::testing {

void PrintTo(const DescribedGpu& gpu, std::ostream* out) {
  *out << gpu.name;
}

std::vector<DescribedGpu> described_gpus() {
  std::vector<DescribedGpu> gpus;
  std::ifstream file(XRAI_SOURCE "/tests/cuda/cudnn/devices.json");
  for (const auto& properties : nlohmann::json::parse(file))
    gpus.push_back({properties.at("deviceName").get<std::string>(), properties.dump()});
  return gpus;
}

DescribedGpu described_gpu(const std::string& name) {
  for (DescribedGpu& gpu : described_gpus())
    if (gpu.name == name) return gpu;
  throw std::out_of_range("devices.json has no " + name);
}

}  // namespace xrai::testing
