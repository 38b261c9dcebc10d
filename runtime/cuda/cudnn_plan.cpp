#include "runtime/cuda/cudnn_plan.h"

#include <algorithm>
#include <utility>

namespace xrai::cuda {
namespace {

// More than a plan meets in training and evaluation together; beyond it the oldest is made anew.
constexpr std::size_t kPacks = 8;
// The longest lists of 9.19 have some forty entries.
constexpr std::int64_t kProposals = 128;

constexpr std::uint32_t bit(cudnnBackendNumericalNote_t note) {
  return 1u << note;
}
constexpr std::uint32_t kNotTrueFloat32 =
    bit(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) | bit(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) |
    bit(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) | bit(CUDNN_NUMERICAL_NOTE_FFT) |
    bit(CUDNN_NUMERICAL_NOTE_WINOGRAD) | bit(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4) |
    bit(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6) | bit(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13);

std::uint32_t unwanted_notes(const CudnnPolicy& policy) {
  return (policy.deterministic ? bit(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) : 0u) |
         (policy.true_float32 ? kNotTrueFloat32 : 0u);
}

std::string to_words(const CudnnPolicy& policy) {
  return fmt::format("{}{}with a workspace of at most {} MiB", policy.deterministic ? "deterministic, " : "",
                     policy.true_float32 ? "in true float32, " : "", policy.workspace_cap >> 20);
}

struct Engine {
  std::int64_t number = 0;
  std::uint32_t notes = 0;
};

Engine engine_of(const CudnnDescriptor& configuration) {
  std::vector<CudnnDescriptor> engine;
  engine.emplace_back(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  configuration.read_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  Engine facts{engine.at(0).get_number(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), 0};
  for (const auto note : engine[0].get_values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                           CUDNN_NUMERICAL_NOTE_TYPE_COUNT))
    facts.notes |= bit(note);
  return facts;
}

std::string settings_of(const CudnnDescriptor& configuration, std::int64_t engine) {
  std::vector<CudnnDescriptor> knobs;
  for (int i = 0; i < CUDNN_KNOB_TYPE_COUNTS; ++i) knobs.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
  configuration.read_descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, knobs);
  std::string settings = std::to_string(engine);
  for (const CudnnDescriptor& knob : knobs)
    for (const auto type : knob.get_values<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, 1))
      settings += fmt::format(" {}={}", static_cast<int>(type), knob.get_number(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  return settings;
}

/// Configurations of engines that the heuristics of this mode propose; none when they know nothing of the graph.
std::vector<CudnnDescriptor> proposals(const CudnnGraph& graph, const CudnnTarget& target, cudnnBackendHeurMode_t mode,
                                       std::string& obstacle) {
  CudnnDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor());
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  target.aim_heuristics(heuristics);
  std::vector<CudnnDescriptor> found;
  if (heuristics.try_finalize() != CUDNN_STATUS_SUCCESS) {
    obstacle = last_cudnn_error();
    return found;
  }
  for (std::int64_t i = 0; i < kProposals; ++i) found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  heuristics.read_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, found);
  if (found.empty()) obstacle = last_cudnn_error();
  return found;
}

}  // namespace

std::string CudnnPlan::describe() const {
  const bool winograd = has(CUDNN_NUMERICAL_NOTE_WINOGRAD);
  return fmt::format("engine {}{}{}{}, workspace {:.1f} MiB", engine_,
                     has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) ? ", tensor cores" : "", winograd ? ", Winograd" : "",
                     has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) ? ", not deterministic" : "",
                     static_cast<double>(workspace_bytes_) / (1 << 20));
}

const CudnnDescriptor& CudnnPlan::pack_for_called() {
  const auto known =
      std::find_if(packs_.begin(), packs_.end(), [this](const Pack& pack) { return pack.memory == called_; });
  if (known != packs_.end()) return known->descriptor;
  Pack pack{called_, CudnnDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)};
  const std::size_t tensors = graph_->uids().size();
  pack.descriptor.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const std::int64_t>(graph_->uids()));
  pack.descriptor.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(called_).first(tensors));
  pack.descriptor.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, called_.back());
  pack.descriptor.finalize();
  if (packs_.size() < kPacks) return packs_.emplace_back(std::move(pack)).descriptor;
  packs_[oldest_pack_] = std::move(pack);
  return packs_[std::exchange(oldest_pack_, (oldest_pack_ + 1) % kPacks)].descriptor;
}

void CudnnPlan::execute(cudnnHandle_t handle, std::span<const CudnnBinding> bindings, void* workspace) {
  const std::vector<std::int64_t>& uids = graph_->uids();
  std::fill(called_.begin(), called_.end(), nullptr);
  for (const CudnnBinding& binding : bindings) {
    const auto place = std::find(uids.begin(), uids.end(), binding.uid);
    if (place != uids.end()) called_[static_cast<std::size_t>(place - uids.begin())] = binding.memory;
  }
  called_.back() = workspace_bytes_ == 0 ? nullptr : workspace;
  for (std::size_t i = 0; i < called_.size(); ++i) {
    if (called_[i] != nullptr || (i == uids.size() && workspace_bytes_ == 0)) continue;
    throw Error(ExitCode::kFailure,
                fmt::format("{} was given no memory for {}", graph_->what(),
                            i == uids.size() ? std::string("its workspace") : fmt::format("tensor {}", uids[i])));
  }
  check(cudnnBackendExecute(handle, plan_.get(), pack_for_called().get()));
}

CudnnPlanList::CudnnPlanList(CudnnGraph graph, const CudnnTarget& target, const CudnnPolicy& policy)
    : graph_(std::make_shared<const CudnnGraph>(std::move(graph))), target_(&target), policy_(policy) {}

std::optional<CudnnPlan> CudnnPlanList::make_ready(const CudnnDescriptor& configuration, std::string& obstacle) const {
  const Engine engine = engine_of(configuration);
  if ((engine.notes & unwanted_notes(policy_)) != 0) return std::nullopt;
  CudnnPlan plan;
  plan.plan_ = CudnnDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  target_->aim_plan(plan.plan_);
  plan.plan_.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  if (plan.plan_.try_finalize() != CUDNN_STATUS_SUCCESS) {
    obstacle = last_cudnn_error();
    return std::nullopt;
  }
  plan.workspace_bytes_ = static_cast<std::size_t>(plan.plan_.get_number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
  if (plan.workspace_bytes_ > policy_.workspace_cap) {
    obstacle = fmt::format("engine {} wants a workspace of {} MiB", engine.number, plan.workspace_bytes_ >> 20);
    return std::nullopt;
  }
  plan.graph_ = graph_;
  plan.engine_ = engine.number;
  plan.settings_ = settings_of(configuration, engine.number);
  plan.notes_ = engine.notes;
  plan.called_.resize(graph_->uids().size() + 1);
  plan.packs_.reserve(kPacks);
  return plan;
}

std::vector<CudnnPlan> CudnnPlanList::ready(std::size_t at_most, std::string& obstacle) const {
  std::vector<CudnnPlan> plans;
  // The fallback list holds slower engines that support more; the first list may be empty or consist of others only.
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const CudnnDescriptor& configuration : proposals(*graph_, *target_, mode, obstacle)) {
      if (plans.size() == at_most) return plans;
      if (auto plan = make_ready(configuration, obstacle)) plans.push_back(std::move(*plan));
    }
  }
  return plans;
}

CudnnPlan CudnnPlanList::first() const {
  std::string obstacle = "its engines are of another kind";
  std::vector<CudnnPlan> plans = ready(1, obstacle);
  if (plans.empty())
    throw NotSupported(ExitCode::kFailure, fmt::format("cuDNN {} has no plan for {} on {}, {} ({})", cudnnGetVersion(),
                                                       graph_->what(), target_->gpu(), to_words(policy_), obstacle));
  return std::move(plans.front());
}

std::vector<CudnnPlan> CudnnPlanList::all(std::size_t at_most) const {
  std::string obstacle;
  return ready(at_most, obstacle);
}

}  // namespace xrai::cuda
