// Whether this machine's driver, card and libraries fit what was built, each with a sentence of its own.
#pragma once

#include <string>

#include "runtime/core/cuda_plugin.h"

namespace xrai::cuda {

/// Everything that can be said without making a device. Never throws for what a machine may lack.
CudaStatus diagnose();

struct Card {
  int ordinal = 0;
  std::string name;
  int major = 0, minor = 0;
  std::size_t memory_bytes = 0;
};
/// Throws Error(kNoDevice) when the libraries do not fit, there is no such card, or it is too old for what was built.
Card find_card(int ordinal);

/// What `requested` means on this card: bf16 for "" where the card computes in it, else fp32. Throws Error(kUsage) for
/// an unknown word, Error(kNoDevice) for a precision that the card has no units for.
Precision choose_precision(const Card& card, const std::string& requested);

}  // namespace xrai::cuda
