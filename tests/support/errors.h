// Asserting that something is refused, with which exit code, and that the sentence says what a person needs.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "runtime/core/error.h"

namespace xrai::testing {

/// Runs `action`, which must throw Error(code), and gives back its sentence ("" when it did not).
inline std::string refused(ExitCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return "";
}

}  // namespace xrai::testing
