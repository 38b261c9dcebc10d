// libxrai_cuda.so as it is shipped, with NVIDIA's libraries: it loads here, where there is no driver, and says so.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/core/cuda_plugin.h"
#include "runtime/core/error.h"

namespace xrai {
namespace plugin_test {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;

const CudaPlugin* plugin() {
  void* library = ::dlopen(XRAI_CUDA_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    ADD_FAILURE() << ::dlerror();
    return nullptr;
  }
  const auto entry = reinterpret_cast<CudaPluginEntry>(::dlsym(library, CudaPlugin::kEntry));
  return entry == nullptr ? nullptr : entry();
}

TEST(Plugin, LoadsAndIsOfThisVersion) {
  ASSERT_NE(plugin(), nullptr);
  EXPECT_EQ(plugin()->version, CudaPlugin::kVersion);
}

TEST(Plugin, NamesItsLibraries) {
  ASSERT_NE(plugin(), nullptr);
  const CudaStatus status = plugin()->status();
  EXPECT_THAT(status.details, Contains(HasSubstr("libcudnn.so.9")));
  EXPECT_THAT(status.details, Contains(HasSubstr("libcublasLt.so")));
}

TEST(Plugin, WithoutACardItsErrorsArriveAsErrors) {
  ASSERT_NE(plugin(), nullptr);
  const CudaStatus status = plugin()->status();
  if (status.usable) GTEST_SKIP() << "there is a card: " << status.cards.front();
  EXPECT_THAT(status.reason, HasSubstr("NVIDIA driver"));
  try {
    plugin()->make_device({});
    FAIL() << "a device was made";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kNoDevice);
    EXPECT_THAT(error.what(), HasSubstr(status.reason));
  }
}

}  // namespace plugin_test
}  // namespace xrai
