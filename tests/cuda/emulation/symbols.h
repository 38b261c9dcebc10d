// Names for machine addresses: which kernel is launched, which line of source an access stands in.
#pragma once

#include <string>

namespace xrai::emulation {

/// "file.cu:12" of a return address, or the address itself where addr2line or debugging information is missing. Slow:
/// starts a program.
std::string source_line(const void* return_address);

}  // namespace xrai::emulation
