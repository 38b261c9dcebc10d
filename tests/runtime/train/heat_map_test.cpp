// Heat maps on their pictures, the pointing game, and the way from stored pixels to a map.
#include "runtime/train/heat_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "runtime/train/checkpoint.h"
#include "runtime/train/explainer.h"
#include "runtime/train/pointing_game.h"
#include "runtime/train/predictor.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace heat_map_test {

HeatMap random_map(std::int64_t height, std::int64_t width, double crop) {
  return {height, width, crop, testing::random_values(height * width, 5, 0, 1)};
}

// A sum of tents, one a cell, over all cells: slow, and another way to say the same.
double tents(const HeatMap& map, PicturePlace place) {
  const auto cell_of = [&](double at, std::int64_t cells) {
    const double low = 0.5 - 0.5 * map.crop, cell = (at - low) / map.crop * static_cast<double>(cells) - 0.5;
    return std::min(std::max(cell, 0.0), static_cast<double>(cells) - 1);
  };
  double sum = 0;
  for (std::int64_t row = 0; row < map.height; ++row)
    for (std::int64_t column = 0; column < map.width; ++column)
      sum += std::max(0.0, 1 - std::abs(cell_of(place.y, map.height) - static_cast<double>(row))) *
             std::max(0.0, 1 - std::abs(cell_of(place.x, map.width) - static_cast<double>(column))) *
             map.values[static_cast<std::size_t>(row * map.width + column)];
  return sum;
}

TEST(HeatMap, IsBilinearBetweenTheMiddlesOfItsCells) {
  testing::Random random(3);
  for (const auto& map : {random_map(6, 6, 0.9), random_map(3, 5, 1.0), random_map(1, 1, 0.5)}) {
    for (std::int64_t row = 0; row < map.height; ++row)
      for (std::int64_t column = 0; column < map.width; ++column)
        EXPECT_NEAR(map.at(map.middle_of(row, column)), map.values[static_cast<std::size_t>(row * map.width + column)],
                    1e-9);
    for (int i = 0; i < 200; ++i) {
      const PicturePlace place{random.real(0, 1), random.real(0, 1)};
      EXPECT_NEAR(map.at(place), map.covers(place) ? tents(map, place) : 0.0, 1e-9);
    }
  }
}

TEST(HeatMap, CoversTheCentralPartThatTheNetworkLooksAt) {
  const HeatMap map{2, 2, 0.8, {1, 2, 3, 4}};
  EXPECT_FALSE(map.covers({0.09, 0.5}));
  EXPECT_TRUE(map.covers({0.11, 0.89}));
  EXPECT_EQ(map.at({0.09, 0.5}), 0.0);
  const auto peak = map.peak();
  ASSERT_TRUE(peak);
  EXPECT_NEAR(peak->x, 0.7, 1e-12);
  EXPECT_NEAR(peak->y, 0.7, 1e-12);
  EXPECT_FALSE((HeatMap{2, 2, 1, {0, 0, 0, 0}}.peak()));
}

TEST(PointingGame, HitsOnTheLesionAndHalfACellBeside) {
  HeatMap map{4, 4, 1.0, std::vector<float>(16, 0.1f)};
  map.values[5] = 1;  // its middle: 0.375, 0.375; half a cell: 0.125
  EXPECT_TRUE(points_at(map, {{0.375, 0.6}, 0.11}));
  EXPECT_FALSE(points_at(map, {{0.375, 0.6}, 0.09}));
  EXPECT_TRUE(points_at(map, {{0.2, 0.375}, 0.06}));
  EXPECT_FALSE(points_at({4, 4, 1.0, std::vector<float>(16, 0.0f)}, {{0.5, 0.5}, 0.4}));
}

TEST(PointingGame, MapsThatAreTheSameEverywhereHaveTheLesionsShareOfTheHeat) {
  const HeatMap flat{5, 5, 0.9, std::vector<float>(25, 0.3f)};
  const Lesion lesion{{0.4, 0.6}, 0.15};
  const double share = std::numbers::pi * 0.15 * 0.15 / (0.9 * 0.9);
  EXPECT_NEAR(area_share(flat, lesion, 0), share, 0.02 * share);
  EXPECT_NEAR(heat_inside(flat, lesion), share, 0.02 * share);
  HeatMap pointed{5, 5, 0.9, std::vector<float>(25, 0.0f)};
  pointed.values[12] = 1;  // a tent over 0.36 of the side around the middle
  EXPECT_GT(heat_inside(pointed, {{0.5, 0.5}, 0.26}), 0.999);
  EXPECT_LT(heat_inside(pointed, {{0.2, 0.2}, 0.1}), 1e-9);
}

TEST(PointingGame, CountsHitsBesideWhatChanceWouldHit) {
  PointingGame game;
  EXPECT_FALSE(game.chance());
  HeatMap map{4, 4, 1.0, std::vector<float>(16, 0.0f)};
  map.values[5] = 1;
  game.play(map, {{0.375, 0.375}, 0.1});
  game.play(map, {{0.8, 0.8}, 0.1});
  EXPECT_EQ(game.accuracy().hits, 1);
  EXPECT_EQ(game.accuracy().of, 2);
  const double reach = 0.1 + 0.125;
  EXPECT_NEAR(*game.area(), std::numbers::pi * 0.1 * 0.1, 0.002);
  // The second disc is cut by two edges at 0.2 from its centre; the first is whole.
  EXPECT_LT(*game.chance(), std::numbers::pi * reach * reach);
  EXPECT_GT(*game.chance(), 0.95 * std::numbers::pi * reach * reach);
  // What the network does not see it cannot point at.
  map.crop = 0.5;
  game.play(map, {{0.1, 0.5}, 0.2});
  EXPECT_EQ(game.accuracy().of, 2);
}

TEST(Explainer, GivesEachPictureItsOwnMapInWhateverCompany) {
  const testing::TemporaryFolder folder;
  const testing::ToyPictures pictures(23, 6);
  TrainSettings settings = testing::toy_settings();
  settings.epochs = 1;
  settings.input.view.crop = 0.9f;
  testing::ToyRun run(folder.path(), settings);
  run.run();
  Predictor predictor = Predictor::load(folder.path(), *run.device);
  Explainer explainer = predictor.make_explainer();
  std::vector<std::int32_t> classes;
  for (int i = 0; i < 23; ++i) classes.push_back(i % 2);
  const std::vector<HeatMap> maps =
      explainer.explain(pictures.pixels.data(), testing::kToySide, testing::kToySide, classes);
  ASSERT_EQ(maps.size(), 23u);
  float highest = 0;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    EXPECT_EQ(maps[i].crop, static_cast<double>(run.settings.input.view.crop));
    highest = std::max(highest, maps[i].highest());
    const HeatMap alone = explainer
                              .explain(pictures.pixels.data() + i * testing::kToySide * testing::kToySide,
                                       testing::kToySide, testing::kToySide, std::span(classes).subspan(i, 1))
                              .front();
    for (std::size_t k = 0; k < alone.values.size(); ++k)
      EXPECT_NEAR(alone.values[k], maps[i].values[k], 1e-5 * (1 + alone.highest()));
  }
  EXPECT_GT(highest, 0);
  EXPECT_NE(testing::refused(ExitCode::kUsage, [&] { (void)predictor.make_explainer("no such layer"); }), "");
}

TEST(Explainer, GivesNetworksOfAnEnsembleEqualSay) {
  const testing::TemporaryFolder folder;
  TrainSettings settings = testing::toy_settings();
  settings.epochs = 1;
  testing::ToyRun first(folder.path(), settings);
  first.run();
  settings.seed += 1;
  testing::ToyRun second(member_folder(folder.path(), 2), settings);
  second.run();
  const testing::ToyPictures pictures(4, 6);
  const std::vector<std::int32_t> classes{0, 1, 1, 0};
  const auto maps_of = [&](const std::filesystem::path& path) {
    Predictor predictor = Predictor::load(path, *first.device);
    Explainer explainer = predictor.make_explainer();
    return explainer.explain(pictures.pixels.data(), testing::kToySide, testing::kToySide, classes);
  };
  const auto ensemble = maps_of(folder.path()), of_first = maps_of(first.best()), of_second = maps_of(second.best());
  ASSERT_EQ(ensemble.size(), classes.size());
  const auto share = [](const HeatMap& map, std::size_t cell) {
    return map.highest() > 0 ? map.values[cell] / map.highest() : 0.0f;
  };
  float apart = 0;
  for (std::size_t i = 0; i < classes.size(); ++i)
    for (std::size_t cell = 0; cell < ensemble[i].values.size(); ++cell) {
      const float a = share(of_first[i], cell), b = share(of_second[i], cell);
      EXPECT_NEAR(ensemble[i].values[cell], 0.5f * (a + b), 1e-5f);
      apart = std::max(apart, std::abs(a - b));
    }
  EXPECT_GT(apart, 0.01f);  // else the networks would be one and the mean no claim
}

TEST(Explainer, TakesMapsByTheirHighestValueAndEmptyOnesAsZero) {
  const std::vector<HeatMap> maps{{1, 2, 1, {1, 2}}, {1, 2, 1, {300, 0}}, {1, 2, 1, {0, 0}}};
  const HeatMap mean = mean_of_scaled(maps);
  EXPECT_NEAR(mean.values[0], (0.5 + 1) / 3, 1e-6);
  EXPECT_NEAR(mean.values[1], 1.0 / 3, 1e-6);
}

// The network's maps are means of 16 x 16 pixels, so one view alone would name the middle of the nearest of 4 x 4
// cells.
TEST(Explainer, FindsPlacesBetweenTheMiddlesOfCells) {
  constexpr std::int64_t kSide = 64, kSquare = 16;
  const auto device = make_cpu_device(1);
  Model model(*device,
              parse_model_toml("name = 'means'\n[[layer]]\ntype = 'average_pool'\nkernel = 16\n[[layer]]\ntype = "
                               "'convolution'\nfilters = 1\nkernel = 1\n[[layer]]\ntype = 'global_average_pool'\n"
                               "[[layer]]\ntype = 'dense'\n",
                               "means.toml"),
              {1, kSide, kSide, 1}, 2);
  for (const ParameterSpec& spec : model.parameters().specs())
    model.parameters().values()[spec.offset] = spec.role == ParameterRole::kWeight ? 1.0f : 0.0f;
  InputSettings input{kSide, {}};
  input.view = {.crop = 1, .mean = 0, .deviation = 1};
  const ExplainedNetwork network{model, input};
  Explainer explainer({&network, 1});
  const std::int32_t of_class = 1;
  for (const std::int64_t left : {8, 13, 24, 29, 34})
    for (const std::int64_t top : {10, 24, 35}) {
      std::vector<std::uint8_t> pixels(kSide * kSide);
      for (std::int64_t y = top; y < top + kSquare; ++y)
        for (std::int64_t x = left; x < left + kSquare; ++x) pixels[static_cast<std::size_t>(y * kSide + x)] = 255;
      const HeatMap map = explainer.explain(pixels.data(), kSide, kSide, {&of_class, 1}).front();
      EXPECT_EQ(map.width, 8);
      const auto peak = map.peak();
      ASSERT_TRUE(peak);
      // Half of a cell of the finer map.
      EXPECT_LE(std::abs(peak->x * kSide - static_cast<double>(left + kSquare / 2)), 4.01) << left << ", " << top;
      EXPECT_LE(std::abs(peak->y * kSide - static_cast<double>(top + kSquare / 2)), 4.01) << left << ", " << top;
    }
}

}  // namespace heat_map_test
}  // namespace xrai
