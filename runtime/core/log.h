// Lines for people: to standard error, and to train.log once a run folder is there. No levels beyond these three;
// what a program must say for scripts goes to standard output as JSON (apps/support).
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace xrai::log {

void info(const std::string& line);
void warning(const std::string& line);  // prefixed "warning: "
void error(const std::string& line);    // prefixed "error: "

/// Copies every later line, with a time stamp, to this file too (appended). Throws Error(kStorage).
void also_to_file(const std::filesystem::path& path);
/// Silences info on standard error (--quiet, --json); files still get it.
void set_quiet(bool quiet);
/// Called before a line is written to a terminal, so that a progress bar can step aside. Empty: nothing.
void set_before_line(std::function<void()> hook);

}  // namespace xrai::log
