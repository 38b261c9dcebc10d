#include "apps/support/waiting_threads.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>

namespace xrai {
namespace {

// Who asks for words waits for the loader alone, and it would come twice.
bool answers_only(char** argv) {
  constexpr std::string_view kQuestions[] = {"--help", "-h", "--version", "--completion"};
  for (char** argument = argv; *argument != nullptr; ++argument)
    if (std::find(std::begin(kQuestions), std::end(kQuestions), *argument) != std::end(kQuestions)) return true;
  return false;
}

}  // namespace

void let_waiting_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (answers_only(argv)) return;
  ::setenv("GOMP_SPINCOUNT", "1000", 1);
  // By its path, so that it keeps its name in ps. Where that fails the program goes on as it is: slower among
  // neighbours, not wrong.
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) ::execv(program.c_str(), argv);
}

}  // namespace xrai
