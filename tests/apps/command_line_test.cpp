#include "apps/support/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "apps/support/nearest.h"
#include "runtime/core/error.h"
#include "tests/support/picture_files.h"

namespace xrai {
namespace command_line_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A program with an option of every kind.
struct Program {
  int epochs = 3;
  double lr = 1e-3;
  float momentum = 0.9F;
  bool flip = false;
  std::string schedule = "cosine";
  std::filesystem::path out;
  std::optional<std::string> model;
  std::uint64_t seed = 1;
  std::vector<std::string> images;
  CommandLine line{"program", "Does things."};

  Program() {
    line.accept_config();
    line.add({.group = "Training",
              .name = "epochs",
              .short_name = "e",
              .target = &epochs,
              .help = "passes",
              .at_least = 1,
              .at_most = 100});
    line.add({.group = "Training", .name = "lr", .target = &lr, .help = "rate", .above = 0.0});
    line.add({.group = "Training", .name = "momentum", .target = &momentum, .help = "momentum"});
    line.add({.group = "Training", .name = "flip", .target = &flip, .help = "mirror"});
    line.add({.group = "Training",
              .name = "lr-schedule",
              .target = &schedule,
              .help = "fall",
              .allowed = {"cosine", "step"}});
    line.add({.group = "Training", .name = "seed", .target = &seed, .help = "seed"});
    line.add(
        {.group = "In and out", .name = "out", .short_name = "o", .target = &out, .help = "folder", .required = true});
    line.add({.group = "In and out", .name = "model", .target = &model, .help = "network"});
    line.add({.group = "In and out",
              .name = "images",
              .target = &images,
              .help = "pictures",
              .value_name = "IMAGE...",
              .positional = true});
  }
  bool parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "program");
    return line.parse(static_cast<int>(arguments.size()), arguments.data());
  }
  std::string refusal(std::vector<const char*> arguments) {
    try {
      parse(std::move(arguments));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    return "was accepted";
  }
};

TEST(CommandLine, FillsTargetsAndRemembersWhatWasGiven) {
  Program program;
  EXPECT_TRUE(program.parse({"-e5", "--lr=0.01", "--flip", "--out", "run", "a.png", "b.png"}));
  EXPECT_EQ(program.epochs, 5);
  EXPECT_EQ(program.lr, 0.01);
  EXPECT_TRUE(program.flip);
  EXPECT_EQ(program.out, "run");
  EXPECT_THAT(program.images, ElementsAre("a.png", "b.png"));
  EXPECT_FALSE(program.model);
  EXPECT_EQ(program.line.source_of("lr"), ValueSource::kCommandLine);
  EXPECT_FALSE(program.line.given("momentum"));
}

TEST(CommandLine, TheLastOfARepeatedFlagCounts) {
  Program program;
  EXPECT_TRUE(program.parse({"--epochs", "5", "--flip", "--epochs", "7", "--no-flip", "-o", "run"}));
  EXPECT_EQ(program.epochs, 7);
  EXPECT_FALSE(program.flip);
}

TEST(CommandLine, AnArgumentThatFitsNowhereIsShownTheRequiredOptionThatIsMissing) {
  const auto refusal = [](const std::vector<const char*>& arguments) {
    std::string data, out;
    CommandLine line("program", "Does things.");
    line.add({.group = "In", .name = "data", .target = &data, .help = "file", .required = true});
    line.add({.group = "In", .name = "out", .target = &out, .help = "folder"});
    try {
      return std::string(line.parse(static_cast<int>(arguments.size()), arguments.data()) ? "was accepted" : "helped");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return std::string(error.what());
    }
  };
  EXPECT_THAT(refusal({"program", "chest.h5"}),
              HasSubstr("no place for the argument \"chest.h5\"; does it belong behind --data?"));
  EXPECT_THAT(refusal({"program", "run", "--data", "chest.h5"}),
              ::testing::AllOf(HasSubstr("no place for the argument \"run\""), ::testing::Not(HasSubstr("belong"))));
}

TEST(CommandLine, WrongUsageIsOneSentenceWithFlagValueAndChoice) {
  EXPECT_THAT(Program().refusal({"-o", "x", "--epoch", "3"}), HasSubstr("did you mean --epochs?"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--lr-shedule", "step"}), HasSubstr("did you mean --lr-schedule?"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--epochs", "ten"}),
              HasSubstr("--epochs got \"ten\": expected a whole number, 1 to 100"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--epochs", "0"}), HasSubstr("1 to 100"));
  // Of a long value the beginning, and no letter in half: the 77th byte is a letter's last, then its first.
  std::string accents = "1", beginning = "1";
  for (int i = 0; i < 500; ++i) accents += "\u00e9";
  for (int i = 0; i < 38; ++i) beginning += "\u00e9";
  EXPECT_THAT(Program().refusal({"-o", "x", "--epochs", accents.c_str()}),
              HasSubstr("--epochs got \"" + beginning + "...\": expected"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--epochs", ("1" + accents).c_str()}),
              HasSubstr("got \"1" + beginning.substr(0, 75) + "...\""));
  EXPECT_THAT(Program().refusal({"-o", "x", "--epochs", "3.5"}), HasSubstr("whole number"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--epochs", "99999999999999999999"}), HasSubstr("whole number"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--lr", "0"}), HasSubstr("above 0"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--lr", "nan"}), HasSubstr("a number"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--lr", "-1"}), HasSubstr("above 0"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--seed", "18446744073709551615"}), HasSubstr("below 2^63"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--lr-schedule", "cosin"}), HasSubstr("did you mean cosine?"));
  EXPECT_THAT(Program().refusal({"-o", "x", "--flip=maybe"}), HasSubstr("true or false"));
  EXPECT_THAT(Program().refusal({"--out"}), HasSubstr("--out needs a value"));
  EXPECT_THAT(Program().refusal({"--out", "--epochs", "3"}), HasSubstr("--out needs a value, but --epochs follows"));
  EXPECT_THAT(Program().refusal({}), HasSubstr("--out is missing"));
}

class ConfigFile : public ::testing::Test {
 protected:
  std::string write(const std::string& text) {
    const auto path = folder_ / "run.toml";
    std::ofstream(path) << text;
    return path.string();
  }
  std::string refusal(const std::string& text) {
    const std::string path = write(text);
    return Program().refusal({"--out", "x", "--config", path.c_str()});
  }
  testing::TemporaryFolder folder_;
};

TEST_F(ConfigFile, TheFlagBeatsTheFileAndTheFileTheDefault) {
  const std::string path =
      write("epochs = 9\n[training]\nlr = 1\nlr_schedule = 'step'\n[in_and_out]\nout = 'from-file'\n");
  Program program;
  EXPECT_TRUE(program.parse({"--config", path.c_str(), "--epochs", "5"}));
  EXPECT_EQ(program.epochs, 5);
  EXPECT_EQ(program.lr, 1.0);
  EXPECT_EQ(program.schedule, "step");
  EXPECT_EQ(program.out, "from-file");
  EXPECT_EQ(program.line.source_of("lr"), ValueSource::kConfigFile);
}

TEST_F(ConfigFile, ALaterFileOnlyFillsWhatIsStillDefault) {
  Program program;
  const std::string first = write("lr = 0.5\n");
  EXPECT_TRUE(program.parse({"--config", first.c_str(), "--epochs", "5", "-o", "x"}));
  program.line.apply_config_file(write("lr = 0.1\nepochs = 50\nseed = 4\n"));
  EXPECT_EQ(program.lr, 0.5);
  EXPECT_EQ(program.epochs, 5);
  EXPECT_EQ(program.seed, 4U);
}

TEST_F(ConfigFile, MistakesAreNamedWithTheirLine) {
  EXPECT_THAT(refusal("\nlrr = 1\n"), ::testing::AllOf(HasSubstr("line 2"), HasSubstr("did you mean lr?")));
  EXPECT_THAT(refusal("[trainig]\nlr = 1\n"), HasSubstr("did you mean training?"));
  EXPECT_THAT(refusal("lr = 'fast'\n"), ::testing::AllOf(HasSubstr("line 1"), HasSubstr("must be a number")));
  EXPECT_THAT(refusal("epochs = 2.0\n"), HasSubstr("must be a whole number"));
  EXPECT_THAT(refusal("epochs = 1000\n"), ::testing::AllOf(HasSubstr("line 1"), HasSubstr("1 to 100")));
  EXPECT_THAT(refusal("images = ['a', 1]\n"), HasSubstr("list of texts"));
  EXPECT_THAT(refusal("lr = 1\n[training]\nlr = 2\n"), HasSubstr("given twice"));
  EXPECT_THAT(refusal("lr = \n"), HasSubstr("line 1"));
  EXPECT_THAT(refusal("config = 'other.toml'\n"), HasSubstr("no option config"));
  EXPECT_THAT(Program().refusal({"--config", "/not/there.toml"}), HasSubstr("cannot read"));
}

TEST_F(ConfigFile, TheResolvedConfigurationReadsBackToItself) {
  Program program;
  EXPECT_TRUE(program.parse({"--lr", "1e-5", "--momentum", "0.1", "--flip", "-o", "quo\"te\\slash\ttab\nline\x7F",
                             "--seed", "9223372036854775807", "ümlaut.png", "b c.png"}));
  const std::string path = write(program.line.resolved_toml());
  Program again;
  EXPECT_TRUE(again.parse({"--config", path.c_str()}));
  EXPECT_EQ(again.line.resolved_toml(), program.line.resolved_toml());
  EXPECT_EQ(again.out, program.out);
  EXPECT_EQ(again.lr, 1e-5);
  EXPECT_EQ(again.momentum, 0.1F);
  EXPECT_EQ(again.seed, 9223372036854775807U);
  EXPECT_EQ(again.images, program.images);
}

TEST(CommandLine, HelpNamesGroupsDefaultsAndExitCodes) {
  const std::string help = Program().line.help_text();
  for (const char* part : {"Training:", "-e, --epochs N", "1 to 100; default 3", "--[no-]flip", "one of cosine, step",
                           "IMAGE...", "required", "130 interrupted", "not a medical device", "--version"})
    EXPECT_THAT(help, HasSubstr(part));
}

TEST(CommandLine, CommandsHaveOptionsOfTheirOwn) {
  int size = 1, other = 1;
  const auto parse = [&](std::vector<const char*> arguments) {
    CommandLine line("program", "Does things.");
    line.command("make", "Makes.").add({.group = "A", .name = "size", .target = &size, .help = "size"});
    line.command("look", "Looks.").add({.group = "A", .name = "other", .target = &other, .help = "other"});
    arguments.insert(arguments.begin(), "program");
    try {
      EXPECT_TRUE(line.parse(static_cast<int>(arguments.size()), arguments.data()));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return line.selected_command();
  };
  EXPECT_EQ(parse({"make", "--size", "7"}), "make");
  EXPECT_EQ(size, 7);
  EXPECT_THAT(parse({"make", "--other", "7"}), HasSubstr("no option --other"));
  EXPECT_THAT(parse({"mkae"}), HasSubstr("did you mean make?"));
  EXPECT_THAT(parse({}), HasSubstr("make or look"));
}

TEST(Nearest, CountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("epochs", "epochs"), 0);
  EXPECT_EQ(edit_distance("epcohs", "epochs"), 1);
  EXPECT_EQ(edit_distance("lr", "lrr"), 1);
  EXPECT_EQ(nearest("--batch", {"--batch-size", "--watch"}), "--batch-size");
  EXPECT_FALSE(nearest("--completely-else", {"--lr", "--out"}));
}

}  // namespace command_line_test
}  // namespace xrai
