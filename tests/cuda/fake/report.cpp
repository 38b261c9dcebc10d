// What the fake device says at the end of a test.
#include <sstream>

#include "state.h"

namespace xrai::fake {
namespace {

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kRace:
      return "race";
    case Fault::kHostRace:
      return "race with the host";
    case Fault::kOutOfRange:
      return "out of range";
    case Fault::kWrongDirection:
      return "wrong direction";
    case Fault::kInvalidFree:
      return "invalid free";
    case Fault::kInvalidHandle:
      return "invalid handle";
    case Fault::kKernel:
      return "kernel";
    case Fault::kMisuse:
      return "misuse";
  }
  return "unknown";
}

void leak_line(std::ostream& lines, int count, const char* what) {
  if (count != 0) lines << "leak: " << count << ' ' << what << (count == 1 ? " is alive\n" : "s are alive\n");
}

}  // namespace

int Report::count(Fault fault) const {
  return static_cast<int>(
      std::count_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.fault == fault; }));
}

std::string Report::complaints() const {
  std::ostringstream lines;
  for (const Finding& finding : findings) lines << name_of(finding.fault) << ": " << finding.text << '\n';
  leak_line(lines, leaks.device_allocations, "device allocation");
  leak_line(lines, leaks.pinned_allocations, "pinned allocation");
  leak_line(lines, leaks.streams, "stream");
  leak_line(lines, leaks.events, "event");
  leak_line(lines, leaks.graphs, "graph");
  leak_line(lines, leaks.executable_graphs, "executable graph");
  leak_line(lines, leaks.library_handles, "library object");
  return lines.str();
}

Report report() {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  Report copy = all.report;
  copy.leaks = {.device_allocations = all.memory.live(),
                .pinned_allocations = all.pinned.live(),
                .streams = all.streams.count(),
                .events = all.events.count(),
                .graphs = all.graphs.count(),
                .executable_graphs = all.executables.count(),
                .library_handles = all.library_handles,
                .device_bytes = all.memory.used()};
  copy.peak_device_bytes = all.memory.peak();
  return copy;
}

}  // namespace xrai::fake
