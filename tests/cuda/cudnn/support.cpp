#include "tests/cuda/cudnn/support.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace xrai::testing {
namespace {

constexpr std::int64_t kTableBatch = 32;

bool lacks_bfloat16(const DescribedGpu& gpu) {
  return nlohmann::json::parse(gpu.properties).at("deviceVer").get<int>() < 800;
}

struct Summary {
  std::int64_t batch = 0;
  std::size_t operations = 0, planned = 0, tensor_cores = 0, largest_workspace = 0;
};

Summary summarise(const Group& group, std::span<const Answer> answers) {
  Summary summary{group.batch, answers.size(), 0, 0, 0};
  for (const Answer& answer : answers) {
    summary.planned += answer.kind == Answer::kPlanned;
    summary.tensor_cores += answer.tensor_cores;
    summary.largest_workspace = std::max(summary.largest_workspace, answer.workspace_bytes);
  }
  return summary;
}

/// Breaches of what every plan must be; a missing plan is one where `all_planned` says so.
void complain(const Group& group, std::span<const Answer> answers, bool all_planned,
              std::vector<std::string>& complaints) {
  const auto say = [&](std::size_t i, const std::string& what) {
    complaints.push_back(fmt::format("{}: {}: {} ({})", group.row, group.operations[i], what, answers[i].words));
  };
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& answer = answers[i];
    if (answer.kind == Answer::kCrashed || answer.kind == Answer::kFailed) say(i, "the library failed");
    if (answer.kind == Answer::kNotOffered && all_planned) say(i, "no plan");
    if (!answer.deterministic) say(i, "not deterministic");
    if (answer.workspace_bytes > group.questions[i].policy.workspace_cap) say(i, "over the cap");
    if (answer.tensor_cores && group.questions[i].policy.true_float32) say(i, "not true float32");
  }
}

/// One process for all groups: starting the library takes longer than most answers.
std::vector<std::span<const Answer>> ask_all(const DescribedGpu& gpu, const std::vector<Group>& groups,
                                             std::vector<Answer>& answers) {
  std::vector<Question> questions;
  for (const Group& group : groups) questions.insert(questions.end(), group.questions.begin(), group.questions.end());
  answers = ask(gpu, questions);
  std::vector<std::span<const Answer>> parts;
  std::size_t begin = 0;
  for (const Group& group : groups) {
    parts.push_back(std::span<const Answer>(answers).subspan(begin, group.questions.size()));
    begin += group.questions.size();
  }
  return parts;
}

std::string mebibytes(std::size_t bytes) {
  const double size = static_cast<double>(bytes) / (1 << 20);
  return bytes == 0 ? "0" : size < 0.1 ? "<0.1" : size < 10 ? fmt::format("{:.1f}", size) : fmt::format("{:.0f}", size);
}

std::string workspace_cell(const std::vector<Summary>& batches) {
  std::string cell;
  for (const Summary& batch : batches) {
    if (batch.planned < batch.operations)
      return fmt::format("{} of {} by our kernels", batch.operations - batch.planned, batch.operations);
    cell += (cell.empty() ? "" : " / ") + mebibytes(batch.largest_workspace);
  }
  return cell;
}

}  // namespace

ConvolutionSupport convolution_support(const DescribedGpu& gpu) {
  const auto left_out = [&](const Group& group) { return lacks_bfloat16(gpu) && group.row.ends_with("bf16"); };
  std::vector<Group> groups;
  for (const std::int64_t batch : kBatches)
    for (Group& group : convolution_groups(batch))
      if (batch == kTableBatch || !left_out(group)) groups.push_back(std::move(group));
  std::vector<Answer> answers;
  const auto parts = ask_all(gpu, groups, answers);
  ConvolutionSupport support;
  std::vector<std::string> rows;
  std::map<std::string, std::vector<Summary>> summaries;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    complain(groups[i], parts[i], !left_out(groups[i]), support.complaints);
    if (!summaries.contains(groups[i].row)) rows.push_back(groups[i].row);
    summaries[groups[i].row].push_back(summarise(groups[i], parts[i]));
  }
  std::sort(rows.begin(), rows.end());
  for (const std::string& row : rows) {
    support.workspaces.emplace_back(row, workspace_cell(summaries[row]));
    for (const Summary& summary : summaries[row])
      if (summary.batch == kTableBatch)
        support.tensor_cores.emplace_back(row, fmt::format("{} of {}", summary.tensor_cores, summary.operations));
  }
  return support;
}

PoolingSupport pooling_support(const DescribedGpu& gpu, std::int64_t batch, std::int64_t picture_size, Poolings which) {
  const std::vector<Group> groups = pooling_groups(batch, picture_size, which);
  std::vector<Answer> answers;
  const auto parts = ask_all(gpu, groups, answers);
  PoolingSupport support;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool left_out = lacks_bfloat16(gpu) && groups[i].row.ends_with("bfloat16");
    complain(groups[i], parts[i], !left_out, support.complaints);
    const Summary summary = summarise(groups[i], parts[i]);
    support.planned.emplace_back(groups[i].row, fmt::format("{} of {}", summary.planned, summary.operations));
  }
  return support;
}

std::string cudnn_version() {
  const std::size_t version = cudnnGetVersion();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace xrai::testing
