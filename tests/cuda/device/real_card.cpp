// The same tests on a real card, behind the plug-in as it is shipped. Ends with 77, which ctest counts as skipped, and
// the reason, where there is none.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "runtime/core/cuda_plugin.h"
#include "tests/cuda/device/device_pair.h"

namespace xrai::testing {
namespace {

const CudaPlugin* plugin = nullptr;

std::string why_no_card() {
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY);
  if (driver == nullptr) return "there is no NVIDIA driver (libcuda.so.1)";
  void* library = ::dlopen(XRAI_CUDA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return ::dlerror();
  plugin = reinterpret_cast<CudaPluginEntry>(::dlsym(library, CudaPlugin::kEntry))();
  return plugin->status().reason;
}

}  // namespace

std::unique_ptr<Device> new_cuda(const std::string& precision) {
  return plugin->make_device({0, precision});
}

std::string findings() {
  return "";
}

}  // namespace xrai::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (const std::string reason = xrai::testing::why_no_card(); !reason.empty()) {
    std::printf("skipped: %s\n", reason.c_str());
    return 77;
  }
  return RUN_ALL_TESTS();
}
