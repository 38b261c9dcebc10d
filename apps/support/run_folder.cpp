#include "apps/support/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include <fmt/chrono.h>

#include "apps/support/json_output.h"
#include "apps/support/version.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;

bool holds_a_run(const fs::path& folder) {
  for (const char* trace : {"checkpoints/last.h5", "checkpoints/best.h5", "metrics.csv", "metrics.jsonl"})
    if (fs::exists(folder / trace)) return true;
  return false;
}

}  // namespace

RunFolder::RunFolder(fs::path path, bool resuming) : path_(std::move(path)) {
  std::error_code problem;
  fs::create_directories(path_ / "checkpoints", problem);
  if (problem)
    throw Error(ExitCode::kStorage, fmt::format("cannot make the run folder {}: {}", path_.string(), problem.message()));
  const fs::path lock_file = path_ / ".lock";
  lock_ = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0)
    throw Error(ExitCode::kStorage,
                fmt::format("cannot write into the run folder {}: {}", path_.string(), std::strerror(errno)));
  // File systems without locks (some network mounts) answer otherwise than EWOULDBLOCK; training goes on there.
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(lock_);
    throw Error(ExitCode::kStorage,
                fmt::format("another training writes into {} right now: choose another --out or wait", path_.string()));
  }
  if (!resuming && holds_a_run(path_)) {
    ::close(lock_);
    throw Error(ExitCode::kStorage, fmt::format("{} already holds a run: go on with it by --resume auto, or choose "
                                                "another --out",
                                                path_.string()));
  }
}

RunFolder::~RunFolder() { ::close(lock_); }

void RunFolder::write_environment(const std::string& device, int argc, const char* const* argv) const {
  nlohmann::ordered_json libraries;
  for (const auto& [name, version] : library_versions()) libraries[name] = version;
  nlohmann::ordered_json environment;
  environment["xrai"] = program_version();
  environment["commit"] = program_commit();
  environment["build"] = build_type();
  environment["libraries"] = libraries;
  environment["device"] = device;
  environment["started"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  environment["command"] = std::vector<std::string>(argv, argv + argc);
  write_text_file(path_ / "env.json", environment.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace xrai
