// Ensembles and recipes of xrai_gpu_train: several networks in one run folder, and named sets of values.
#include <gmock/gmock.h>

#include <fstream>

#include "apps/report/scoring_point.h"
#include "apps/training/picture_cache.h"
#include "apps/training/recipes.h"
#include "apps/training/train_options.h"
#include "loaders/reader.h"
#include "runtime/core/device.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/train/predictor.h"
#include "tests/apps/training_runs.h"

namespace xrai {
namespace train_members_test {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::quoted;
using testing::run_command;
using testing::text_of;

class Members : public testing::TrainingRuns {
 protected:
  static constexpr const char* kTwo = "--members 2 --epochs 2 --batch-size 8 ";

  [[nodiscard]] std::vector<float> predicted_by(const fs::path& run_or_checkpoint) const {
    const auto device = make_cpu_device(1);
    const auto file = open_dataset(data());
    const std::vector<std::int64_t> rows{0, 1, 2, 3, 4};
    std::vector<std::uint8_t> pixels(rows.size() * 32 * 32);
    file->read_rows("train", rows, pixels.data());
    return Predictor::load(run_or_checkpoint, *device).predict(pixels.data(), 5, 32, 32);
  }
};

TEST_F(Members, AreRunsOfTheirOwnWithSeedsOfTheirOwnAndTheSameValidationPictures) {
  const auto trained = run_command(new_run("r", kTwo));
  ASSERT_EQ(trained.exit_code, 0) << trained.errors;
  const fs::path second = run("r") / "members" / "2";
  EXPECT_TRUE(fs::exists(second / "report.html"));
  EXPECT_EQ(read_history(second).size(), 2U);
  EXPECT_THAT(text_of(second / "config.toml"),
              AllOf(HasSubstr("\nseed = 1001\n"), HasSubstr("\nval_seed = 1\n"), HasSubstr("\nmembers = 1\n")));
  EXPECT_NE(checksum("r"), read_checkpoint(second / "checkpoints" / "last.h5").checksum);
  EXPECT_THAT(trained.errors, HasSubstr("network 2 of 2, with seed 1001"));
  EXPECT_THAT(text_of(run("r") / "report.html"), HasSubstr("the mean of 2 networks"));
  EXPECT_THAT(text_of(run("r") / "eval" / "val.json"), HasSubstr("\"n_networks\": 2"));
  // A member is what a run with its configuration is.
  ASSERT_EQ(run_command(new_run("alone", "--epochs 2 --batch-size 8 --seed 1001 --val-seed 1")).exit_code, 0);
  const Checkpoint member = read_checkpoint(second / "checkpoints" / "last.h5");
  EXPECT_EQ(member.tensors, read_checkpoint(run("alone") / "checkpoints" / "last.h5").tensors);
}

TEST_F(Members, FindThePicturesInMemoryThatTheNetworkBeforeHasRead) {
  const auto device = make_cpu_device(1);
  TrainingData first = open_training_data(data(), {}, 0.2, 1);
  const PictureStore store(first, *device, "host", true);
  EXPECT_NE(first.reader, first.file);
  TrainingData second = first;
  const PictureStore of_second(second, *device, "host", true);
  EXPECT_EQ(second.reader, first.reader);
}

TEST_F(Members, ARunFolderPredictsTheMeanOfItsNetworks) {
  ASSERT_EQ(run_command(new_run("r", kTwo)).exit_code, 0);
  const auto one = predicted_by(run("r") / "checkpoints" / "best.h5"),
             two = predicted_by(run("r") / "members" / "2" / "checkpoints" / "best.h5"), both = predicted_by(run("r"));
  ASSERT_EQ(both.size(), 10U);
  EXPECT_NE(one, two);
  for (std::size_t i = 0; i < both.size(); ++i) EXPECT_NEAR(both[i], (one[i] + two[i]) / 2, 1e-6) << i;
}

TEST_F(Members, AStoppedRunGoesOnWithTheNetworkItWasAt) {
  ASSERT_EQ(run_command(new_run("whole", kTwo)).exit_code, 0);
  // Only the first network is there, as if the second had not begun.
  ASSERT_EQ(run_command(new_run("stopped", "--epochs 2 --batch-size 8")).exit_code, 0);
  const auto on = run_command(command("stopped", "--resume auto --members 2"));
  ASSERT_EQ(on.exit_code, 0) << on.errors;
  EXPECT_THAT(on.errors, HasSubstr("--members is now 2, was 1"));
  for (const char* file : {"checkpoints/last.h5", "members/2/checkpoints/last.h5"})
    EXPECT_EQ(read_checkpoint(run("whole") / file).tensors, read_checkpoint(run("stopped") / file).tensors) << file;
  // And a second that stopped in its first epoch.
  fs::remove_all(run("stopped") / "members" / "2");
  ASSERT_EQ(run_command("xrai_gpu_train --config " + quoted(run("whole") / "members/2/config.toml") + " --threads 1" +
                        " --max-steps 3 --out " + quoted(run("stopped") / "members" / "2"))
                .exit_code,
            0);
  ASSERT_EQ(run_command(command("stopped", "--resume auto --members 2")).exit_code, 0);
  EXPECT_EQ(read_checkpoint(run("whole") / "members/2/checkpoints/last.h5").tensors,
            read_checkpoint(run("stopped") / "members/2/checkpoints/last.h5").tensors);
}

TEST_F(Members, CtrlCInTheSecondNetworkSavesItAndSaysHowToGoOn) {
  testing::StartedProgram program(
      words("r", {"--members", "2", "--epochs", "8", "--batch-size", "1", "--log-interval", "1"}),
      folder_ / "errors.txt");
  const fs::path second = run("r") / "members" / "2";
  ASSERT_TRUE(testing::comes_true([&] {
    return fs::exists(second / "metrics.jsonl") && !text_of(second / "metrics.jsonl").empty();
  })) << program.errors();
  program.send(SIGINT);
  EXPECT_EQ(program.exit_code(), 130);
  EXPECT_THAT(program.errors(), HasSubstr("--out " + run("r").string() + " --resume auto --members 2"));
  EXPECT_EQ(find_checkpoints(run("r")).size(), 1U) << "half trained, it is no member yet";
  const auto on = run_command(command("r", "--resume auto"));
  ASSERT_EQ(on.exit_code, 0) << on.errors;
  EXPECT_EQ(read_checkpoint(second / "checkpoints" / "last.h5").state.epoch, 8);
  EXPECT_EQ(find_checkpoints(run("r")).size(), 2U);
}

TEST_F(Members, ComeAlongIntoANewFolder) {
  ASSERT_EQ(run_command(new_run("r", kTwo)).exit_code, 0);
  const auto on = run_command(command("n", "--resume " + quoted(run("r"))));
  ASSERT_EQ(on.exit_code, 0) << on.errors;
  EXPECT_EQ(read_checkpoint(run("r") / "members/2/checkpoints/best.h5").checksum,
            read_checkpoint(run("n") / "members/2/checkpoints/best.h5").checksum);
  EXPECT_EQ(predicted_by(run("r")), predicted_by(run("n")));
}

TEST_F(Members, AreNotLeftOutByAResumeWithFewer) {
  ASSERT_EQ(run_command(new_run("r", kTwo)).exit_code, 0);
  const auto fewer = run_command(command("r", "--resume auto --members 1"));
  EXPECT_EQ(fewer.exit_code, 2);
  EXPECT_THAT(fewer.errors, HasSubstr((run("r") / "members" / "2").string() + " is one more network of the run"));
}

TEST_F(Members, OneAloneIsToldFromTheMeanThatItsTemperatureIsOf) {
  ASSERT_EQ(run_command(new_run("r", kTwo)).exit_code, 0);
  const CheckpointFacts facts = read_checkpoint(run("r") / "checkpoints" / "best.h5").facts;
  EXPECT_THAT(fitted_for_others_warning(facts, 1),
              HasSubstr("chosen for the mean of 2 networks, and one alone is scored"));
  EXPECT_EQ(fitted_for_others_warning(facts, 2), "");
  const CheckpointFacts second = read_checkpoint(run("r") / "members" / "2" / "checkpoints" / "best.h5").facts;
  EXPECT_EQ(fitted_for_others_warning(second, 1), "") << "each has a temperature of its own, too";
  CheckpointFacts older = facts;
  older.fitted_networks.reset();
  EXPECT_EQ(fitted_for_others_warning(older, 1), "");
}

TEST_F(Members, OneThatHasNoCheckpointYetEndsTheList) {
  ASSERT_EQ(run_command(new_run("r", kTwo)).exit_code, 0);
  fs::create_directories(run("r") / "members" / "3" / "checkpoints");
  EXPECT_EQ(find_checkpoints(run("r")).size(), 2U);
  EXPECT_EQ(find_checkpoints(run("r") / "checkpoints" / "best.h5").size(), 1U);
}

// What the options are after a recipe, as config.toml has it.
std::string resolved(const std::string& recipe, const std::vector<const char*>& words = {}) {
  TrainOptions options;
  CommandLine line("xrai_gpu_train", "");
  add_train_options(line, options);
  std::vector<const char*> all{"xrai_gpu_train", "--data", "d.h5", "--out", "r"};
  all.insert(all.end(), words.begin(), words.end());
  EXPECT_TRUE(line.parse(static_cast<int>(all.size()), all.data()));
  apply_recipe(recipe, line);
  return line.resolved_toml();
}

TEST(Recipes, TheFileOfTheDefaultSaysWhatTheDefaultsAre) {
  const std::string file = std::string(XRAI_SOURCE) + "/recipes/default.toml";
  EXPECT_EQ(resolved(file), resolved("default"));
}

TEST(Recipes, TheThreeAreThere) {
  std::vector<std::string> names;
  for (const Recipe& recipe : built_in_recipes()) {
    names.emplace_back(recipe.name);
    EXPECT_EQ(recipe.toml, text_of(std::string(XRAI_SOURCE) + "/recipes/" + names.back() + ".toml"));
  }
  EXPECT_THAT(names, ElementsAre("best", "default", "fast"));
  EXPECT_THAT(resolved("fast"), HasSubstr("\nmembers = 1\n"));
  EXPECT_NE(resolved("best"), resolved("default"));
}

TEST(Recipes, TheCommandLineBeatsThem) {
  EXPECT_THAT(resolved("fast", {"--epochs", "77"}), HasSubstr("\nepochs = 77\n"));
}

TEST(Recipes, AreNotInTheConfigurationThatTheyMade) {
  EXPECT_THAT(resolved("fast"), Not(HasSubstr("recipe")));
}

TEST(Recipes, AnUnknownOneIsRefusedWithTheNearestName) {
  try {
    resolved("fsat");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("there is no recipe 'fsat', neither among best, default, fast nor as a file; "
                                        "did you mean fast?"));
  }
}

TEST_F(Members, ARecipeOfOnesOwnIsAFile) {
  std::ofstream(folder_ / "mine.toml") << "[training]\nepochs = 3\n[augmentation]\nrotation = 7.0\n";
  const auto trained = run_command(new_run("r", "--recipe " + quoted(folder_ / "mine.toml") + " --rotation 2"));
  ASSERT_EQ(trained.exit_code, 0) << trained.errors;
  EXPECT_EQ(read_history(run("r")).size(), 3U);
  EXPECT_THAT(text_of(run("r") / "config.toml"), HasSubstr("\nrotation = 2.0\n"));
  // The run can be repeated where the recipe's file is not.
  fs::remove(folder_ / "mine.toml");
  const auto again = run_command("xrai_gpu_train --config " + quoted(run("r") / "config.toml") + " --threads 1 --out " +
                                 quoted(run("again")));
  ASSERT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(read_checkpoint(run("again") / "checkpoints" / "last.h5").tensors,
            read_checkpoint(run("r") / "checkpoints" / "last.h5").tensors);
}

TEST_F(Members, ARecipeThatAConfigurationBeatsIsSaid) {
  std::ofstream(folder_ / "mine.toml") << "[training]\nepochs = 1\nbatch_size = 8\n";
  std::ofstream(folder_ / "recipe.toml") << "[training]\nepochs = 2\nlr = 0.001\n";
  const auto trained = run_command(
      new_run("r", "--recipe " + quoted(folder_ / "recipe.toml") + " --config " + quoted(folder_ / "mine.toml")));
  ASSERT_EQ(trained.exit_code, 0) << trained.errors;
  EXPECT_EQ(read_history(run("r")).size(), 1U);
  EXPECT_THAT(trained.errors,
              AllOf(HasSubstr("--config sets epochs, and what it sets beats"), HasSubstr("recipe.toml")));
}

}  // namespace train_members_test
}  // namespace xrai
