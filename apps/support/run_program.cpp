#include "apps/support/run_program.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <system_error>

#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

bool trace_wanted() {
  const char* value = std::getenv("XRAI_TRACE_ERRORS");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

// std::fprintf, here as wherever messages go: fmt::print throws where nobody reads any more, which is no reason to
// stop.
int tell(std::string_view program, const std::string& sentence, ExitCode code) {
  log::set_before_line({});
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), sentence.c_str());
  return static_cast<int>(code);
}

// Results that never reached the disk are a failure, even when everything before went well. A reader that closed its
// end of a pipe has what it wanted.
int flush_standard_output(std::string_view program, int code) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  const int reason = flushed ? 0 : errno;
  if ((flushed && std::ferror(stdout) == 0) || code != 0) return code;
  pollfd output{STDOUT_FILENO, 0, 0};
  const bool nobody_reads = poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP)) != 0;
  if (nobody_reads || reason == EPIPE) return code;
  // Of a part that was lost earlier nobody knows the reason any more.
  return tell(program, fmt::format("cannot write to standard output: {}", std::strerror(reason == 0 ? ENOSPC : reason)),
              ExitCode::kStorage);
}

}  // namespace

int run_program(std::string_view program, const std::function<int()>& body) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file past the limit (ulimit -f) then is an error of write() like a full disk
  int code = 0;
  try {
    code = body();
  } catch (const Error& error) {
    code = tell(program, error.what(), error.code());
    // Batch systems tell SIGTERM from Ctrl-C by the code.
    if (error.code() == ExitCode::kInterrupted && interrupt_requested() == SIGTERM) code = 128 + SIGTERM;
    if (trace_wanted())
      std::fprintf(stderr, "  at %s:%u in %s\n", error.where().file_name(), static_cast<unsigned>(error.where().line()),
                   error.where().function_name());
  } catch (const std::bad_alloc&) {
    code =
        tell(program, "out of memory; try a smaller batch, smaller pictures or fewer threads", ExitCode::kOutOfMemory);
  } catch (const std::system_error& error) {
    // fmt::print says so of standard output, too, of which is told below.
    if (std::ferror(stdout) == 0) {
      code = tell(program, fmt::format("unexpected failure: {}", error.what()), ExitCode::kFailure);
    }
  } catch (const std::exception& error) {
    code = tell(program, fmt::format("unexpected failure: {}", error.what()), ExitCode::kFailure);
  }
  return flush_standard_output(program, code);
}

}  // namespace xrai
