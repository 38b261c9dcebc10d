#include "apps/support/version.h"

#include <cairo.h>
#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.h>
#include <spng.h>
#include <toml++/toml.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

#include "runtime/hdf5/file.h"

namespace xrai {
namespace {

std::string dotted(int major, int minor, int patch) {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

}  // namespace

std::string program_version() {
  return XRAI_VERSION;
}
std::string program_commit() {
  return XRAI_COMMIT;
}

std::string build_type() {
#if defined(__clang__)
  return fmt::format("{}, clang {}", XRAI_BUILD_TYPE, __clang_version__);
#else
  return fmt::format("{}, g++ {}", XRAI_BUILD_TYPE, __VERSION__);
#endif
}

std::vector<std::pair<std::string, std::string>> library_versions() {
  const dnnl_version_t* dnnl = dnnl_version();
  return {
      {"HDF5", hdf5::library_version()},
      {"oneDNN", dotted(dnnl->major, dnnl->minor, dnnl->patch)},
      {"libjpeg-turbo", XRAI_TURBOJPEG_VERSION},
      {"libspng", spng_version_string()},
      {"cairo", cairo_version_string()},
      {"fmt", dotted(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"CLI11", CLI11_VERSION},
      {"nlohmann-json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"toml++", dotted(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH)},
  };
}

std::string version_text(std::string_view program) {
  std::string text = fmt::format("{} {} ({})\nbuild: {}\n", program, program_version(), program_commit(), build_type());
  for (const auto& [library, version] : library_versions()) text += fmt::format("{} {}\n", library, version);
  return text;
}

}  // namespace xrai
