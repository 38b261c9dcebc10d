// What goes wrong, as a sentence for the person at the keyboard and an exit code for the script that called us.
// Lives here: the one exception type of the project. Not here: how it is printed (apps/support).
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>

namespace xrai {

/// Documented in docs/exit-codes.md and in every --help; scripts rely on the numbers.
enum class ExitCode : int {
  kDone = 0,
  kFailure = 1,       // a bug or something unforeseen
  kUsage = 2,         // a flag, a value, a configuration file
  kBadData = 3,       // an image, an HDF5 file or a checkpoint that cannot be used
  kNoDevice = 4,      // the device asked for is not there, or its libraries do not fit
  kOutOfMemory = 5,   // host or device memory
  kDiverged = 6,      // the loss became NaN or infinite
  kStorage = 7,       // cannot write: disk full, no permission, folder in use or already there
  kInterrupted = 130  // SIGINT; a run ended by SIGTERM leaves with 143
};

/// One sentence: what was being done, with which file and value, and what to try.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& sentence, std::source_location where = std::source_location::current())
      : std::runtime_error(sentence), code_(code), where_(where) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

 private:
  ExitCode code_;
  std::source_location where_;
};

}  // namespace xrai
