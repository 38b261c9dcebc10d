// A trace file as tests look at it: every range with the names of those around it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xrai::testing {

struct TraceRange {
  std::string path;    // "epoch > step > loss"
  std::string thread;  // its name
  std::int64_t began_ns = 0, ended_ns = 0;
};

/// In the order of their beginnings, thread by thread. A range that overlaps the one around it without lying in it
/// fails the test.
inline std::vector<TraceRange> trace_ranges(const std::filesystem::path& file) {
  const nlohmann::json trace = nlohmann::json::parse(std::ifstream(file));
  const auto ns = [](const nlohmann::json& microseconds) { return std::llround(microseconds.get<double>() * 1000); };
  std::map<std::int64_t, std::string> threads;
  std::map<std::int64_t, std::vector<TraceRange>> open;
  std::vector<TraceRange> ranges;
  for (const nlohmann::json& event : trace.at("traceEvents")) {
    if (event.at("name") == "thread_name") threads[event.at("tid")] = event.at("args").at("name");
    if (event.at("ph") != "X") continue;
    const std::string name = event.at("name");
    TraceRange range{name, threads[event.at("tid")], ns(event.at("ts")), ns(event.at("ts")) + ns(event.at("dur"))};
    std::vector<TraceRange>& around = open[event.at("tid")];
    while (!around.empty() && around.back().ended_ns <= range.began_ns) around.pop_back();
    if (!around.empty()) {
      EXPECT_LE(range.ended_ns, around.back().ended_ns) << name << " outlasts " << around.back().path;
      range.path = around.back().path + " > " + name;
    }
    around.push_back(range);
    ranges.push_back(range);
  }
  return ranges;
}

/// How often each path stands there, of one thread.
inline std::map<std::string, int> counted_paths(const std::vector<TraceRange>& ranges, const std::string& thread) {
  std::map<std::string, int> counts;
  for (const TraceRange& range : ranges)
    if (range.thread == thread) ++counts[range.path];
  return counts;
}

}  // namespace xrai::testing
