// The manual in both languages: the tables of its worked example are computed with the library, its network stands
// beside the same network in PyTorch, its commands run as they are written, its links lead somewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "loaders/file_reading.h"
#include "loaders/image_decoder.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model_spec.h"
#include "tests/support/compare.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace manual_test {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::istringstream parts(row.substr(1));
  for (std::string cell; std::getline(parts, cell, '|');) {
    cell.erase(0, cell.find_first_not_of(' '));
    cell.erase(cell.find_last_not_of(' ') + 1);
    cells.push_back(cell);
  }
  return cells;
}

/// Rows of cells under "<!-- table: NAME -->", without the head.
using Table = std::vector<std::vector<std::string>>;
std::map<std::string, Table> tables_of(const fs::path& path) {
  const std::string mark = "<!-- table: ";
  std::map<std::string, Table> tables;
  const std::vector<std::string> lines = lines_of(path);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with(mark)) continue;
    Table& table = tables[lines[i].substr(mark.size(), lines[i].find(" -->") - mark.size())];
    for (std::size_t row = i + 3; row < lines.size() && lines[row].starts_with('|'); ++row)
      table.push_back(cells_of(lines[row]));
  }
  return tables;
}

struct Numbers {
  std::int64_t height = 0, width = 0;
  testing::Doubles values;
};

/// French tables have commas in their numbers.
Numbers numbers_in(const Table& table) {
  Numbers numbers{static_cast<std::int64_t>(table.size()), static_cast<std::int64_t>(table.at(0).size()), {}};
  for (const auto& row : table)
    for (std::string cell : row) {
      std::replace(cell.begin(), cell.end(), ',', '.');
      std::size_t read = 0;
      numbers.values.push_back(std::stod(cell, &read));
      EXPECT_EQ(read, cell.size()) << cell;
    }
  return numbers;
}

testing::Values narrow(const testing::Doubles& values) {
  return {values.begin(), values.end()};
}

/// A convolution and a max pooling behind it, both ways, on the CPU device (float32, so that pointers are floats).
struct Steps {
  testing::Values convolved, pooled, pooled_gradient, convolved_gradient, filter_gradient;
};
Steps compute(const Numbers& picture, const Numbers& filter, testing::Values pooled_gradient) {
  const auto device = make_cpu_device(1);
  ConvolutionSpec convolution;
  convolution.input = {1, picture.height, picture.width, 1};
  convolution.filters = 1;
  convolution.window.kernel_height = filter.height;
  convolution.window.kernel_width = filter.width;
  convolution.training = true;
  PoolingSpec pooling;
  pooling.input = convolution.output();
  pooling.window = {2, 2, 2, 2, 0, 0, 0, 0};
  pooling.training = true;
  const auto convolution_plan = device->plan(convolution);
  const auto pooling_plan = device->plan(pooling);
  const Buffer workspace = device->allocate(convolution_plan->workspace_bytes() + 64);
  const Buffer saved = device->allocate(pooling_plan->saved_bytes() + 64);
  const testing::Values x = narrow(picture.values), weights = narrow(filter.values);
  Steps steps;
  steps.convolved.resize(static_cast<std::size_t>(pooling.input.count()));
  steps.pooled.resize(static_cast<std::size_t>(pooling.output().count()));
  convolution_plan->forward(x.data(), weights.data(), nullptr, steps.convolved.data(), workspace.data());
  pooling_plan->forward(steps.convolved.data(), steps.pooled.data(), saved.data());
  if (pooled_gradient.empty()) return steps;
  steps.convolved_gradient.resize(steps.convolved.size());
  steps.filter_gradient.resize(weights.size());
  pooling_plan->backward(pooled_gradient.data(), steps.convolved_gradient.data(), saved.data());
  testing::Values dy = steps.convolved_gradient;
  convolution_plan->backward(x.data(), weights.data(), steps.convolved.data(), dy.data(), nullptr,
                             steps.filter_gradient.data(), nullptr, workspace.data());
  return steps;
}

class Manual : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static fs::path docs() { return fs::path(XRAI_SOURCE) / "docs"; }
  [[nodiscard]] static fs::path document() { return docs() / GetParam(); }
  void expect_table(const testing::Values& computed, const std::string& name) {
    ASSERT_EQ(tables_.count(name), 1U) << name;
    testing::expect_near(computed, numbers_in(tables_[name]).values, 1e-6, name);
  }
  std::map<std::string, Table> tables_ = tables_of(document());
};

TEST_P(Manual, SmallPoolingIsWhatThePlanGives) {
  const Numbers one{1, 1, {1.0}};
  expect_table(compute(numbers_in(tables_["small pooling"]), one, {}).pooled, "small pooled");
}

TEST_P(Manual, WorkedExampleIsWhatTheLibraryComputes) {
  const Numbers picture = numbers_in(tables_["picture"]), filter = numbers_in(tables_["filter"]);
  const Steps steps = compute(picture, filter, narrow(numbers_in(tables_["gradient of the pooled"]).values));
  expect_table(steps.convolved, "convolution");
  expect_table(steps.pooled, "pooled");
  expect_table(steps.convolved_gradient, "gradient of the convolution");
  expect_table(steps.filter_gradient, "gradient of the filter");

  testing::Values stepped = narrow(filter.values), velocity(stepped.size(), 0.0F);
  kernels::UpdateDecision decision;
  decision.learning_rate = 0.1F;
  kernels::SgdArguments step;
  step.weights = stepped.data();
  step.gradients = steps.filter_gradient.data();
  step.velocity = velocity.data();
  step.n = static_cast<std::int64_t>(stepped.size());
  step.momentum = 0;
  step.decision = &decision;
  make_cpu_device(1)->sgd(step);
  expect_table(stepped, "filter after the step");
  const Numbers after{filter.height, filter.width, {stepped.begin(), stepped.end()}};
  expect_table(compute(picture, after, {}).pooled, "pooled after the step");
}

/// The text between "```KIND" and "```", one a block.
std::vector<std::string> blocks_of(const fs::path& path, const std::string& kind) {
  std::vector<std::string> blocks;
  bool inside = false;
  for (const std::string& line : lines_of(path)) {
    if (line == "```" + kind) {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

std::string command_lines(const char* document) {
  std::string all;
  for (const std::string& block : blocks_of(fs::path(XRAI_SOURCE) / "docs" / document, "sh")) all += block;
  return all;
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

TEST_P(Manual, NetworkBesidePyTorchIsTheOneThatWasTrained) {
  std::string layers;
  for (const auto& row : tables_["pytorch"]) layers += (layers.empty() ? "" : ", ") + between(row[0], "`", "`");
  ASSERT_NE(layers, "");
  const std::string trained = between(command_lines(GetParam()), "cat > first.toml <<'END'\n", "END\n");
  EXPECT_EQ(to_toml(parse_model_toml("name = \"first\"\nlayer = [" + layers + "]\n", "the table")),
            to_toml(parse_model_toml(trained, "first.toml")));
}

TEST_P(Manual, LinksAndFiguresLeadSomewhere) {
  const std::string text = testing::text_of(document());
  const std::regex link("\\]\\(([^)#]+)\\)");
  int count = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it, ++count)
    EXPECT_TRUE(fs::exists(docs() / (*it)[1].str())) << (*it)[1];
  EXPECT_GT(count, 5);
}

INSTANTIATE_TEST_SUITE_P(InBothLanguages, Manual, ::testing::Values("manual.md", "manuel.fr.md"),
                         [](const auto& one) { return std::string(one.param) == "manual.md" ? "English" : "French"; });

// The French manual asks for drawings with French words, and has the same commands otherwise, so that one execution of
// what is the same is of both.
bool is_french(const std::string& line) {
  return line.find("--language fr ") != std::string::npos;
}

TEST(ManualCommands, AreTheSameInBothLanguages) {
  std::string french = command_lines("manuel.fr.md");
  EXPECT_TRUE(is_french(french));
  french = std::regex_replace(french, std::regex("--language fr --out (\\S+)\\.fr\\.png"), "--out $1.png");
  french = std::regex_replace(french, std::regex("--language fr --out vu"), "--out seen");
  EXPECT_EQ(command_lines("manual.md"), french);
  const fs::path docs = fs::path(XRAI_SOURCE) / "docs";
  EXPECT_EQ(blocks_of(docs / "manual.md", "python"), blocks_of(docs / "manuel.fr.md", "python"));
}

double validation_accuracy(const fs::path& run) {
  const auto scores = nlohmann::json::parse(testing::text_of(run / "eval/val.json"));
  return scores.at("metrics").at("accuracy").at("value").get<double>();
}

TEST(ManualCommands, RunAsTheyAreWritten) {
  const fs::path manual = fs::path(XRAI_SOURCE) / "docs/manual.md";
  const testing::TemporaryFolder folder;
  std::string commands = "set -eu\nexport OMP_NUM_THREADS=1\ncd '" + folder.path().string() + "'\nexport PATH=\"" +
                         XRAI_BIN + ":$PATH\"\n";
  commands += command_lines("manual.md");
  std::istringstream french(command_lines("manuel.fr.md"));
  for (std::string line; std::getline(french, line);)
    if (is_french(line)) commands += line + "\n";
  std::ofstream(folder / "commands.sh") << commands;
  const auto done = testing::run_shell("bash '" + (folder / "commands.sh").string() + "'");
  ASSERT_EQ(done.exit_code, 0) << done.errors << done.output;
  EXPECT_TRUE(fs::exists(folder / "seen/chest-val-1-network.html"));
  EXPECT_TRUE(fs::exists(folder / "vu/chest-val-1-network.html"));
  for (const char* file : {"edge.png", "edge.fr.png", "mine.png", "best/curves.png", "best/metrics.csv"})
    EXPECT_TRUE(fs::exists(folder / file)) << file;
  // What the exercise promises, with room for sums that come in another order on another processor.
  EXPECT_GE(validation_accuracy(folder / "better"), 0.70);
  EXPECT_GE(validation_accuracy(folder / "best"), 0.83);

  if (testing::run_shell("/usr/bin/python3 -c 'import h5py'").exit_code != 0)
    GTEST_SKIP() << "the part in Python was not run: apt-get install python3-h5py";
  std::ofstream(folder / "look.py") << blocks_of(manual, "python").at(0);
  const auto looked = testing::run_shell("cd '" + folder.path().string() + "' && /usr/bin/python3 look.py");
  EXPECT_EQ(looked.exit_code, 0) << looked.errors;
  EXPECT_THAT(looked.output, HasSubstr("(6, 128, 128) uint8"));
}

// Fonts differ a little between releases of their libraries, so edges of letters may; anything drawn from numbers may
// not.
TEST(ManualFigures, AreWhatTheirCommandsDrawToday) {
  const testing::TemporaryFolder folder;
  const auto done = testing::run_shell("'" + std::string(XRAI_SOURCE) + "/scripts/manual_figures' --bin '" + XRAI_BIN +
                                       "' --out '" + (folder / "figures").string() + "'");
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  int count = 0;
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(XRAI_SOURCE) / "docs/figures")) {
    bytes += entry.file_size();
    ++count;
    const fs::path made = folder / "figures" / entry.path().filename();
    ASSERT_TRUE(fs::exists(made)) << entry.path() << " is not made by scripts/manual_figures";
    const GreyImage kept = decode_picture(read_file_bytes(entry.path()), {4096, Fit::kPad}).image;
    const GreyImage drawn = decode_picture(read_file_bytes(made), {4096, Fit::kPad}).image;
    ASSERT_EQ(kept.width, drawn.width);
    ASSERT_EQ(kept.pixels.size(), drawn.pixels.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < kept.pixels.size(); ++i) different += std::abs(kept.pixels[i] - drawn.pixels[i]) > 8;
    EXPECT_LT(static_cast<double>(different), 0.02 * static_cast<double>(kept.pixels.size()))
        << entry.path() << " is not what its command draws; run scripts/manual_figures";
  }
  EXPECT_GE(count, 6);
  EXPECT_LT(bytes, 2U << 20);
}

}  // namespace manual_test
}  // namespace xrai
