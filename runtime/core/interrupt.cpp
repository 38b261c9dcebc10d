#include "runtime/core/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "runtime/core/error.h"

namespace xrai {
namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void on_signal(int signal) {
  if (requested != 0 && signal == SIGINT) _exit(128 + SIGINT);
  requested = signal;
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int interrupt_requested() noexcept {
  return requested;
}

void stop_if_requested(std::string_view what_now) {
  if (requested != 0) throw Error(ExitCode::kInterrupted, fmt::format("interrupted; {}", what_now));
}

}  // namespace xrai
