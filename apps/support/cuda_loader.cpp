#include "apps/support/cuda_loader.h"

#include <dlfcn.h>

#include <filesystem>

namespace xrai {
namespace {

namespace fs = std::filesystem;

/// Beside the programs in a build tree and where they are installed.
fs::path plugin_path() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "lib" / CudaPlugin::kFile;
}

LoadedCuda open_plugin() {
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return {nullptr, "no NVIDIA driver on this machine (libcuda.so.1 was not found)"};
  ::dlclose(driver);
  const fs::path file = plugin_path();
  std::error_code ignored;
  if (!fs::exists(file, ignored))
    return {nullptr, "there is an NVIDIA driver, but this build of xrai has no CUDA device (" + file.string() +
                         " is not there; build where CUDA 12 or 13 and cuDNN 9 are installed)"};
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return {nullptr, std::string("there is an NVIDIA driver, but the CUDA device cannot be loaded (") + ::dlerror() +
                         "); are the CUDA and cuDNN libraries it was built with installed?"};
  const auto entry = reinterpret_cast<CudaPluginEntry>(::dlsym(library, CudaPlugin::kEntry));
  const CudaPlugin* plugin = entry == nullptr ? nullptr : entry();
  if (plugin == nullptr || plugin->version != CudaPlugin::kVersion)
    return {nullptr, "the CUDA device is of another version of xrai (" + file.string() + "); build both together"};
  return {plugin, ""};
}

}  // namespace

const LoadedCuda& load_cuda() {
  static const LoadedCuda loaded = open_plugin();
  return loaded;
}

}  // namespace xrai
