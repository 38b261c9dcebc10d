// The race checker's entry, called before every memory access of code compiled with -fsanitize=thread.
#pragma once

#include <cstddef>

#include "shadow.h"

namespace xrai::emulation {

/// Does nothing outside of kernels. `instruction` is a return address into the code that made the access.
void record_access(const volatile void* begin, std::size_t bytes, AccessKind kind, const void* instruction);

}  // namespace xrai::emulation
