// What Nsight gets to see of a training: NVTX's ranges in the domain "xrai", named streams, and the profiler switched
// on for the steps that were asked for. A listener takes the place of the tool that Nsight puts into the process.
#define NVTX_NO_IMPL
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nvtx3/nvToolsExt.h>

#include <map>
#include <set>

#include "runtime/core/chrome_trace.h"
#include "tests/cuda/device/doubled_card.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"
#include "tests/support/trace_ranges.h"

namespace xrai {
namespace profile_test {

/// What arrived, with registered names resolved. One thread trains.
struct NvtxListener {
  std::vector<std::string> open;
  std::vector<std::string> paths;  // "epoch > step", at the beginning of each
  std::set<std::string> domains, threads;
  std::map<void*, std::string> streams;  // the last name of each
  int too_many_ends = 0;
};
NvtxListener* listener = nullptr;

/// Handles are the texts themselves: they live as long as the process.
const char* kept(const char* text) {
  static std::set<std::string> texts;
  return texts.emplace(text).first->c_str();
}
nvtxDomainHandle_t create_domain(const char* name) {
  if (listener != nullptr) listener->domains.insert(name);
  return reinterpret_cast<nvtxDomainHandle_t>(const_cast<char*>(kept(name)));
}
nvtxStringHandle_t register_string(nvtxDomainHandle_t, const char* text) {
  return reinterpret_cast<nvtxStringHandle_t>(const_cast<char*>(kept(text)));
}
int push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* range) {
  if (listener == nullptr || std::string(reinterpret_cast<const char*>(domain)) != "xrai") return 0;
  listener->open.emplace_back(reinterpret_cast<const char*>(range->message.registered));
  std::string path;
  for (const std::string& name : listener->open) path += (path.empty() ? "" : " > ") + name;
  listener->paths.push_back(path);
  return static_cast<int>(listener->open.size());
}
int pop(nvtxDomainHandle_t) {
  if (listener == nullptr) return 0;
  if (listener->open.empty())
    ++listener->too_many_ends;
  else
    listener->open.pop_back();
  return 0;
}
void name_stream(void* stream, const char* name) {
  if (listener != nullptr) listener->streams[stream] = name;
}

void name_thread(std::uint32_t, const char* name) {
  if (listener != nullptr) listener->threads.insert(name);
}

template <class Function>
NvtxFunctionPointer untyped(Function* function) {
  return reinterpret_cast<NvtxFunctionPointer>(function);
}

int initialise(NvtxGetExportTableFunc_t export_table) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(export_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned int size = 0;
  callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size);
  *table[NVTX_CBID_CORE2_DomainCreateA] = untyped(&create_domain);
  *table[NVTX_CBID_CORE2_DomainRegisterStringA] = untyped(&register_string);
  *table[NVTX_CBID_CORE2_DomainRangePushEx] = untyped(&push);
  *table[NVTX_CBID_CORE2_DomainRangePop] = untyped(&pop);
  callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size);
  *table[NVTX_CBID_CORE_NameOsThreadA] = untyped(&name_thread);
  callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CUDART, &table, &size);
  *table[NVTX_CBID_CUDART_NameCudaStreamA] = untyped(&name_stream);
  return 1;
}

/// The name under which NVTX looks for a tool that is linked in.
extern "C" {
extern const NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr;
const NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr = &initialise;
}

using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::TemporaryFolder;
using testing::ToyRun;
using ::testing::UnorderedElementsAre;

/// Two epochs of 7 steps: six whole batches and a smaller one.
TrainSettings two_epochs() {
  TrainSettings settings = testing::toy_settings();
  settings.epochs = 2;
  settings.log_every = 100;
  return settings;
}

class NvtxRanges : public ::testing::Test {
 protected:
  NvtxRanges() { listener = &heard_; }
  ~NvtxRanges() override { listener = nullptr; }
  void train() {
    ToyRun run(folder_.path(), two_epochs(), 50, testing::fresh_cuda());
    run.run();
  }
  [[nodiscard]] int count(const std::string& path) const {
    return static_cast<int>(std::count(heard_.paths.begin(), heard_.paths.end(), path));
  }
  [[nodiscard]] int count_beginning(const std::string& path) const {
    return static_cast<int>(std::count_if(heard_.paths.begin(), heard_.paths.end(),
                                          [&](const std::string& p) { return p.starts_with(path); }));
  }
  TemporaryFolder folder_;
  NvtxListener heard_;
};

TEST_F(NvtxRanges, StandInTheDomainXraiAndAllEnd) {
  train();
  EXPECT_THAT(heard_.domains, Contains("xrai"));
  EXPECT_THAT(heard_.open, IsEmpty());
  EXPECT_EQ(heard_.too_many_ends, 0);
  EXPECT_EQ(count("epoch"), 2);
  EXPECT_EQ(count("epoch > evaluate"), 2);
  EXPECT_GE(count("epoch > checkpoint"), 2);
}

TEST_F(NvtxRanges, StreamsHaveNames) {
  train();
  EXPECT_THAT(heard_.streams, UnorderedElementsAre(Pair(_, "xrai compute"), Pair(_, "xrai copy")));
}

// Per batch size: the first step is queued, the second is recorded and replayed, the others are replayed.
TEST_F(NvtxRanges, AReplayedStepIsOneRangeAndItsLayersStandInTheRecording) {
  train();
  EXPECT_EQ(count("epoch > step"), 4);
  EXPECT_EQ(count("epoch > step (graph)"), 10);
  for (const char* name : {"forward/dense9", "loss", "backward/dense9", "update"}) {
    EXPECT_EQ(count("epoch > step > " + std::string(name)), 2) << name;
    EXPECT_EQ(count("epoch > step > record-graph > " + std::string(name)), 2) << name;
  }
  EXPECT_EQ(count("epoch > step (graph) > upload"), 10);
  EXPECT_EQ(count("epoch > step (graph) > augment"), 10);
  EXPECT_EQ(count_beginning("epoch > step (graph) > "), 20) << "nothing else";
}

TEST_F(NvtxRanges, ATraceFileStandsBesideThem) {
  {
    ToyRun run(folder_.path(), two_epochs(), 50, testing::fresh_cuda());
    ChromeTrace trace(run.device->trace());
    trace.name_thread("training");
    run.device->set_trace(&trace);
    run.run();
    trace.write(folder_ / "trace.json");
  }
  EXPECT_EQ(
      testing::counted_paths(testing::trace_ranges(folder_ / "trace.json"), "training").at("epoch > step (graph)"), 10);
  EXPECT_EQ(count("epoch > step (graph)"), 10);
  EXPECT_THAT(heard_.threads, ElementsAre("training"));
}

struct Profiled {
  int starts = 0, stops = 0;
  std::vector<int> steps;  // after which the profiler was on, counted from 1
};
Profiled profile(const ProfileSettings& window) {
  const TemporaryFolder folder;
  TrainSettings settings = two_epochs();
  settings.profile = window;
  ToyRun run(folder.path(), settings, 50, testing::fresh_cuda());
  Profiled profiled;
  run.train.before_batch = [&](int batches) {
    const fake::Report report = fake::report();
    if (batches > 0 && report.profiler_starts > report.profiler_stops) profiled.steps.push_back(batches);
  };
  run.run();
  profiled.starts = fake::report().profiler_starts;
  profiled.stops = fake::report().profiler_stops;
  EXPECT_EQ(run.trainer->state().step, 14) << "training goes on after the window";
  return profiled;
}

TEST(Profiler, IsOnForTheStepsThatWereAskedForAndForNoOthers) {
  const Profiled profiled = profile({4, 3});
  EXPECT_EQ(profiled.starts, 1);
  EXPECT_EQ(profiled.stops, 1);
  EXPECT_THAT(profiled.steps, ElementsAre(4, 5)) << "it is off when the batch behind step 6 is asked for";
}

TEST(Profiler, IsNotLeftOnAtTheEnd) {
  const Profiled profiled = profile({13, 100});
  EXPECT_EQ(profiled.starts, 1);
  EXPECT_EQ(profiled.stops, 1);
}

TEST(Profiler, StaysOffUnlessItIsAskedFor) {
  EXPECT_EQ(profile({1, 0}).starts, 0);
  EXPECT_EQ(profile({15, 3}).starts, 0) << "there is no step 15";
}

TEST(Profiler, TheWindowHoldsTheWorkOfItsSteps) {
  const std::unique_ptr<Device> device = testing::fresh_cuda("fp32", {.policy = {fake::Policy::kLazy}});
  const Buffer from = device->allocate(64), to = device->allocate(64);
  const auto executed = [] {
    int sum = 0;
    for (const auto& [name, count] : fake::report().executed) sum += count;
    return sum;
  };
  const int before = executed();
  device->copy(to.data(), from.data(), 64);
  EXPECT_EQ(executed(), before) << "queued";
  device->start_profile();
  EXPECT_EQ(executed(), before + 1) << "of a step before the window";
  device->copy(to.data(), from.data(), 64);
  device->stop_profile();
  EXPECT_EQ(executed(), before + 2) << "of the window";
}

}  // namespace profile_test
}  // namespace xrai
