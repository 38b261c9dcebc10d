// The promise of docs/gpu-support.md, asked of the real library without a device: one column of the page a test.
#include "tests/cuda/cudnn/support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/cuda/cudnn/probe.h"

namespace xrai::testing {
namespace support_test {

using ::testing::IsEmpty;

std::string page() {
  std::ostringstream text;
  text << std::ifstream(XRAI_SOURCE "/docs/gpu-support.md").rdbuf();
  return text.str();
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream rest(line);
  for (std::string cell; std::getline(rest, cell, '|');) {
    const std::size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
    cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
  }
  return cells;
}

/// The GPU's column of the table under a heading that begins like this.
Cells column_of_page(const std::string& heading, const std::string& gpu) {
  std::istringstream lines(page());
  std::string line;
  while (std::getline(lines, line) && !line.starts_with("## " + heading)) {
  }
  Cells cells;
  std::size_t column = 0;
  while (std::getline(lines, line) && !line.starts_with("## ")) {
    const auto parts = cells_of(line);
    if (parts.size() < 3 || parts[1].starts_with("---")) continue;
    if (column == 0)
      column = static_cast<std::size_t>(std::find(parts.begin(), parts.end(), gpu) - parts.begin());
    else
      cells.emplace_back(parts[1], parts.at(column));
  }
  return cells;
}

class GpuSupport : public ::testing::TestWithParam<DescribedGpu> {
 protected:
  /// Other versions of the library have other engines; what must hold for all is in the complaints.
  static bool page_is_of_this_library() { return page().find("cuDNN " + cudnn_version() + " ") != std::string::npos; }
};

TEST_P(GpuSupport, GivesEveryConvolutionOfTheShippedModelsADeterministicPlan) {
  const ConvolutionSupport support = convolution_support(GetParam());
  EXPECT_THAT(support.complaints, IsEmpty());
  if (!page_is_of_this_library()) GTEST_SKIP() << "docs/gpu-support.md is of another cuDNN than " << cudnn_version();
  EXPECT_EQ(column_of_page("Convolutions: largest", GetParam().name), support.workspaces)
      << "docs/gpu-support.md is old: scripts/gpu_support";
  EXPECT_EQ(column_of_page("Convolutions on tensor cores", GetParam().name), support.tensor_cores)
      << "docs/gpu-support.md is old: scripts/gpu_support";
}

TEST_P(GpuSupport, GivesPoolingOfEveryWindowOfTheShippedModelsAPlan) {
  const PoolingSupport support = pooling_support(GetParam(), 32, 96, Poolings::kFirstOfEachWindow);
  EXPECT_THAT(support.complaints, IsEmpty());
  if (!page_is_of_this_library()) GTEST_SKIP() << "docs/gpu-support.md is of another cuDNN than " << cudnn_version();
  EXPECT_EQ(column_of_page("Pooling", GetParam().name), support.planned)
      << "docs/gpu-support.md is old: scripts/gpu_support";
}

INSTANTIATE_TEST_SUITE_P(Described, GpuSupport, ::testing::ValuesIn(described_gpus()), [](const auto& gpu) {
  std::string name = gpu.param.name;
  std::erase(name, ' ');
  return name;
});

TEST(Probe, NamesTheSignalAndGoesOnBehindACrash) {
  const auto crash = [](const cuda::CudnnTarget&) -> cuda::CudnnGraph { std::abort(); };
  const auto refuse = [](const cuda::CudnnTarget&) -> cuda::CudnnGraph {
    throw cuda::NotSupported(ExitCode::kFailure, "not here");
  };
  const auto answers = ask(described_gpu("A100"), {{refuse, {}}, {crash, {}}, {refuse, {}}});
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].kind, Answer::kNotOffered);
  EXPECT_EQ(answers[1].words, "signal 6");
  EXPECT_EQ(answers[2].words, "not here");
}

}  // namespace support_test
}  // namespace xrai::testing
