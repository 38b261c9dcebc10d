#include "apps/bench/cards.h"

#include <algorithm>

#include "apps/support/nearest.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

// Without sparsity, at boost clock. GeForce tensor cores sum in float32 at half the rate of float16 sums, and it is
// that rate which counts here; the T4's know no bfloat16, whose products are then made by our kernels in float32.
// Sources: NVIDIA's data sheets "T4" (2019), "A100 80GB" (2022, SXM), "H100" (2023, SXM) and "HGX B200" (2024; an
// eighth of the board's figures, sparsity taken out); the white papers "GA102 GPU Architecture" (2021, table of the RTX
// 3090), "Ada GPU Architecture" (2023, appendix A) and "RTX Blackwell GPU Architecture" (2025, appendix A).
constexpr Card kCards[] = {
    {"t4", "NVIDIA T4", 8.1, 0, 8.1, 65, 300},
    {"a100", "NVIDIA A100 80 GB SXM", 19.5, 156, 312, 312, 2039},
    {"h100", "NVIDIA H100 SXM", 67, 494.7, 989.4, 989.4, 3350},
    {"b200", "NVIDIA B200", 75, 1125, 2250, 2250, 7700},
    {"3090", "NVIDIA GeForce RTX 3090", 35.6, 35.6, 71, 71, 936},
    {"4090", "NVIDIA GeForce RTX 4090", 82.6, 82.6, 165.2, 165.2, 1008},
    {"5090", "NVIDIA GeForce RTX 5090", 104.8, 104.8, 209.5, 209.5, 1792},
};

}  // namespace

double Card::tflops(Precision precision) const {
  const double rates[] = {fp32, tf32, bf16, fp16};  // in the order of kPrecisions
  return rates[static_cast<std::size_t>(precision)];
}

std::vector<std::string> card_words() {
  std::vector<std::string> words;
  for (const Card& card : kCards) words.emplace_back(card.word);
  return words;
}

const Card& find_card(const std::string& word) {
  const auto* found = std::find_if(std::begin(kCards), std::end(kCards), [&](const Card& c) { return word == c.word; });
  if (found != std::end(kCards)) return *found;
  const auto near = nearest(word, card_words());
  throw Error(ExitCode::kUsage,
              fmt::format("--device-model {} is not known{}; known are {}", word,
                          near ? fmt::format(" (did you mean {}?)", *near) : "", fmt::join(card_words(), ", ")));
}

Precision precision_on(const Card& card, const std::string& requested) {
  if (requested == "auto") return card.tf32 > 0 ? Precision::kBfloat16 : Precision::kFloat32;
  const auto* precision = std::find_if(std::begin(kPrecisions), std::end(kPrecisions),
                                       [&](Precision p) { return precision_name(p) == requested; });
  if (precision == std::end(kPrecisions))
    throw Error(ExitCode::kUsage, fmt::format("--precision {} is unknown; take fp32, tf32, bf16 or fp16", requested));
  if (card.tflops(*precision) == 0)
    throw Error(ExitCode::kUsage, fmt::format("{} computes no {}; try --precision fp16 or fp32", card.name, requested));
  return *precision;
}

}  // namespace xrai
