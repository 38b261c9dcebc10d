// Which plans are taken from the library's list, and what is said when none is. Real library, described GPUs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <set>

#include "runtime/cuda/cudnn_operations.h"
#include "runtime/cuda/cudnn_plan.h"
#include "tests/cuda/cudnn/described_gpus.h"

namespace xrai::cuda {
namespace plan_test {

using ::testing::_;
using ::testing::AllOf;
using ::testing::Contains;
using testing::described_gpu;
using testing::DescribedGpu;
using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr std::size_t kMany = 100;
const ConvolutionSpec kSpec{.input = {32, 48, 48, 64}, .filters = 64, .window = {3, 3, 1, 1, 1, 1, 1, 1}};

CudnnTarget target_of(const std::string& name) {
  const DescribedGpu gpu = described_gpu(name);
  return CudnnTarget::described(gpu.properties, gpu.name);
}

enum class Pass { kForward, kDataGradient, kFilterGradient };
std::string pass_name(Pass pass) {
  constexpr const char* kNames[] = {"Forward", "DataGradient", "FilterGradient"};
  return kNames[static_cast<int>(pass)];
}
void PrintTo(Pass pass, std::ostream* out) {
  *out << pass_name(pass);
}

std::vector<CudnnPlan> plans(Pass pass, Precision mode, const CudnnPolicy& policy, const std::string& gpu) {
  const CudnnTarget target = target_of(gpu);
  CudnnGraph graph = pass == Pass::kForward        ? convolution_forward(kSpec, mode, Epilogue::kNone, target)
                     : pass == Pass::kDataGradient ? convolution_data_gradient(kSpec, mode, target)
                                                   : convolution_filter_gradient(kSpec, mode, target);
  return CudnnPlanList(std::move(graph), target, policy).all(kMany);
}

MATCHER_P(HasNote, note, "") {
  return arg.has(note);
}

class TrueFloat32 : public ::testing::TestWithParam<Pass> {};

TEST_P(TrueFloat32, TakesNoPlanThatRoundsFactorsOrTransformsThem) {
  const auto found = plans(GetParam(), Precision::kFloat32, policy_for(Precision::kFloat32), "A100");
  ASSERT_THAT(found, Not(IsEmpty()));
  for (const auto note :
       {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
        CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_FFT, CUDNN_NUMERICAL_NOTE_WINOGRAD})
    EXPECT_THAT(found, Each(Not(HasNote(note))));
}

TEST_P(TrueFloat32, IsNotWhatTheListBeginsWith) {
  EXPECT_TRUE(plans(GetParam(), Precision::kTf32, policy_for(Precision::kTf32), "A100")
                  .at(0)
                  .has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
}

INSTANTIATE_TEST_SUITE_P(Passes, TrueFloat32,
                         ::testing::Values(Pass::kForward, Pass::kDataGradient, Pass::kFilterGradient),
                         [](const auto& pass) { return pass_name(pass.param); });

TEST(CudnnPlanList, LeavesOutWhatIsNotDeterministic) {
  CudnnPolicy policy = policy_for(Precision::kFloat16);
  EXPECT_THAT(plans(Pass::kFilterGradient, Precision::kFloat16, policy, "T4"),
              Each(Not(HasNote(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC))));
  policy.deterministic = false;
  EXPECT_THAT(plans(Pass::kFilterGradient, Precision::kFloat16, policy, "T4"),
              Contains(HasNote(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)));
}

TEST(CudnnPlanList, StaysWithinTheWorkspaceCap) {
  CudnnPolicy policy = policy_for(Precision::kTf32);
  const auto free = plans(Pass::kForward, Precision::kTf32, policy, "A100");
  ASSERT_GT(free.at(0).workspace_bytes(), std::size_t{1} << 20) << "the case is too easy";
  policy.workspace_cap = 1 << 20;
  for (const CudnnPlan& plan : plans(Pass::kForward, Precision::kTf32, policy, "A100"))
    EXPECT_LE(plan.workspace_bytes(), std::size_t{1} << 20) << plan.describe();
}

TEST(CudnnPlanList, TakesTheFirstOfTheList) {
  const CudnnTarget target = target_of("H100");
  const CudnnPlanList list(convolution_forward(kSpec, Precision::kBfloat16, Epilogue::kNone, target), target, {});
  EXPECT_EQ(list.first().describe(), list.all(kMany).at(0).describe());
}

TEST(CudnnPlanList, GivesNoMoreThanAskedFor) {
  const CudnnTarget target = target_of("H100");
  const CudnnPlanList list(convolution_forward(kSpec, Precision::kBfloat16, Epilogue::kNone, target), target, {});
  EXPECT_EQ(list.all(2).size(), 2u);
}

TEST(CudnnPlanList, SaysWhichOperationHasNoPlanOnWhichGpu) {
  const CudnnTarget target = target_of("T4");
  const CudnnPlanList list(convolution_data_gradient(kSpec, Precision::kBfloat16, target), target, {});
  try {
    (void)list.first();
    FAIL() << "a T4 has no bfloat16";
  } catch (const NotSupported& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("data gradient of a 3x3 convolution"), HasSubstr("(32, 48, 48, 64)"),
                                    HasSubstr("bf16 on T4"), HasSubstr("256 MiB")));
  }
}

// What --autotune chose is found again by its settings.
TEST(CudnnPlanList, TellsPlansOfOneEngineApart) {
  const CudnnTarget target = target_of("A100");
  const CudnnPlanList list(convolution_forward(kSpec, Precision::kBfloat16, Epilogue::kNone, target), target, {});
  std::map<std::int64_t, std::set<std::string>> settings;
  for (const CudnnPlan& plan : list.all(kMany)) settings[plan.engine()].insert(plan.settings());
  EXPECT_THAT(settings, Contains(Pair(_, SizeIs(Gt(1u)))));
}

TEST(CudnnPlan, NamesTheTensorThatGotNoMemory) {
  const CudnnTarget target = target_of("A100");
  CudnnPlan plan = CudnnPlanList(convolution_data_gradient(kSpec, Precision::kTf32, target), target, {}).first();
  char memory[16];
  try {
    plan.execute(nullptr, {bind(Operand::kDy, memory), bind(Operand::kDx, memory)}, memory);
    FAIL() << "the weights have no memory";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no memory for tensor 2"));
  }
}

TEST(CudnnPlan, TakesNoMemoryOfTheCallBefore) {
  const CudnnTarget target = target_of("A100");
  CudnnPlan plan = CudnnPlanList(convolution_data_gradient(kSpec, Precision::kTf32, target), target, {}).first();
  char memory[16];
  const CudnnBinding dy = bind(Operand::kDy, memory), weights = bind(Operand::kWeights, memory),
                     dx = bind(Operand::kDx, memory);
  EXPECT_THROW(plan.execute(nullptr, {dy, weights, dx}, memory), Error) << "there is no handle";
  try {
    plan.execute(nullptr, {dy, dx}, memory);
    FAIL() << "the weights have no memory";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no memory for tensor 2"));
  }
}

TEST(CudnnPlan, NamesTheWorkspaceThatIsMissing) {
  const CudnnTarget target = target_of("A100");
  CudnnPlan plan = CudnnPlanList(convolution_data_gradient(kSpec, Precision::kTf32, target), target, {}).first();
  ASSERT_GT(plan.workspace_bytes(), 0u) << "the case is too easy";
  char memory[16];
  try {
    plan.execute(nullptr, {bind(Operand::kDy, memory), bind(Operand::kWeights, memory), bind(Operand::kDx, memory)},
                 nullptr);
    FAIL() << "there is no workspace";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("its workspace"));
  }
}

TEST(Precision, SaysHowActivationsLieInMemory) {
  EXPECT_EQ(activation_type_of(Precision::kFloat32), DataType::kFloat32);
  EXPECT_EQ(activation_type_of(Precision::kTf32), DataType::kFloat32);
  EXPECT_EQ(activation_type_of(Precision::kBfloat16), DataType::kBfloat16);
  EXPECT_EQ(activation_type_of(Precision::kFloat16), DataType::kFloat16);
}

TEST(Epilogue, IsWhatTheSpecWantsBehindTheSum) {
  const auto epilogue = [](bool bias, bool relu) {
    ConvolutionSpec spec = kSpec;
    spec.bias = bias;
    spec.relu = relu;
    return epilogue_of(spec);
  };
  EXPECT_EQ(epilogue(false, false), Epilogue::kNone);
  EXPECT_EQ(epilogue(true, false), Epilogue::kBias);
  EXPECT_EQ(epilogue(true, true), Epilogue::kBiasRelu);
  EXPECT_EQ(epilogue(false, true), Epilogue::kRelu);
}

struct Unusual {
  const char* name;
  ConvolutionSpec spec;
};
void PrintTo(const Unusual& unusual, std::ostream* out) {
  *out << unusual.name;
}
const Unusual kUnusual[] = {
    {"Depthwise", {.input = {8, 24, 24, 32}, .filters = 32, .window = {3, 3, 1, 1, 1, 1, 1, 1}, .groups = 32}},
    {"FourGroups", {.input = {8, 24, 24, 32}, .filters = 64, .window = {3, 3, 1, 1, 1, 1, 1, 1}, .groups = 4}},
    {"AsymmetricPadding", {.input = {8, 23, 25, 16}, .filters = 16, .window = {3, 5, 2, 1, 0, 1, 1, 2}}},
    {"StridedPointwise", {.input = {8, 24, 24, 16}, .filters = 48, .window = {1, 1, 2, 2}}},
    {"OddChannels", {.input = {3, 17, 19, 17}, .filters = 31, .window = {5, 3, 1, 2, 2, 2, 1, 1}}},
};

class UnusualConvolution : public ::testing::TestWithParam<Unusual> {};

TEST_P(UnusualConvolution, HasPlansOnEveryGpuInEveryPrecision) {
  const ConvolutionSpec& spec = GetParam().spec;
  for (const DescribedGpu& gpu : testing::described_gpus()) {
    const CudnnTarget target = CudnnTarget::described(gpu.properties, gpu.name);
    for (const Precision mode : kPrecisions) {
      if (mode == Precision::kBfloat16 && gpu.name == "T4") continue;  // has no bfloat16
      const CudnnPolicy policy = policy_for(mode);
      EXPECT_NO_THROW(
          (void)CudnnPlanList(convolution_forward(spec, mode, Epilogue::kBias, target), target, policy).first());
      EXPECT_NO_THROW((void)CudnnPlanList(convolution_data_gradient(spec, mode, target), target, policy).first());
      EXPECT_NO_THROW((void)CudnnPlanList(convolution_filter_gradient(spec, mode, target), target, policy).first());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Specs, UnusualConvolution, ::testing::ValuesIn(kUnusual),
                         [](const auto& unusual) { return unusual.param.name; });

struct StatusCase {
  cudnnStatus_t status;
  ExitCode code;
  bool not_supported;
};
void PrintTo(const StatusCase& status, std::ostream* out) {
  *out << cudnnGetErrorString(status.status);
}
class CudnnCheck : public ::testing::TestWithParam<StatusCase> {};

TEST_P(CudnnCheck, TurnsAStatusIntoItsExitCode) {
  try {
    check(GetParam().status);
    FAIL() << "an error passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), GetParam().code);
    EXPECT_EQ(dynamic_cast<const NotSupported*>(&error) != nullptr, GetParam().not_supported);
    EXPECT_THAT(error.what(), HasSubstr(cudnnGetErrorString(GetParam().status)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Statuses, CudnnCheck,
    ::testing::Values(StatusCase{CUDNN_STATUS_NOT_INITIALIZED, ExitCode::kNoDevice, false},
                      StatusCase{CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, ExitCode::kNoDevice, false},
                      StatusCase{CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, ExitCode::kOutOfMemory, false},
                      StatusCase{CUDNN_STATUS_NOT_SUPPORTED_SHAPE, ExitCode::kFailure, true},
                      StatusCase{CUDNN_STATUS_EXECUTION_FAILED, ExitCode::kFailure, false}),
    [](const auto& status) { return std::string(cudnnGetErrorString(status.param.status)); });

TEST(CudnnCheck, LetsSuccessPass) {
  EXPECT_NO_THROW(check(CUDNN_STATUS_SUCCESS));
}

TEST(CudnnDescriptor, LeavesNothingBehindWhenMovedFrom) {
  CudnnDescriptor from(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const CudnnDescriptor to = std::move(from);
  EXPECT_EQ(from.get(), nullptr);  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_NE(to.get(), nullptr);
}

}  // namespace plan_test
}  // namespace xrai::cuda
