// Claims about the synthetic radiographs: reproducible, balanced, in range, and hard for the right reason - a linear
// model on brightness must fail on them, since a data set it could solve would prove nothing about a convolutional
// network.
#include "loaders/synthetic_radiograph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "loaders/synthetic_anatomy.h"
#include "loaders/synthetic_finding.h"

namespace xrai {
namespace synthetic_radiograph_test {

constexpr std::uint64_t kSeed = 1;

double mean_grey(const SyntheticRadiograph& radiograph) {
  return std::accumulate(radiograph.pixels.begin(), radiograph.pixels.end(), 0.0) /
         static_cast<double>(radiograph.pixels.size());
}

// Area under the ROC curve: the share of (sick, healthy) pairs in the right order, ties counted half.
double auc(const std::vector<double>& scores, const std::vector<bool>& sick) {
  double right = 0.0, pairs = 0.0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!sick[i]) continue;
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (sick[j]) continue;
      pairs += 1.0;
      right += scores[i] > scores[j] ? 1.0 : (scores[i] == scores[j] ? 0.5 : 0.0);
    }
  }
  return right / pairs;
}

// Means of (blocks, blocks) tiles, in units of the full scale.
std::vector<double> tile_means(const SyntheticRadiograph& radiograph, int size, int blocks) {
  const int side = size / blocks;
  std::vector<double> means(static_cast<std::size_t>(blocks * blocks), 0.0);
  for (int row = 0; row < size; ++row)
    for (int column = 0; column < size; ++column)
      means[static_cast<std::size_t>(row / side * blocks + column / side)] +=
          radiograph.pixels[static_cast<std::size_t>(row * size + column)] / (255.0 * side * side);
  return means;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// Ridge regression of +-1 labels on features (the first `n_train` rows, features centred on them), solved by conjugate
// gradients on (F'F + ridge n I) w = F't; then the AUC of the scores of all further rows.
double ridge_auc(std::vector<std::vector<double>> features, const std::vector<bool>& sick, std::size_t n_train,
                 double ridge) {
  const std::size_t n_features = features[0].size();
  std::vector<double> centre(n_features, 0.0);
  for (std::size_t i = 0; i < n_train; ++i)
    for (std::size_t f = 0; f < n_features; ++f) centre[f] += features[i][f] / static_cast<double>(n_train);
  for (auto& row : features)
    for (std::size_t f = 0; f < n_features; ++f) row[f] -= centre[f];

  const auto add_scaled = [](std::vector<double>& to, const std::vector<double>& from, double factor) {
    for (std::size_t f = 0; f < to.size(); ++f) to[f] += factor * from[f];
  };
  std::vector<double> weights(n_features, 0.0), residual(n_features, 0.0);
  for (std::size_t i = 0; i < n_train; ++i) add_scaled(residual, features[i], sick[i] ? 1.0 : -1.0);
  std::vector<double> direction = residual;
  double squared = dot(residual, residual);
  const double enough = 1e-12 * squared;
  for (int step = 0; step < 400 && squared > enough; ++step) {
    std::vector<double> image(n_features, 0.0);
    for (std::size_t i = 0; i < n_train; ++i) add_scaled(image, features[i], dot(features[i], direction));
    add_scaled(image, direction, ridge * static_cast<double>(n_train));
    const double stride = squared / dot(direction, image);
    add_scaled(weights, direction, stride);
    add_scaled(residual, image, -stride);
    const double next = dot(residual, residual);
    for (std::size_t f = 0; f < n_features; ++f) direction[f] = residual[f] + next / squared * direction[f];
    squared = next;
  }
  std::vector<double> scores;
  std::vector<bool> truth;
  for (std::size_t i = n_train; i < features.size(); ++i) {
    scores.push_back(dot(weights, features[i]));
    truth.push_back(sick[i]);
  }
  return auc(scores, truth);
}

TEST(SyntheticRadiograph, SameSeedAndIndexGiveTheSamePixels) {
  for (std::uint64_t index = 0; index < 4; ++index)
    EXPECT_EQ(render_radiograph(kSeed, index, 64).pixels, render_radiograph(kSeed, index, 64).pixels)
        << "index " << index;
}

TEST(SyntheticRadiograph, AnotherSeedOrIndexGivesAnotherPicture) {
  const auto pixels = render_radiograph(kSeed, 0, 64).pixels;
  EXPECT_NE(pixels, render_radiograph(kSeed, 1, 64).pixels);
  EXPECT_NE(pixels, render_radiograph(kSeed + 1, 0, 64).pixels);
}

TEST(SyntheticRadiograph, OrderAndThreadsDoNotMatter) {
  constexpr std::size_t kImages = 8;
  std::vector<SyntheticRadiograph> backwards(kImages);
  std::thread odd([&] {
    for (std::size_t i = kImages; i-- > 0;)
      if (i % 2 == 1) backwards[i] = render_radiograph(kSeed, i, 64);
  });
  std::thread even([&] {
    for (std::size_t i = kImages; i-- > 0;)
      if (i % 2 == 0) backwards[i] = render_radiograph(kSeed, i, 64);
  });
  odd.join();
  even.join();
  for (std::size_t i = 0; i < kImages; ++i)
    EXPECT_EQ(backwards[i].pixels, render_radiograph(kSeed, i, 64).pixels) << "index " << i;
}

TEST(SyntheticRadiograph, HalfAreDiseased) {
  for (const std::uint64_t seed : {1U, 2U, 77U}) {
    int normal = 0, lobar = 0, interstitial = 0;
    for (std::uint64_t index = 0; index < 2000; ++index) {
      const Finding finding = finding_of(seed, index);
      normal += finding == Finding::kNormal;
      lobar += finding == Finding::kLobarConsolidation;
      interstitial += finding == Finding::kInterstitialPattern;
    }
    EXPECT_EQ(normal, 1000) << "seed " << seed;
    EXPECT_EQ(lobar, 500) << "seed " << seed;
    EXPECT_EQ(interstitial, 500) << "seed " << seed;
  }
}

TEST(SyntheticRadiograph, ParityDoesNotTellTheLabel) {
  int odd_and_sick = 0;
  for (std::uint64_t index = 1; index < 2000; index += 2) odd_and_sick += is_pneumonia(finding_of(kSeed, index));
  EXPECT_NEAR(odd_and_sick, 500, 80);  // five standard deviations of 1000 fair throws
}

TEST(SyntheticRadiograph, SaysWhatItShows) {
  for (std::uint64_t index = 0; index < 16; ++index)
    EXPECT_EQ(render_radiograph(kSeed, index, 32).finding, finding_of(kSeed, index));
}

TEST(SyntheticRadiograph, UsesTheGreyScale) {
  for (std::uint64_t index = 0; index < 24; ++index) {
    auto pixels = render_radiograph(kSeed, index, 96).pixels;
    ASSERT_EQ(pixels.size(), 96U * 96U);
    std::sort(pixels.begin(), pixels.end());
    EXPECT_LT(pixels[pixels.size() / 50], 60) << "air beside the patient isn't dark in picture " << index;
    EXPECT_GT(pixels[pixels.size() * 49 / 50], 180) << "spine and abdomen aren't bright in picture " << index;
    EXPECT_LT(std::count(pixels.begin(), pixels.end(), 255), static_cast<std::ptrdiff_t>(pixels.size() / 10))
        << "burnt out: " << index;
  }
}

TEST(SyntheticRadiograph, LungsAreDarkerThanTheMiddleShadowBetweenThem) {
  for (std::uint64_t index = 0; index < 40; ++index) {
    const auto radiograph = render_radiograph_with(kSeed, index, 96, Finding::kNormal);
    const auto patient = synthetic::draw_patient(kSeed, index);
    const auto grey_at = [&](double x, double y) {
      const auto film = synthetic::to_film(patient, {x, y});
      double sum = 0.0;
      for (int dy = -3; dy <= 3; ++dy)
        for (int dx = -3; dx <= 3; ++dx) {
          const int column = static_cast<int>(48.0 * (film.x + 1.0)) + dx,
                    row = static_cast<int>(48.0 * (film.y + 1.0)) + dy;
          sum += radiograph.pixels.at(static_cast<std::size_t>(row * 96 + column));
        }
      return sum / 49.0;
    };
    EXPECT_LT(grey_at(-0.42, 0.1) + 20.0, grey_at(0.0, 0.1)) << "right lung of picture " << index;
    EXPECT_LT(grey_at(0.48, -0.1) + 20.0, grey_at(0.0, -0.1)) << "left lung of picture " << index;
  }
}

TEST(SyntheticRadiograph, AnotherSizeShowsTheSamePatient) {
  for (std::uint64_t index = 0; index < 6; ++index) {
    const auto coarse = tile_means(render_radiograph(kSeed, index, 64), 64, 16);
    const auto fine = tile_means(render_radiograph(kSeed, index, 256), 256, 16);
    double difference = 0.0;
    for (std::size_t i = 0; i < coarse.size(); ++i)
      difference += std::abs(coarse[i] - fine[i]) / static_cast<double>(coarse.size());
    EXPECT_LT(difference, 0.02) << "index " << index;  // other patients differ by 0.1 and more
  }
}

TEST(SyntheticRadiograph, LesionLiesInsideALung) {
  int lesions = 0;
  for (std::uint64_t index = 0; index < 400; ++index) {
    if (finding_of(kSeed, index) != Finding::kLobarConsolidation) continue;
    const auto radiograph = render_radiograph(kSeed, index, 32);
    const auto patient = synthetic::draw_patient(kSeed, index);
    const auto place = synthetic::locate(
        patient, synthetic::to_patient(patient, {2.0 * radiograph.lesion_x - 1.0, 2.0 * radiograph.lesion_y - 1.0}));
    EXPECT_GT(synthetic::lung_air(patient, place), 0.25) << "index " << index;
    EXPECT_GT(radiograph.lesion_radius, 0.05F);
    EXPECT_LT(radiograph.lesion_radius, 0.25F);
    ++lesions;
  }
  EXPECT_EQ(lesions, 100);
}

TEST(SyntheticRadiograph, OnlyAConsolidationHasAPlace) {
  for (const Finding finding : {Finding::kNormal, Finding::kInterstitialPattern}) {
    const auto radiograph = render_radiograph_with(kSeed, 3, 32, finding);
    EXPECT_EQ(radiograph.lesion_x, 0.0F);
    EXPECT_EQ(radiograph.lesion_y, 0.0F);
    EXPECT_EQ(radiograph.lesion_radius, 0.0F);
  }
}

// The patient with the consolidation against the same patient without: what changed must be where the lesion is said to
// be.
TEST(SyntheticRadiograph, TheConsolidationBrightensItsPlace) {
  constexpr int kSize = 96;
  int brightened = 0;
  for (std::uint64_t index = 0; index < 40; ++index) {
    const auto sick = render_radiograph_with(kSeed, index, kSize, Finding::kLobarConsolidation);
    const auto well = render_radiograph_with(kSeed, index, kSize, Finding::kNormal);
    double inside = 0.0, n_inside = 0.0, outside = 0.0, n_outside = 0.0;
    for (int row = 0; row < kSize; ++row)
      for (int column = 0; column < kSize; ++column) {
        const auto i = static_cast<std::size_t>(row * kSize + column);
        const double change = static_cast<double>(sick.pixels[i]) - well.pixels[i];
        const double distance = std::hypot((column + 0.5) / kSize - sick.lesion_x, (row + 0.5) / kSize - sick.lesion_y);
        const bool near = distance < 0.6 * sick.lesion_radius;
        (near ? inside : outside) += change;
        (near ? n_inside : n_outside) += 1.0;
      }
    brightened += inside / n_inside > outside / n_outside + 12.0;
  }
  EXPECT_GE(brightened, 36);  // the few others lie half across a fissure
}

TEST(SyntheticRadiograph, MeanBrightnessDoesNotTellTheLabel) {
  std::vector<double> brightness;
  std::vector<bool> sick;
  for (std::uint64_t index = 0; index < 1000; ++index) {
    const auto radiograph = render_radiograph(kSeed, index, 32);
    brightness.push_back(mean_grey(radiograph));
    sick.push_back(is_pneumonia(radiograph.finding));
  }
  const double area = auc(brightness, sick);
  EXPECT_GT(area, 0.35);
  EXPECT_LT(area, 0.65);
}

TEST(SyntheticRadiograph, LinearClassifierStaysUnder080) {
  constexpr std::size_t kTrain = 1000, kImages = 1400;
  std::vector<std::vector<double>> features;
  std::vector<bool> sick, bright;
  for (std::uint64_t index = 0; index < kImages; ++index) {
    const auto radiograph = render_radiograph(kSeed, index, 64);
    features.push_back(tile_means(radiograph, 64, 16));
    sick.push_back(is_pneumonia(radiograph.finding));
    bright.push_back(features.back()[136] > 0.70);  // one tile in the middle shadow
  }
  for (const double ridge : {1e-3, 1e-2, 1e-1})
    EXPECT_LT(ridge_auc(features, sick, kTrain, ridge), 0.80) << "ridge " << ridge;
  // The classifier itself works: a label that is linear in the pixels it does find.
  EXPECT_GT(ridge_auc(features, bright, kTrain, 1e-3), 0.95);
}

TEST(SyntheticRadiograph, DrawsTheSmallestAndTheLargestSize) {
  EXPECT_EQ(render_radiograph(kSeed, 0, kSmallestRadiographSize).pixels.size(), 32U * 32U);
  EXPECT_EQ(render_radiograph(kSeed, 0, kLargestRadiographSize).pixels.size(), 1024U * 1024U);
}

TEST(SyntheticRadiograph, RefusesSizesOutsideTheRange) {
  EXPECT_THROW(render_radiograph(kSeed, 0, kSmallestRadiographSize - 1), std::invalid_argument);
  EXPECT_THROW(render_radiograph(kSeed, 0, kLargestRadiographSize + 1), std::invalid_argument);
  EXPECT_THROW(render_radiograph(kSeed, 0, 0), std::invalid_argument);
  EXPECT_THROW(render_radiograph(kSeed, 0, -64), std::invalid_argument);
}

}  // namespace synthetic_radiograph_test
}  // namespace xrai
