// xrai_explain filter: the numbers against naive loops in double, the filters' own language, and the program as a user
// runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/explain/filter_kernel.h"
#include "apps/explain/filter_steps.h"
#include "apps/explain/map_colours.h"
#include "apps/explain/number_tables.h"
#include "apps/support/devices.h"
#include "loaders/file_reading.h"
#include "loaders/image_decoder.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace explain_filter_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::run_command;

// A picture without structure: every place has a value of its own.
GreyImage noise(int height, int width) {
  GreyImage picture{width, height, {}};
  std::uint32_t state = 7;
  for (int i = 0; i < height * width; ++i) {
    state = 1664525U * state + 1013904223U;
    picture.pixels.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  return picture;
}

testing::Doubles convolved_naively(const GreyImage& picture, const FilterKernel& kernel) {
  testing::Doubles results;
  for (std::int64_t y = 0; y + kernel.height <= picture.height; ++y)
    for (std::int64_t x = 0; x + kernel.width <= picture.width; ++x) {
      double sum = 0;
      for (std::int64_t i = 0; i < kernel.height; ++i)
        for (std::int64_t j = 0; j < kernel.width; ++j)
          sum += static_cast<double>(kernel.weights[static_cast<std::size_t>(i * kernel.width + j)]) *
                 picture.row(static_cast<int>(y + i))[x + j];
      results.push_back(sum);
    }
  return results;
}

testing::Doubles pooled_naively(const testing::Doubles& map, std::int64_t height, std::int64_t width,
                                PoolingKind kind) {
  testing::Doubles results;
  for (std::int64_t y = 0; y + 1 < height; y += 2)
    for (std::int64_t x = 0; x + 1 < width; x += 2) {
      const auto at = [&](std::int64_t i) { return map[static_cast<std::size_t>((y + i / 2) * width + x + i % 2)]; };
      results.push_back(kind == PoolingKind::kMax ? std::max({at(0), at(1), at(2), at(3)})
                                                  : (at(0) + at(1) + at(2) + at(3)) / 4);
    }
  return results;
}

class Filters : public ::testing::TestWithParam<const char*> {};

TEST_P(Filters, AreConvolvedAndPooledAsByNaiveLoops) {
  const FilterKernel kernel = find_filter_kernel(GetParam());
  const GreyImage picture = noise(37, 50);
  const auto device = make_device({"cpu"});
  for (const PoolingKind kind : {PoolingKind::kMax, PoolingKind::kAverage}) {
    const FilterSteps steps = apply_filter(*device, picture, kernel, kind);
    const testing::Doubles expected = convolved_naively(picture, kernel);
    EXPECT_EQ(steps.convolved.height, 37 - kernel.height + 1);
    EXPECT_EQ(steps.convolved.width, 50 - kernel.width + 1);
    EXPECT_EQ(steps.pooled.height, steps.convolved.height / 2);
    testing::expect_near(steps.convolved.values, expected, 1e-6, "convolution");
    testing::expect_near(steps.pooled.values,
                         pooled_naively(expected, steps.convolved.height, steps.convolved.width, kind), 1e-6,
                         "pooling");
    EXPECT_THAT(steps.by_whom, HasSubstr("cpu"));
  }
}

INSTANTIATE_TEST_SUITE_P(OfEverySize, Filters,
                         ::testing::Values("edge", "sharpen", "blur", "sobel-x", "sobel-y", "emboss", "2", "1,-2.5",
                                           "1;0;-1;3", "0.5,-1,0,2;3,1,-1,0;0,0,1,1/3;1,0,0,-2",
                                           "1,2,3,4,5,6,7;1,0,-1,0,1,0,-1"));

TEST(FilterKernel, EdgeIsTheOneOfTheLesson) {
  const FilterKernel edge = find_filter_kernel("edge");
  EXPECT_THAT(edge.weights, ElementsAre(-1, -1, -1, -1, 8, -1, -1, -1, -1));
  EXPECT_EQ(edge.sum(), 0);
  EXPECT_NEAR(find_filter_kernel("blur").sum(), 1, 1e-6);
}

TEST(FilterKernel, ReadsNumbersFractionsAndSpaces) {
  const FilterKernel kernel = find_filter_kernel(" 1/4, -.5 ,+2 ; 0,1e1,-3/2");
  EXPECT_EQ(kernel.height, 2);
  EXPECT_EQ(kernel.width, 3);
  EXPECT_THAT(kernel.weights, ElementsAre(0.25F, -0.5F, 2.0F, 0.0F, 10.0F, -1.5F));
  EXPECT_EQ(kernel.name, "own");
}

TEST(FilterKernel, SaysWhatIsWrongWithOne) {
  EXPECT_THAT(filter_complaint("egde"), HasSubstr("did you mean edge?"));
  EXPECT_THAT(filter_complaint("1,2;3"), HasSubstr("row 2 of the filter is 1 long and row 1 is 2"));
  EXPECT_THAT(filter_complaint("1,two;3,4"), HasSubstr("'two' in row 1"));
  EXPECT_THAT(filter_complaint("1,2;3,"), HasSubstr("'' in row 2"));
  EXPECT_THAT(filter_complaint("1,nan"), HasSubstr("'nan' in row 1"));
  EXPECT_THAT(filter_complaint("1,1e99"), HasSubstr("'1e99' in row 1"));
  EXPECT_THAT(filter_complaint("1/0"), HasSubstr("'1/0' in row 1"));
  EXPECT_THAT(filter_complaint("1,2;3,4;"), HasSubstr("'' in row 3"));
  std::string long_row = "1";
  for (int i = 0; i < 31; ++i) long_row += ",1";
  EXPECT_THAT(filter_complaint(long_row), HasSubstr("1 x 32 is too large"));
  EXPECT_EQ(filter_complaint("sobel-x"), "");
}

TEST(FilterSteps, RefusesAPictureThatIsSmallerThanTheFilter) {
  const auto device = make_device({"cpu"});
  EXPECT_THAT(testing::refused(
                  ExitCode::kUsage,
                  [&] { (void)apply_filter(*device, noise(3, 9), find_filter_kernel("edge"), PoolingKind::kMax); }),
              HasSubstr("3 x 9 pixels is too small"));
  EXPECT_EQ(apply_filter(*device, noise(4, 4), find_filter_kernel("edge"), PoolingKind::kMax).pooled.values.size(), 1U);
}

TEST(NumberTables, HoldAllThatTheNextTableNeeds) {
  const auto device = make_device({"cpu"});
  const FilterKernel kernel = find_filter_kernel("edge");
  const FilterSteps steps = apply_filter(*device, noise(20, 20), kernel, PoolingKind::kMax);
  const NumberTables tables = number_tables(steps, kernel, table_place("5,8"));
  EXPECT_EQ(tables.place.row, 4);
  GreyImage corner{6, 6, {}};
  for (const float value : tables.picture.values) corner.pixels.push_back(static_cast<std::uint8_t>(value));
  const testing::Doubles again = convolved_naively(corner, kernel);
  testing::expect_near(tables.convolved.values, again, 1e-6, "convolution");
  testing::expect_near(tables.pooled.values, pooled_naively(again, 4, 4, PoolingKind::kMax), 1e-6, "pooling");
  // At the last place the tables are cut off, beyond it there is nothing.
  EXPECT_EQ(number_tables(steps, kernel, {16, 16}).convolved.values.size(), 4U);
  EXPECT_THAT(testing::refused(ExitCode::kUsage,
                               [&] {
                                 (void)number_tables(steps, kernel, {18, 0});
                               }),
              HasSubstr("whose last place is 16,16"));
  for (const char* wrong : {"5", "5,", "a,1", "-2,0", "1,2,3"})
    EXPECT_NE(testing::refused(ExitCode::kUsage, [&] { (void)table_place(wrong); }), "") << wrong;
}

double lightness(const Rgb& colour) {
  return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2];
}

TEST(MapColours, ZeroIsWhiteAndLightnessOnlyFallsFromIt) {
  EXPECT_EQ(signed_colour(0), (Rgb{255, 255, 255}));
  for (const double sign : {-1.0, 1.0})
    for (int i = 1; i <= 100; ++i)
      EXPECT_LT(lightness(signed_colour(sign * i / 100.0)), lightness(signed_colour(sign * (i - 1) / 100.0))) << i;
  // Blue below, orange above: told apart with any kind of colour vision.
  EXPECT_GT(signed_colour(-0.5)[2], signed_colour(-0.5)[0]);
  EXPECT_LT(signed_colour(0.5)[2], signed_colour(0.5)[0]);
}

TEST(MapColours, TheRangeIsNotStretchedByASingleValue) {
  std::vector<float> values(2000, 1.0F);
  values[5] = 1000;
  EXPECT_EQ(range_of(values).high, 1);
  EXPECT_EQ(range_of(values).low, 0);
  values[6] = -1;
  EXPECT_EQ(range_of(values).low, -1);
  EXPECT_EQ(range_of(std::vector<float>(9, 0.0F)).high, 1);
  std::vector<float> one(9, 0.0F);
  one[4] = 8;
  EXPECT_EQ(range_of(one).high, 8);
}

class ExplainFilter : public ::testing::Test {
 protected:
  void SetUp() override {
    const GreyImage picture = noise(66, 66);
    testing::write_bytes(folder_ / "my scan.png", testing::png_bytes(picture.pixels, 66, 66));
  }
  [[nodiscard]] std::string call(const std::string& more) const {
    return "xrai_explain filter '" + (folder_ / "my scan.png").string() + "' --device cpu --size 66 " + more;
  }
  [[nodiscard]] std::string to(const std::string& name) const { return " --out '" + (folder_ / name).string() + "' "; }
  testing::TemporaryFolder folder_;
};

TEST_F(ExplainFilter, DrawsThePictureItWasGiven) {
  const auto done = run_command(call(to("a.png") + "--json --numbers --at 10,20 --kernel \"-1,0;0,1\""));
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const json answer = json::parse(done.output);
  EXPECT_EQ(answer["filter"]["weights"], json({-1, 0, 0, 1}));
  EXPECT_EQ(answer["convolved"]["height"], 65);
  EXPECT_EQ(answer["numbers"]["picture"].size(), 5U);
  EXPECT_EQ(answer["numbers"]["convolved"][0][0].get<int>(),
            answer["numbers"]["picture"][1][1].get<int>() - answer["numbers"]["picture"][0][0].get<int>());
  const auto bytes = read_file_bytes(folder_ / "a.png");
  const GreyImage drawn = decode_picture(bytes, {4096, Fit::kPad}).image;
  // The first panel is 264 units wide, four a pixel, and begins at (22, 82).
  const GreyImage picture = noise(66, 66);
  for (int y = 20; y < 60; ++y) {
    ASSERT_EQ(drawn.row(82 + 4 * y + 2)[22 + 4 * 5 + 2], picture.row(y)[5]) << y;
  }
}

TEST_F(ExplainFilter, WritesBesideTheWorkingFolderAndOverNothing) {
  const auto in_folder = [&](const std::string& more) {
    return testing::run_shell("cd '" + folder_.path().string() + "' && " + XRAI_BIN + "/" + call(more));
  };
  const auto first = in_folder("--kernel blur");
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  EXPECT_EQ(first.output, "my scan-blur.png\n");
  EXPECT_TRUE(fs::exists(folder_ / "my scan-blur.png"));
  const auto second = in_folder("--kernel blur");
  EXPECT_EQ(second.exit_code, 7);
  EXPECT_THAT(second.errors, HasSubstr("--force"));
  EXPECT_EQ(in_folder("--kernel blur --force --pool average").exit_code, 0);
}

TEST_F(ExplainFilter, PrintsTablesThatCanBeCheckedByHand) {
  const auto done = run_command(call(to("t.png") + "--numbers --kernel edge"));
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const GreyImage picture = noise(66, 66);
  double sum = 9.0 * picture.row(1)[1];
  for (int i = 0; i < 9; ++i) sum -= picture.row(i / 3)[i % 3];
  EXPECT_THAT(done.output, HasSubstr(" = " + std::to_string(static_cast<int>(sum)) + "\n"));
  EXPECT_THAT(done.output, HasSubstr("largest of every 2 x 2"));
}

TEST_F(ExplainFilter, RefusesInOneSentence) {
  const auto refused = [&](const std::string& more, int code, const char* words) {
    const auto done = run_command(call(to("r.png") + "--quiet " + more));
    EXPECT_EQ(done.exit_code, code) << more;
    EXPECT_THAT(done.errors, HasSubstr(words)) << more;
    EXPECT_EQ(std::count(done.errors.begin(), done.errors.end(), '\n'), 1) << done.errors;
    EXPECT_FALSE(fs::exists(folder_ / "r.png")) << more;
  };
  refused("--kernel swirl", 2, "there is no filter 'swirl'");
  refused("--kernel \"1,2;3\"", 2, "equally long");
  refused("--pool median", 2, "median");
  refused("--numbers --at 70,0", 2, "not on the result");
  refused("--at 4,4", 2, "add --numbers");
  refused("--size 8 --kernel \"1,1,1,1,1,1,1,1\"", 2, "larger --size");
  testing::write_bytes(folder_ / "text.png", {'n', 'o'});
  const auto unreadable = run_command("xrai_explain filter '" + (folder_ / "text.png").string() + "'" + to("r.png"));
  EXPECT_EQ(unreadable.exit_code, 3);
  EXPECT_THAT(unreadable.errors, HasSubstr("text.png"));
}

}  // namespace explain_filter_test
}  // namespace xrai
