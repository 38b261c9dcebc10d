#include "runtime/core/log.h"

#include <fmt/chrono.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>

#include "runtime/core/error.h"

namespace xrai::log {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

// The process has one standard error, hence one sink.
struct Sink {
  std::mutex mutex;
  std::unique_ptr<std::FILE, CloseFile> file;
  std::function<void()> before_line;
  bool quiet = false;
};

Sink& sink() {
  static Sink instance;
  return instance;
}

void write(const char* prefix, const std::string& line, bool to_terminal) {
  Sink& out = sink();
  const std::lock_guard lock(out.mutex);
  if (to_terminal) {
    if (out.before_line) out.before_line();
    std::fflush(stdout);  // what was printed before comes before, where both go to one place
    std::fprintf(stderr, "%s%s\n", prefix, line.c_str());
  }
  if (out.file) {
    const std::string time = fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::localtime(std::time(nullptr)));
    std::fprintf(out.file.get(), "%s %s%s\n", time.c_str(), prefix, line.c_str());  // a full disk is no reason to stop
    std::fflush(out.file.get());
  }
}

}  // namespace

void info(const std::string& line) {
  write("", line, !sink().quiet);
}
void warning(const std::string& line) {
  write("warning: ", line, true);
}
void error(const std::string& line) {
  write("error: ", line, true);
}

void also_to_file(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr)
    throw Error(ExitCode::kStorage, fmt::format("cannot write the log {}: {}", path.string(), std::strerror(errno)));
  const std::lock_guard lock(sink().mutex);
  sink().file.reset(file);
}

void set_quiet(bool quiet) {
  sink().quiet = quiet;
}

void set_before_line(std::function<void()> hook) {
  const std::lock_guard lock(sink().mutex);
  sink().before_line = std::move(hook);
}

}  // namespace xrai::log
