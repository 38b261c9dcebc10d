// The optimisers are their CPU twins to the last bit; norms are those of a sum in double.
#include "kernels/optimiser.h"

#include <gtest/gtest.h>

#include "kernel_test.h"

namespace xrai {
namespace optimiser_test {

using kernels::UpdateDecision;
using testing::Activations;
using testing::Array;
using testing::expect_same;
using testing::Values;

// ---- updates --------------------------------------------------------------------------------------------------------

/// Weights, gradients and two moments, at the same offset or each at its own.
struct Arena {
  Arena(DataType type, std::int64_t n, std::size_t offset, bool apart)
      : w(testing::random_values(n, 1), offset),
        g(testing::random_values(n, 2), offset + (apart ? 1 : 0)),
        m(testing::random_values(n, 3, -0.1, 0.1), offset + (apart ? 2 : 0)),
        v(testing::random_values(n, 4, 0, 0.1), offset),
        narrow(type, static_cast<std::size_t>(n), offset) {}
  Array<float> w, g, m, v;
  Activations narrow;
};

struct Sizes {
  std::int64_t n, n_decayed;
  std::size_t offset;
  bool apart;
};
/// The decayed part ends inside a group of four, at its edge, nowhere and everywhere.
constexpr Sizes kSizes[] = {{0, 0, 0, false},       {1, 0, 0, false},      {1, 1, 3, false},     {7, 2, 0, false},
                            {1031, 513, 0, false},  {1031, 512, 1, false}, {1031, 515, 0, true}, {1031, 0, 2, false},
                            {1031, 1031, 0, false}, {2052, 1000, 0, false}};

constexpr UpdateDecision kDecision{0.5f, 0.01f, 0.02f, 1.7f, 0};

class Optimiser : public testing::KernelTest {};
XRAI_FOR_TYPES_AND_ORDERS(Optimiser);

TEST_P(Optimiser, AdamWIsTheTwins) {
  const Array<UpdateDecision> decision(std::vector{kDecision});
  for (const Sizes& s : kSizes) {
    const Arena a(type(), s.n, s.offset, s.apart);
    Values w = a.w.values(), m = a.m.values(), v = a.v.values();
    const Values g = a.g.values();
    kernels::cuda::adamw({a.w.data(), a.g.data(), a.m.data(), a.v.data(), a.narrow.data(), s.n, s.n_decayed, 0.8f,
                          0.99f, 1e-3f, 0.3f, decision.data()},
                         type(), nullptr);
    kernels::cpu::adamw(
        {w.data(), g.data(), m.data(), v.data(), nullptr, s.n, s.n_decayed, 0.8f, 0.99f, 1e-3f, 0.3f, &kDecision});
    const std::string n = "n " + std::to_string(s.n);
    expect_same(a.w.values(), w, "weights, " + n);
    expect_same(a.m.values(), m, "first moment, " + n);
    expect_same(a.v.values(), v, "second moment, " + n);
    expect_same(a.narrow.values(), testing::rounded(type(), w), "narrow weights, " + n);
    expect_same(a.g.values(), g, "gradients, " + n);
  }
}

TEST_P(Optimiser, SgdIsTheTwins) {
  const Array<UpdateDecision> decision(std::vector{kDecision});
  for (const Sizes& s : kSizes) {
    const Arena a(type(), s.n, s.offset, s.apart);
    Values w = a.w.values(), m = a.m.values();
    const Values g = a.g.values();
    kernels::cuda::sgd(
        {a.w.data(), a.g.data(), a.m.data(), a.narrow.data(), s.n, s.n_decayed, 0.8f, 0.3f, decision.data()}, type(),
        nullptr);
    kernels::cpu::sgd({w.data(), g.data(), m.data(), nullptr, s.n, s.n_decayed, 0.8f, 0.3f, &kDecision});
    const std::string n = "n " + std::to_string(s.n);
    expect_same(a.w.values(), w, "weights, " + n);
    expect_same(a.m.values(), m, "velocity, " + n);
    expect_same(a.narrow.values(), testing::rounded(type(), w), "narrow weights, " + n);
    expect_same(a.g.values(), g, "gradients, " + n);
  }
}

TEST_P(Optimiser, NobodyNeedsNarrowWeights) {
  const Array<UpdateDecision> decision(std::vector{kDecision});
  const Arena with(type(), 21, 0, false), without(type(), 21, 0, false);
  for (const Arena* a : {&with, &without}) {
    void* narrow = a == &with ? a->narrow.data() : nullptr;
    kernels::cuda::adamw(
        {a->w.data(), a->g.data(), a->m.data(), a->v.data(), narrow, 21, 9, 0.9f, 0.99f, 1e-8f, 0.1f, decision.data()},
        type(), nullptr);
    kernels::cuda::sgd({a->w.data(), a->g.data(), a->m.data(), narrow, 21, 9, 0.9f, 0.1f, decision.data()}, type(),
                       nullptr);
  }
  expect_same(without.w.values(), with.w.values(), "weights");
}

TEST_P(Optimiser, ASkippedStepChangesNothing) {
  UpdateDecision skip = kDecision;
  skip.skip = 1;
  const Array<UpdateDecision> decision(std::vector{skip});
  const Arena a(type(), 50, 0, false);
  const Values w = a.w.values(), m = a.m.values(), v = a.v.values(), narrow = a.narrow.values();
  kernels::cuda::adamw({a.w.data(), a.g.data(), a.m.data(), a.v.data(), a.narrow.data(), 50, 20, 0.9f, 0.999f, 1e-8f,
                        0.1f, decision.data()},
                       type(), nullptr);
  kernels::cuda::sgd({a.w.data(), a.g.data(), a.m.data(), a.narrow.data(), 50, 20, 0.9f, 0.1f, decision.data()}, type(),
                     nullptr);
  expect_same(a.w.values(), w, "weights");
  expect_same(a.m.values(), m, "first moment");
  expect_same(a.v.values(), v, "second moment");
  expect_same(a.narrow.values(), narrow, "narrow weights");
}

TEST_P(Optimiser, OnlyASkippedStepIsUndone) {
  for (const std::int64_t n : {0, 1, 5, 1031})
    for (const std::size_t offset : {0, 1})
      for (const std::uint32_t skipped : {0u, 1u}) {
        UpdateDecision skip = kDecision;
        skip.skip = skipped;
        const Array<UpdateDecision> decision(std::vector{skip});
        const Array<float> before(testing::random_values(n, 5)), values(testing::random_values(n, 6), offset);
        const Values expected = (skipped == 1 ? before : values).values();
        kernels::cuda::undo_if_skipped(decision.data(), before.data(), values.data(), n, nullptr);
        expect_same(values.values(), expected, "n " + std::to_string(n));
      }
}

}  // namespace optimiser_test
}  // namespace xrai
