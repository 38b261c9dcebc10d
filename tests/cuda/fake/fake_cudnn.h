// The test double of cuDNN. Descriptors, heuristics, plans and workspace demands are the real library's, which is
// opened at run time and told of a described GPU (the one of Settings::gpu) in the place of a handle; only execution is
// done here, by loops on the fake streams, after checks of what the real library would misread without a word.
#pragma once

#include <string>

namespace xrai::fake {

/// Why there is no real library to forward to, or "": tests skip with it.
std::string why_no_real_cudnn();

}  // namespace xrai::fake
