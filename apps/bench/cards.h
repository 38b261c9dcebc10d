// Peak rates of the GPUs whose speed can be modelled, from the vendor's data sheets; nothing is measured here.
#pragma once

#include <string>
#include <vector>

#include "runtime/core/precision.h"

namespace xrai {

/// Rates of dense products with sums in float32, in 1e12 FLOP/s; 0: the card has no such numbers.
struct Card {
  const char* word;  // after --device-model
  const char* name;
  double fp32, tf32, bf16, fp16;
  double memory_gb_per_s;  // 1e9 bytes a second

  [[nodiscard]] double tflops(Precision precision) const;
};

std::vector<std::string> card_words();
/// Throws Error(kUsage) with the nearest known word.
const Card& find_card(const std::string& word);
/// "auto" is bf16 from Ampere on, else fp32, as on the card itself. Throws Error(kUsage) for what it lacks.
Precision precision_on(const Card& card, const std::string& requested);

}  // namespace xrai
