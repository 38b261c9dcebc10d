// The trace file: what a viewer needs to draw the ranges, whatever their names, threads and number.
#include "runtime/core/chrome_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/trace_ranges.h"

namespace xrai {
namespace chrome_trace_test {

using nlohmann::json;
using testing::counted_paths;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::refused;
using testing::TemporaryFolder;
using testing::trace_ranges;
using ::testing::UnorderedElementsAre;

class ChromeTraceTest : public ::testing::Test {
 protected:
  [[nodiscard]] json written(const ChromeTrace& trace) const {
    trace.write(file_);
    return json::parse(std::ifstream(file_));
  }
  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "trace.json";
};

/// Notes what arrives.
struct Listener final : Trace {
  void begin(std::string_view name) override { calls.push_back("begin " + std::string(name)); }
  void end() override { calls.emplace_back("end"); }
  void name_thread(std::string_view name) override { calls.push_back("thread " + std::string(name)); }
  std::vector<std::string> calls;
};

TEST_F(ChromeTraceTest, RangesLieInsideTheOnesAroundThem) {
  ChromeTrace trace;
  trace.name_thread("main");
  {
    const Span outer(&trace, "outer");
    { const Span first(&trace, "inner"); }
    { const Span second(&trace, "inner"); }
  }
  { const Span after(&trace, "after"); }
  trace.write(file_);
  EXPECT_THAT(counted_paths(trace_ranges(file_), "main"),
              UnorderedElementsAre(Pair("outer", 1), Pair("outer > inner", 2), Pair("after", 1)));
}

TEST_F(ChromeTraceTest, EveryEventHasWhatTheFormatAsksFor) {
  ChromeTrace trace;
  { const Span span(&trace, "x"); }
  const json event = written(trace).at("traceEvents").back();
  EXPECT_EQ(event.at("ph"), "X");
  for (const char* key : {"pid", "tid"}) EXPECT_TRUE(event.at(key).is_number_integer()) << key;
  for (const char* key : {"ts", "dur"}) EXPECT_GE(event.at(key).get<double>(), 0) << key;
}

TEST_F(ChromeTraceTest, DurationsAreMicroseconds) {
  ChromeTrace trace;
  {
    const Span span(&trace, "sleep");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const double microseconds = written(trace).at("traceEvents").back().at("dur");
  EXPECT_GE(microseconds, 20e3);
  EXPECT_LT(microseconds, 20e6) << "a thousand times more would be nanoseconds";
}

TEST_F(ChromeTraceTest, ANullTraceIsNoTrace) {
  const Span span(nullptr, "nothing");
}

TEST_F(ChromeTraceTest, NamesMayHoldWhatJsonMustNot) {
  ChromeTrace trace;
  const std::string name = "\"quoted\" back\\slash\ttab \x01 \xC3\xA4";
  { const Span span(&trace, name); }
  EXPECT_EQ(written(trace).at("traceEvents").back().at("name"), name);
}

TEST_F(ChromeTraceTest, ThreadsKeepTheirRangesApart) {
  ChromeTrace trace;
  trace.name_thread("main");
  {
    const Span outer(&trace, "outer");
    std::vector<std::thread> threads;
    for (const char* name : {"a", "b", "c"})
      threads.emplace_back([&trace, name] {
        trace.name_thread(name);
        for (int i = 0; i < 500; ++i) {
          const Span span(&trace, "work");
          const Span inner(&trace, "part");
        }
      });
    for (std::thread& thread : threads) thread.join();
  }
  trace.write(file_);
  const auto ranges = trace_ranges(file_);
  EXPECT_THAT(counted_paths(ranges, "main"), ElementsAre(Pair("outer", 1)));
  for (const char* name : {"a", "b", "c"})
    EXPECT_THAT(counted_paths(ranges, name), ElementsAre(Pair("work", 500), Pair("work > part", 500))) << name;
}

TEST_F(ChromeTraceTest, BeyondTheLimitTheNewestAreLeftOutAndCounted) {
  ChromeTrace trace(nullptr, 3);
  trace.name_thread("main");
  {
    const Span outer(&trace, "outer");
    for (int i = 0; i < 10; ++i) const Span inner(&trace, "inner");
  }
  EXPECT_EQ(written(trace).at("otherData").at("ranges_left_out"), 8);
  EXPECT_THAT(counted_paths(trace_ranges(file_), "main"), ElementsAre(Pair("outer", 1), Pair("outer > inner", 2)));
}

TEST_F(ChromeTraceTest, TellsWhatTimeItWasWhenItBegan) {
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const std::int64_t before = now();
  const ChromeTrace trace;
  const std::int64_t after = now(), began = written(trace).at("otherData").at("began_unix_ns");
  EXPECT_LE(before, began);
  EXPECT_LE(began, after);
}

TEST_F(ChromeTraceTest, ARangeThatIsStillOpenEndsWhereTheFileDoes) {
  ChromeTrace trace;
  trace.name_thread("main");
  const Span outer(&trace, "outer");
  { const Span inner(&trace, "inner"); }
  trace.write(file_);
  EXPECT_THAT(counted_paths(trace_ranges(file_), "main"), ElementsAre(Pair("outer", 1), Pair("outer > inner", 1)));
}

TEST_F(ChromeTraceTest, PassesEverythingOn) {
  Listener listener;
  ChromeTrace trace(&listener, 1);
  trace.name_thread("main");
  {
    const Span outer(&trace, "outer");
    const Span left_out(&trace, "inner");
  }
  EXPECT_THAT(listener.calls, ElementsAre("thread main", "begin outer", "begin inner", "end", "end"));
}

TEST_F(ChromeTraceTest, AFileThatCannotBeWrittenIsNamed) {
  const ChromeTrace trace;
  const auto file = folder_ / "missing" / "trace.json";
  EXPECT_THAT(refused(ExitCode::kStorage, [&] { trace.write(file); }), HasSubstr(file.string()));
}

}  // namespace chrome_trace_test
}  // namespace xrai
