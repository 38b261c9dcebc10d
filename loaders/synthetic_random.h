// Random numbers for the synthetic radiographs: counters and value noise, nothing with a state that outlives a picture.
// May not know what is being drawn.
#pragma once

#include <cstdint>

namespace xrai::synthetic {

// Every part of a picture throws its own dice, so that a change to the tubes leaves the ribs where they were.
enum class Topic : std::uint64_t {
  kLabel = 1,
  kPose,
  kHabitus,
  kSkeleton,
  kVessels,
  kHaze,
  kFinding,
  kFindingTexture,
  kDevices,
  kFilm,
  kGrain,
  kShoulders
};

// Bijective mixing of 64 bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom
// number generators").
inline std::uint64_t scramble(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

inline std::uint64_t key_of(std::uint64_t seed, std::uint64_t index, Topic topic) {
  return scramble(scramble(scramble(seed) + index) + static_cast<std::uint64_t>(topic));
}

// The n-th throw is a pure function of (seed, index, topic, n). Throw in braces or in statements of their own, never
// twice among the arguments of one call: compilers differ in the order in which they evaluate those.
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t index, Topic topic) : key_(key_of(seed, index, topic)) {}

  std::uint64_t bits() { return scramble(key_ + 0x9E3779B97F4A7C15ULL * ++thrown_); }
  // In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }
  // Bell-shaped, mean 0, standard deviation 1, never beyond 3.47: the sum of four uniform 16-bit numbers. No logarithm,
  // hence the same bits with every C library.
  double bell() {
    const std::uint64_t b = bits();
    const auto sum = static_cast<double>((b & 0xFFFFU) + ((b >> 16) & 0xFFFFU) + ((b >> 32) & 0xFFFFU) + (b >> 48));
    return (sum - 131070.0) * (1.0 / 37837.0);
  }

 private:
  std::uint64_t key_;
  std::uint64_t thrown_ = 0;
};

// Corner value of the noise lattice, in [0, 1).
inline double lattice_value(std::uint32_t key, std::int32_t column, std::int32_t row) {
  std::uint32_t h =
      key ^ (static_cast<std::uint32_t>(column) * 0x85EBCA6BU) ^ (static_cast<std::uint32_t>(row) * 0xC2B2AE35U);
  h = (h ^ (h >> 15)) * 0x2C1B3C6DU;
  h = (h ^ (h >> 12)) * 0x297A2D39U;
  return static_cast<double>(h >> 8) * 0x1.0p-24;
}

// Value noise with one lattice cell per unit, in [0, 1), mean 0.5; continuous with its first derivative.
// Coordinates must stay within +-4096 (the cast below stands in for floor, which is a library call without SSE4.1).
inline double value_noise(std::uint32_t key, double x, double y) {
  const auto column = static_cast<std::int32_t>(x + 4096.0) - 4096;
  const auto row = static_cast<std::int32_t>(y + 4096.0) - 4096;
  const double u = x - column;
  const double v = y - row;
  const double su = u * u * (3.0 - 2.0 * u);
  const double sv = v * v * (3.0 - 2.0 * v);
  const double top = lattice_value(key, column, row) * (1.0 - su) + lattice_value(key, column + 1, row) * su;
  const double bottom = lattice_value(key, column, row + 1) * (1.0 - su) + lattice_value(key, column + 1, row + 1) * su;
  return top * (1.0 - sv) + bottom * sv;
}

}  // namespace xrai::synthetic
