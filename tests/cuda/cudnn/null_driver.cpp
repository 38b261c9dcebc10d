// A test double of libcuda.so.1, the CUDA driver, for a machine without one. There is no device in it; modules seem to
// load and kernels seem to be found, which is what cuDNN's engines that compile at run time ask before they call a plan
// ready. Only for tests that plan and never execute, and only through LD_LIBRARY_PATH of those tests: it would hide a
// real driver.
namespace {

constexpr int kSuccess = 0, kNoDevice = 100;  // CUresult
char module_of_nothing[64];

}  // namespace

#define XRAI_NO_DEVICE(name) \
  extern "C" int name() {    \
    return kNoDevice;        \
  }
#define XRAI_DONE(name)   \
  extern "C" int name() { \
    return kSuccess;      \
  }
#define XRAI_FOUND(name)             \
  extern "C" int name(void** into) { \
    *into = module_of_nothing;       \
    return kSuccess;                 \
  }
#define XRAI_ZERO(name)             \
  extern "C" int name(int* value) { \
    *value = 0;                     \
    return kSuccess;                \
  }

XRAI_NO_DEVICE(cuCtxGetCurrent)
XRAI_NO_DEVICE(cuCtxGetDevice)
XRAI_NO_DEVICE(cuCtxGetLimit)
XRAI_NO_DEVICE(cuCtxPopCurrent)
XRAI_NO_DEVICE(cuCtxPushCurrent)
XRAI_NO_DEVICE(cuDeviceGet)
XRAI_NO_DEVICE(cuDeviceGetAttribute)
XRAI_NO_DEVICE(cuDeviceGetCount)
XRAI_NO_DEVICE(cuDevicePrimaryCtxRelease)
XRAI_NO_DEVICE(cuDevicePrimaryCtxReset)
XRAI_NO_DEVICE(cuDevicePrimaryCtxRetain)
XRAI_NO_DEVICE(cuDriverGetVersion)
XRAI_NO_DEVICE(cuGetErrorName)
XRAI_NO_DEVICE(cuGetErrorString)
XRAI_NO_DEVICE(cuGetProcAddress_v2)
XRAI_NO_DEVICE(cuInit)
XRAI_NO_DEVICE(cuLaunchCooperativeKernel)
XRAI_NO_DEVICE(cuLaunchKernel)
XRAI_NO_DEVICE(cuLaunchKernelEx)
XRAI_NO_DEVICE(cuLibraryLoadFromFile)
XRAI_NO_DEVICE(cuLinkAddData)
XRAI_NO_DEVICE(cuLinkAddData_v2)
XRAI_NO_DEVICE(cuLinkAddFile_v2)
XRAI_NO_DEVICE(cuLinkComplete)
XRAI_NO_DEVICE(cuLinkCreate)
XRAI_NO_DEVICE(cuLinkCreate_v2)
XRAI_NO_DEVICE(cuLinkDestroy)
XRAI_NO_DEVICE(cuMemcpyDtoH_v2)
XRAI_NO_DEVICE(cuModuleGetGlobal_v2)
XRAI_NO_DEVICE(cuModuleLoadFatBinary)
XRAI_NO_DEVICE(cuOccupancyMaxActiveBlocksPerMultiprocessor)
XRAI_NO_DEVICE(cuOccupancyMaxPotentialClusterSize)
XRAI_NO_DEVICE(cuStreamGetCtx)
XRAI_NO_DEVICE(cuStreamSynchronize)
XRAI_NO_DEVICE(cuTensorMapEncodeTiled)
XRAI_DONE(cuFuncSetAttribute)
XRAI_DONE(cuKernelSetAttribute)
XRAI_DONE(cuLibraryUnload)
XRAI_DONE(cuModuleUnload)
XRAI_FOUND(cuLibraryGetKernel)
XRAI_FOUND(cuLibraryLoadData)
XRAI_FOUND(cuModuleGetFunction)
XRAI_FOUND(cuModuleLoadData)
XRAI_FOUND(cuModuleLoadDataEx)
XRAI_ZERO(cuFuncGetAttribute)
XRAI_ZERO(cuKernelGetAttribute)
