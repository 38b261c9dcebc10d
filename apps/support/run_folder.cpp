#include "apps/support/run_folder.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "apps/support/json_output.h"
#include "apps/support/version.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = ".lock";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The first line names the columns; a start that failed before its first epoch leaves that alone.
bool has_figures(const fs::path& metrics_csv) {
  std::ifstream file(metrics_csv);
  std::string line;
  return std::getline(file, line) && std::getline(file, line);
}

[[noreturn]] void fail_as_second_writer(const fs::path& folder) {
  throw Error(ExitCode::kStorage,
              fmt::format("another training writes into {} right now; choose another --out or wait", folder.string()));
}

// File systems without locks (some network mounts) answer otherwise than EWOULDBLOCK; training goes on there.
bool is_locked_by_another(int lock) {
  return ::flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

int open_lock(const fs::path& folder) {
  const int lock = ::open((folder / kLockName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0)
    throw Error(ExitCode::kStorage, fmt::format("cannot write into the run folder {}: {}; choose another --out",
                                                folder.string(), std::strerror(errno)));
  if (!is_locked_by_another(lock)) return lock;
  ::close(lock);
  fail_as_second_writer(folder);
}

// For a folder that is not ours yet: looks at its lock and lets it go at once.
bool has_writer(const fs::path& folder) {
  const int lock = ::open((folder / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
  if (lock < 0) return false;
  const bool locked = is_locked_by_another(lock);
  ::close(lock);
  return locked;
}

void refuse_a_run_in(const fs::path& folder) {
  const bool checkpoint = is_there(folder / "checkpoints" / "last.h5") || is_there(folder / "checkpoints" / "best.h5");
  if (!checkpoint && !has_figures(folder / "metrics.csv")) return;
  throw Error(ExitCode::kStorage,
              fmt::format("{} already holds a run{}; choose another --out", folder.string(),
                          checkpoint ? ": go on with it by --resume auto" : ", without a checkpoint to go on from"));
}

void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".partial") fs::remove(entry.path(), ignored);
}

}  // namespace

void RunFolder::refuse_second_writer(const fs::path& path) {
  if (has_writer(path)) fail_as_second_writer(path);
}

void RunFolder::refuse_occupied(const fs::path& path) {
  refuse_second_writer(path);
  refuse_a_run_in(path);
}

RunFolder::RunFolder(fs::path path, bool may_hold_run) : path_(std::move(path)) {
  std::error_code problem;
  fs::create_directories(path_ / "checkpoints", problem);
  if (problem)
    throw Error(ExitCode::kStorage, fmt::format("cannot make the run folder {}: {}; choose another --out",
                                                path_.string(), problem.message()));
  lock_ = open_lock(path_);
  try {
    if (!may_hold_run) refuse_a_run_in(path_);
  } catch (...) {
    ::close(lock_);
    throw;
  }
  remove_leftovers(path_ / "checkpoints");
}

RunFolder::~RunFolder() {
  ::close(lock_);
}

void RunFolder::write_environment(const RunEnvironment& environment, int argc, const char* const* argv) const {
  nlohmann::ordered_json libraries;
  for (const auto& [name, version] : library_versions()) libraries[name] = version;
  nlohmann::ordered_json json;
  json["xrai"] = program_version();
  json["commit"] = program_commit();
  json["build"] = build_type();
  json["libraries"] = libraries;
  json["cpu"] = cpu_name();
  json["cpu_features"] = cpu_features();
  json["threads"] = environment.threads;
  json["device"] = environment.device;
  json["started"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  json["command"] = std::vector<std::string>(argv, argv + argc);
  write_text_file(path_ / "env.json", json_text(json) + "\n");
}

int threads_of_run(const fs::path& run_folder) {
  std::ifstream file(run_folder / "env.json");
  const auto json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object() || !json.contains("threads") || !json["threads"].is_number_integer()) return 0;
  return json["threads"].get<int>();
}

}  // namespace xrai
