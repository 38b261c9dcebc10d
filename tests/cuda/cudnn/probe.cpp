#include "tests/cuda/cudnn/probe.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace xrai::testing {
namespace {

Answer answer(const Question& question, const cuda::CudnnTarget& target) {
  try {
    const cuda::CudnnPlan plan = cuda::CudnnPlanList(question.graph(target), target, question.policy).first();
    return {Answer::kPlanned, plan.workspace_bytes(), plan.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE),
            !plan.has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC), plan.describe()};
  } catch (const cuda::NotSupported& obstacle) {
    return {Answer::kNotOffered, 0, false, true, obstacle.what()};
  } catch (const std::exception& failure) {
    return {Answer::kFailed, 0, false, true, failure.what()};
  }
}

[[noreturn]] void answer_all(const DescribedGpu& gpu, const std::vector<Question>& questions, std::size_t begin,
                             int pipe_end) {
  std::FILE* out = fdopen(pipe_end, "w");
  const cuda::CudnnTarget target = cuda::CudnnTarget::described(gpu.properties, gpu.name);
  for (std::size_t i = begin; i < questions.size(); ++i) {
    const Answer given = answer(questions[i], target);
    const nlohmann::json line{{"kind", static_cast<int>(given.kind)},
                              {"workspace", given.workspace_bytes},
                              {"tensor_cores", given.tensor_cores},
                              {"deterministic", given.deterministic},
                              {"words", given.words}};
    // A message of the library may hold bytes that are not UTF-8.
    std::fputs((line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n").c_str(), out);
    std::fflush(out);
  }
  _exit(0);  // without the library's own clean-up, which wants a driver
}

Answer parse(const std::string& text) {
  const auto line = nlohmann::json::parse(text);
  return {static_cast<Answer::Kind>(line.at("kind").get<int>()), line.at("workspace").get<std::size_t>(),
          line.at("tensor_cores").get<bool>(), line.at("deterministic").get<bool>(),
          line.at("words").get<std::string>()};
}

/// Reads answers until the child ends; returns its wait status.
int collect(int pipe_end, pid_t child, std::vector<Answer>& answers) {
  std::FILE* in = fdopen(pipe_end, "r");
  std::string text;
  for (int c = std::fgetc(in); c != EOF; c = std::fgetc(in)) {
    if (c != '\n') {
      text.push_back(static_cast<char>(c));
      continue;
    }
    answers.push_back(parse(text));
    text.clear();
  }
  std::fclose(in);
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

}  // namespace

std::vector<Answer> ask(const DescribedGpu& gpu, const std::vector<Question>& questions) {
  std::vector<Answer> answers;
  while (answers.size() < questions.size()) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
      close(ends[0]);
      answer_all(gpu, questions, answers.size(), ends[1]);
    }
    close(ends[1]);
    const int status = collect(ends[0], child, answers);
    if (answers.size() < questions.size())
      answers.push_back({Answer::kCrashed, 0, false, true,
                         WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : "ended early"});
  }
  return answers;
}

}  // namespace xrai::testing
