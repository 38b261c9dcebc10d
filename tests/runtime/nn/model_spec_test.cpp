// What networks hold and cost, by name and by TOML, and what is said about those that cannot be.
#include "runtime/nn/model_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "runtime/nn/graph.h"
#include "tests/support/errors.h"

namespace xrai {
namespace model_spec_test {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::refused;

std::int64_t n_parameters(const std::string& name, std::int64_t size, std::int64_t n_classes = 2) {
  const auto facts = infer_shapes(architecture(name), {1, size, size, 1}, n_classes);
  return std::accumulate(facts.begin(), facts.end(), std::int64_t{0},
                         [](std::int64_t sum, const LayerFacts& f) { return sum + f.parameters; });
}

TEST(Architectures, HoldAsManyParametersAsPublished) {
  EXPECT_EQ(n_parameters("plain5", 224), 245'233);
  // torchvision's 11,689,512 less 999 outputs of 513 and two input channels of 64 x 7 x 7.
  EXPECT_EQ(n_parameters("resnet18", 224), 11'689'512 - 999 * 513 - 2 * 64 * 49);
  EXPECT_EQ(n_parameters("resnet18", 224), 11'170'753);
  EXPECT_EQ(n_parameters("lenet", 96), 208 + 3'216 + 12'832 + (96 / 8 * 96 / 8 * 32 * 64 + 64) + 65);
  EXPECT_EQ(n_parameters("plain5", 224, 3) - n_parameters("plain5", 224), 2 * 129);  // three logits instead of one
}

TEST(Architectures, Plain5CostsWhatItsConvolutionsCost) {
  const ModelSpec spec = architecture("plain5");
  const auto facts = infer_shapes(spec, {1, 224, 224, 1}, 2);
  const double channels[] = {1, 16, 32, 64, 128, 128};
  for (int block = 0; block < 5; ++block) {
    const double side = 224 >> block;
    EXPECT_DOUBLE_EQ(facts[static_cast<std::size_t>(4 * block)].forward_flops,
                     2 * 9 * channels[block] * channels[block + 1] * side * side);
  }
  EXPECT_EQ(facts[19].output, (Shape{1, 7, 7, 128}));
  EXPECT_EQ(facts.back().output, (Shape{1, 1, 1, 1}));
}

TEST(Architectures, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  EXPECT_THAT(refused(ExitCode::kUsage, [] { (void)find_model("resnet99"); }),
              AllOf(HasSubstr("'resnet99'"), HasSubstr("lenet, plain5, resnet18"), HasSubstr(".toml")));
  EXPECT_THAT(refused(ExitCode::kUsage, [] { (void)find_model("nowhere/net.toml"); }), HasSubstr("nowhere/net.toml"));
}

TEST(Architectures, RoundTripThroughToml) {
  for (const std::string& name : architecture_names()) {
    const ModelSpec spec = architecture(name), back = parse_model_toml(to_toml(spec), "x.toml");
    EXPECT_EQ(to_toml(back), to_toml(spec));
    ASSERT_EQ(back.layers.size(), spec.layers.size());
    EXPECT_EQ(back.name, name);
    const auto before = infer_shapes(spec, {1, 64, 64, 1}, 2), after = infer_shapes(back, {1, 64, 64, 1}, 2);
    for (std::size_t i = 0; i < spec.layers.size(); ++i) {
      EXPECT_EQ(back.layers[i].name, spec.layers[i].name);
      EXPECT_EQ(back.layers[i].input, spec.layers[i].input);
      EXPECT_EQ(back.layers[i].kind.index(), spec.layers[i].kind.index());
      EXPECT_EQ(before[i].output, after[i].output);
      EXPECT_EQ(before[i].parameters, after[i].parameters);
    }
  }
}

TEST(ModelToml, EveryFieldRoundTrips) {
  const char* text = R"(
name = "every"
[[layer]]
type = "conv"
name = "c"
filters = 6
kernel = [3, 5]
stride = [1, 2]
padding = [0, 1, 2, 3]
groups = 1
bias = false
[[layer]]
type = "batch_norm"
epsilon = 0.001
momentum = 0.25
[[layer]]
type = "add"
with = "c"
[[layer]]
type = "average_pool"
kernel = 3
stride = 1
padding = 1
[[layer]]
type = "max_pool"
kernel = 2
[[layer]]
type = "dropout"
probability = 0.125
[[layer]]
type = "flatten"
[[layer]]
type = "dense"
units = 5
[[layer]]
type = "dense"
bias = false
)";
  const ModelSpec spec = parse_model_toml(text, "every.toml");
  for (const ModelSpec& s : {spec, parse_model_toml(to_toml(spec), "x.toml")}) {
    const auto& conv = std::get<ConvolutionLayer>(s.layers[0].kind);
    EXPECT_EQ(conv.window, (Window{3, 5, 1, 2, 0, 1, 2, 3}));
    EXPECT_EQ(conv.filters, 6);
    EXPECT_FALSE(conv.bias);
    EXPECT_EQ(std::get<BatchNormLayer>(s.layers[1].kind).epsilon, 0.001f);
    EXPECT_EQ(std::get<BatchNormLayer>(s.layers[1].kind).momentum, 0.25f);
    EXPECT_EQ(std::get<AddLayer>(s.layers[2].kind).with, 0);
    EXPECT_EQ(std::get<PoolingLayer>(s.layers[3].kind).kind, PoolingKind::kAverage);
    EXPECT_EQ(std::get<PoolingLayer>(s.layers[3].kind).window, (Window{3, 3, 1, 1, 1, 1, 1, 1}));
    EXPECT_EQ(std::get<PoolingLayer>(s.layers[4].kind).window, (Window{2, 2, 2, 2, 0, 0, 0, 0}));
    EXPECT_EQ(std::get<DropoutLayer>(s.layers[5].kind).probability, 0.125f);
    EXPECT_EQ(std::get<DenseLayer>(s.layers[7].kind).units, 5);
    EXPECT_FALSE(std::get<DenseLayer>(s.layers[8].kind).bias);
  }
}

TEST(ModelToml, SamePaddingKeepsTheSizeForOddAndEvenKernels) {
  for (const char* kernel : {"3", "4", "[5, 2]"}) {
    const ModelSpec spec = parse_model_toml(std::string("[[layer]]\ntype='conv'\nfilters=1\npadding='same'\nkernel=") +
                                                kernel + "\n[[layer]]\ntype='global_average_pool'\n",
                                            "a.toml");
    EXPECT_EQ(infer_shapes(spec, {1, 9, 8, 1}, 2)[0].output, (Shape{1, 9, 8, 1})) << kernel;
  }
}

struct Mistake {
  const char* name;
  const char* text;
  std::vector<const char*> said;
};

void PrintTo(const Mistake& m, std::ostream* out) {
  *out << m.name;
}

const Mistake kTomlMistakes[] = {
    {"not_toml", "[[layer]\n", {"net.toml, line 1"}},
    {"no_layers", "name = 'x'\n", {"at least one [[layer]]"}},
    {"layer_is_one_table", "[layer]\ntype = 'relu'\n", {"at least one [[layer]]"}},
    {"layers_are_numbers", "layer = [1, 2]\n", {"[[layer]] tables"}},
    {"unknown_top_key", "nmae = 'x'\n[[layer]]\ntype = 'relu'\n", {"'nmae'", "name and [[layer]]"}},
    {"unknown_type", "[[layer]]\ntype = 'relu'\n[[layer]]\ntype = 'convolve'\n", {"line 3", "'convolve'", "max_pool"}},
    {"no_type", "[[layer]]\nfilters = 3\n", {"line 1", "layer type ''"}},
    {"unknown_key", "[[layer]]\ntype = 'relu'\nfiltres = 3\n", {"line 1", "'filtres'", "known are"}},
    {"key_of_another_type", "[[layer]]\ntype = 'dense'\nkernel = 3\n", {"'kernel' is not known here", "units"}},
    {"missing_kernel", "[[layer]]\ntype = 'conv'\nfilters = 3\n", {"line 1", "'kernel' must be"}},
    {"missing_filters", "[[layer]]\ntype = 'conv'\nkernel = 3\n", {"'filters' must be a whole number"}},
    {"kernel_of_three_numbers", "[[layer]]\ntype = 'max_pool'\nkernel = [1, 2, 3]\n", {"[height, width]"}},
    {"kernel_of_words", "[[layer]]\ntype = 'max_pool'\nkernel = ['a', 2]\n", {"'kernel' must hold whole numbers"}},
    {"wrong_type_of_bias", "[[layer]]\ntype = 'dense'\nbias = 'yes'\n", {"'bias' has the wrong type"}},
    {"probability_is_a_word",
     "[[layer]]\ntype = 'dropout'\nprobability = 'half'\n",
     {"'probability' must be a number"}},
    {"padding_of_three", "[[layer]]\ntype = 'max_pool'\nkernel = 2\npadding = [1, 2, 3]\n", {"'padding' must be"}},
    {"padding_word", "[[layer]]\ntype = 'max_pool'\nkernel = 2\npadding = 'valid'\n", {"\"same\""}},
    {"negative_units", "[[layer]]\ntype = 'dense'\nunits = -4\n", {"'units' cannot be -4"}},
    {"taken_name", "[[layer]]\ntype='relu'\nname='a'\n[[layer]]\ntype='relu'\nname='a'\n", {"line 4", "'a' is taken"}},
    {"name_of_the_picture", "[[layer]]\ntype='relu'\nname='picture'\n", {"'picture' is taken"}},
    {"name_with_a_slash", "[[layer]]\ntype='relu'\nname='a//b'\n", {"'a//b' cannot be"}},
    {"empty_name", "[[layer]]\ntype='relu'\nname=''\n", {"empty"}},
    {"input_that_comes_later",
     "[[layer]]\ntype='relu'\ninput='b'\n[[layer]]\ntype='relu'\nname='b'\n",
     {"no earlier layer named 'b'"}},
    {"add_without_with", "[[layer]]\ntype='relu'\n[[layer]]\ntype='add'\n", {"line 3", "no earlier layer named ''"}},
};

class TomlMistakes : public ::testing::TestWithParam<Mistake> {};

TEST_P(TomlMistakes, AreNamedWithTheirPlace) {
  const std::string said = refused(ExitCode::kUsage, [] { (void)parse_model_toml(GetParam().text, "net.toml"); });
  EXPECT_THAT(said, HasSubstr("net.toml"));
  for (const char* part : GetParam().said) EXPECT_THAT(said, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(Each, TomlMistakes, ::testing::ValuesIn(kTomlMistakes),
                         [](const ::testing::TestParamInfo<Mistake>& m) { return std::string(m.param.name); });

const Mistake kShapeMistakes[] = {
    {"dense_on_maps", "[[layer]]\ntype='dense'\nname='d'\n", {"layer 'd'", "maps of 20x24", "flatten"}},
    {"window_too_large", "[[layer]]\ntype='conv'\nfilters=2\nkernel=30\n", {"30x30 window", "maps of 20x24"}},
    {"add_of_other_shapes",
     "[[layer]]\ntype='max_pool'\nkernel=2\n[[layer]]\ntype='add'\nname='sum'\nwith='picture'\n",
     {"layer 'sum'", "(1, 10, 12, 1)", "(1, 20, 24, 1)"}},
    {"groups_that_do_not_divide", "[[layer]]\ntype='conv'\nfilters=3\nkernel=1\ngroups=2\n", {"2 groups"}},
    {"ends_with_maps", "[[layer]]\ntype='relu'\n", {"ends with shape (1, 20, 24, 1)", "2 classes need 1 output"}},
    {"wrong_number_of_units",
     "[[layer]]\ntype='flatten'\n[[layer]]\ntype='dense'\nunits=2\n",
     {"(1, 1, 1, 2)", "without 'units'"}},
    {"dropout_of_everything", "[[layer]]\ntype='dropout'\nprobability=1\n", {"probability 1", "< 1"}},
    {"norm_without_epsilon", "[[layer]]\ntype='batch_norm'\nepsilon=0\n", {"epsilon 0"}},
    {"norm_with_momentum_of_two", "[[layer]]\ntype='batch_norm'\nmomentum=2\n", {"momentum 2"}},
    {"nobody_reads",
     "[[layer]]\ntype='relu'\nname='lost'\n[[layer]]\ntype='global_average_pool'\ninput='picture'\n",
     {"nothing reads the output of layer 'lost'"}},
};

class ShapeMistakes : public ::testing::TestWithParam<Mistake> {};

TEST_P(ShapeMistakes, NameTheModelAndTheLayer) {
  const ModelSpec spec = parse_model_toml(GetParam().text, "net.toml");
  const std::string said = refused(ExitCode::kUsage, [&] { (void)build_graph(spec, {1, 20, 24, 1}, 2); });
  EXPECT_THAT(said, HasSubstr("model net"));
  for (const char* part : GetParam().said) EXPECT_THAT(said, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(Each, ShapeMistakes, ::testing::ValuesIn(kShapeMistakes),
                         [](const ::testing::TestParamInfo<Mistake>& m) { return std::string(m.param.name); });

TEST(ModelSpecs, AModelWithoutLayersIsRefused) {
  refused(ExitCode::kUsage, [] { (void)infer_shapes({"nothing", {}}, {1, 8, 8, 1}, 2); });
}

TEST(SummaryTable, ShowsEveryLayerAndTheTotal) {
  const std::string table = summary_table(architecture("plain5"), {1, 224, 224, 1}, 2);
  EXPECT_THAT(table, AllOf(HasSubstr("conv3"), HasSubstr("112x112x16"), HasSubstr("245233"), HasSubstr("MFLOP")));
}

}  // namespace model_spec_test
}  // namespace xrai
