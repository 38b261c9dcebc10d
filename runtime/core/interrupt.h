// The one flag that signal handlers set. Long loops ask it and stop at a place from which one can go on.
#pragma once

#include <string_view>

namespace xrai {

/// Installs handlers for SIGINT and SIGTERM: the first asks to stop, a second SIGINT ends the program at once.
void install_interrupt_handlers();
/// 0, or the number of the signal that asked to stop.
int interrupt_requested() noexcept;
/// Throws Error(kInterrupted, "interrupted; " + what_now) when one did.
void stop_if_requested(std::string_view what_now);

}  // namespace xrai
