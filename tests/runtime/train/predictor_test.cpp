// What is said about a picture does not depend on who asks, nor on the pictures beside it.
#include "runtime/train/predictor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace predictor_test {

using testing::kToySide;
using testing::ToyPictures;
using testing::ToyRun;
using testing::Values;

class PredictorTest : public ::testing::Test {
 protected:
  PredictorTest() {
    TrainSettings settings = testing::toy_settings();
    settings.epochs = 2;
    settings.input.view.crop = 0.9f;
    run_.emplace(folder_.path(), settings);
    run_->run();
  }
  [[nodiscard]] Values predict(std::int64_t n, std::int64_t batch_size) const {
    Predictor predictor = Predictor::load(folder_.path(), *run_->device, batch_size);
    return predictor.predict(pictures_.pixels.data(), n, kToySide, kToySide);
  }

  testing::TemporaryFolder folder_;
  std::optional<ToyRun> run_;
  ToyPictures pictures_{23, 6};  // those of the run's validation
};

TEST_F(PredictorTest, SaysWhatValidationDuringTrainingSaid) {
  restore(read_checkpoint(run_->best()), run_->model, nullptr);
  Scorer scorer(run_->model, run_->settings.input, 64);
  const Scores scores = scorer.score(run_->validation);
  EXPECT_EQ(scores.probabilities, predict(23, 64));
  EXPECT_EQ(scores.labels, pictures_.labels);
  ASSERT_EQ(scores.sample_ids.size(), 23u);
  EXPECT_EQ(scores.sample_ids[22], 22);
}

TEST_F(PredictorTest, AnyBatchSizeGivesTheSameProbabilities) {
  const Values one_by_one = predict(23, 1);
  ASSERT_EQ(one_by_one.size(), 46u);
  for (std::size_t i = 0; i < one_by_one.size(); i += 2) EXPECT_NEAR(one_by_one[i] + one_by_one[i + 1], 1, 1e-6);
  for (const std::int64_t batch_size : {2, 7, 23, 64}) {
    const Values together = predict(23, batch_size);
    ASSERT_EQ(together.size(), one_by_one.size());
    for (std::size_t i = 0; i < together.size(); ++i) EXPECT_NEAR(together[i], one_by_one[i], 1e-6);
  }
}

TEST_F(PredictorTest, PaddingRowsCostNothing) {
  // The rows behind a smaller last batch hold old pictures; what they hold changes nothing, to the bit.
  Predictor predictor = Predictor::load(folder_.path(), *run_->device, 8);
  const auto last_seven = [&] {
    return predictor.predict(pictures_.pixels.data() + 16 * kToySide * kToySide, 7, kToySide, kToySide);
  };
  const Values fresh = last_seven();
  EXPECT_EQ(predictor.predict(pictures_.pixels.data(), 16, kToySide, kToySide).size(), 32u);
  EXPECT_EQ(fresh, last_seven());
  EXPECT_EQ(fresh.size(), 14u);
}

TEST_F(PredictorTest, PicturesOfAnotherSizeAreSeenAtTheNetworksSize) {
  Predictor predictor = Predictor::load(folder_.path(), *run_->device, 8);
  const ToyPictures large(4, 11, 40);
  EXPECT_EQ(predictor.predict(large.pixels.data(), 4, 40, 40).size(), 8u);
  // Not square, and larger than any before: 40 x 20.
  for (const float p : predictor.predict(large.pixels.data(), 8, 40, 20)) EXPECT_TRUE(p >= 0 && p <= 1);
}

TEST_F(PredictorTest, NoPicturesAreNoProbabilities) {
  Predictor predictor = Predictor::load(folder_.path(), *run_->device);
  EXPECT_TRUE(predictor.predict(nullptr, 0, kToySide, kToySide).empty());
}

TEST_F(PredictorTest, KnowsWhatTheCheckpointSays) {
  const Predictor predictor = Predictor::load(folder_.path(), *run_->device);
  const CheckpointFacts facts = testing::toy_facts(run_->settings);
  EXPECT_EQ(predictor.checkpoint_path(), run_->best());
  EXPECT_EQ(predictor.classes(), facts.classes);
  EXPECT_EQ(predictor.model_name(), "toy");
  EXPECT_EQ(predictor.epoch(), run_->trainer->state().best_epoch);
  EXPECT_EQ(predictor.preprocessing().decoder, facts.preprocessing.decoder);
  EXPECT_EQ(predictor.config_toml(), facts.config_toml);
  EXPECT_EQ(predictor.threshold(), facts.threshold);
}

TEST(Scores, LossIsTheWeightedMeanAndSurvivesACertainMistake) {
  Scores scores{{0, 1}, {0, 1}, {0.75f, 0.25f, 1.0f, 0.0f}};
  EXPECT_NEAR(scores.loss({2, 1}), (-2 * std::log(0.75) - std::log(1e-12)) / 2, 1e-6);
  // 0.75 of balanced classes is 0.25 where the second class is nine times as frequent.
  EXPECT_NEAR(scores.loss({1, 1}, {std::log(0.1f), std::log(0.9f)}), (-std::log(0.25) - std::log(1e-12)) / 2, 1e-6);
  scores.probabilities[0] = NAN;
  EXPECT_TRUE(std::isnan(scores.loss({1, 1})));
  EXPECT_EQ(Scores{}.loss({1, 1}), 0.0);
}

TEST_F(PredictorTest, AppliesTheCheckpointsTemperatureToWhatTheNetworkSays) {
  const Values before = predict(23, 64);
  rewrite_facts(run_->best(), [](CheckpointFacts& facts) { facts.temperature = 2.0; });
  Predictor predictor = Predictor::load(folder_.path(), *run_->device, 64);
  EXPECT_EQ(predictor.temperature(), 2.0);
  EXPECT_EQ(predictor.predict_uncalibrated(pictures_.pixels.data(), 23, kToySide, kToySide), before);
  const Values after = predictor.predict(pictures_.pixels.data(), 23, kToySide, kToySide);
  for (std::size_t i = 0; i < before.size(); i += 2) {
    const double odds = std::sqrt(static_cast<double>(before[i + 1]) / static_cast<double>(before[i]));
    EXPECT_NEAR(after[i + 1], odds / (1.0 + odds), 1e-6);
  }
}

}  // namespace predictor_test
}  // namespace xrai
