// The edge of every program: from an exception to one line for the user and an exit code for the script.
#pragma once

#include <functional>
#include <string_view>

namespace xrai {

/// Runs `body` and returns its exit code. xrai::Error becomes "program: sentence" on standard error and its code;
/// std::bad_alloc becomes code 5, any other std::exception code 1. With XRAI_TRACE_ERRORS=1 in the environment the line
/// in the source follows. A closed pipe at standard output does not end a running program; a full disk behind it does
/// change the exit code. Codes: docs/exit-codes.md.
int run_program(std::string_view program, const std::function<int()>& body);

}  // namespace xrai
