// What happens when one operation runs: its memory must be alive, its accesses go to the detector, its bytes move.
#include <cstring>
#include <exception>

#include "schedule.h"

namespace xrai::fake {
namespace {

const void* pointer_to(std::uintptr_t address) {
  return reinterpret_cast<const void*>(address);
}

void report_host_changes(const std::vector<HostReads::Change>& changes, const char* when) {
  for (const auto& change : changes)
    find_fault(Fault::kHostRace, "The host changed what " + *change.reader.who + " reads, " + when + ".");
}

// False where memory was freed since the call.
bool memory_alive(State& all, const Operation& operation) {
  for (const Span& span : operation.spans) {
    const void* begin = pointer_to(span.begin);
    if (!all.memory.in_region(begin) || all.memory.contains(begin, span.end - span.begin)) continue;
    find_fault(Fault::kOutOfRange, *operation.stamp.who + " ran after its memory had been freed.");
    all.lost = cudaErrorIllegalAddress;
    return false;
  }
  return true;
}

void check_host_memory(State& all, const Operation& operation) {
  report_host_changes(all.host_reads.before_running(operation.stamp), "before it ran");
  for (const Span& span : operation.spans) {
    if (span.write && !all.memory.in_region(pointer_to(span.begin)))
      report_host_changes(all.host_reads.before_writing(span), "before it could know that the operation was over");
  }
  // A host function may tell a thread that memory is free again.
  if (operation.type == cudaGraphNodeTypeHost)
    report_host_changes(all.host_reads.settle(operation.clock), "before it could know that the operation was over");
}

void run_body(State& all, Operation& operation) {
  all.memory.open();
  all.running = &operation;
  try {
    operation.run();
  } catch (const std::exception& error) {
    find_fault(Fault::kKernel, *operation.stamp.who + ": " + error.what());
    all.lost = cudaErrorLaunchFailure;
  }
  all.running = nullptr;
}

// A graph's nodes are operations of their own, and it is they that count.
void count_execution(State& all, const Operation& operation) {
  const auto& duration = all.settings.duration_ms;
  constexpr double kDefaultMilliseconds = 0.01;
  all.device_ms += duration ? static_cast<double>(duration(operation.name)) : kDefaultMilliseconds;
  ++all.report.executed[operation.name];
  const auto limit = all.settings.sticky_error.after_operations;
  if (++all.executed == limit) all.lost = all.settings.sticky_error.error;
}

}  // namespace

void touch(State& all, const Span& span, const Operation& operation) {
  for (const auto& conflict : all.races.touch(span, operation.stamp, operation.clock)) {
    // Once for two operations, however many bytes they share.
    const Stamp &later = operation.stamp, &earlier = conflict.earlier;
    if (!all.reported_races.insert({later.lane, later.tick, earlier.lane, earlier.tick}).second) continue;
    find_fault(Fault::kRace, *operation.stamp.who + (span.write ? " writes " : " reads ") +
                                 describe(all, conflict.address) + ", which " + *conflict.earlier.who +
                                 (conflict.earlier_writes ? " writes" : " reads") +
                                 "; nothing orders one before the other.");
  }
}

void promise_host_memory(State& all, const std::vector<Span>& spans, const Stamp& stamp) {
  for (const Span& span : spans) {
    const std::size_t bytes = span.end - span.begin;
    if (!all.pinned.contains(pointer_to(span.begin), bytes)) continue;
    if (!span.write)
      all.host_reads.expect_unchanged(span, stamp);
    else if (!all.host_reads.watches(span))
      std::memset(reinterpret_cast<void*>(span.begin), 0xFF, bytes);
  }
}

void execute(State& all, Operation& operation) {
  if (operation.run && all.lost == cudaSuccess && memory_alive(all, operation)) {
    check_host_memory(all, operation);
    if (operation.type == cudaGraphNodeTypeGraph) {
      operation.run();
    } else {
      for (const Span& span : operation.spans) touch(all, span, operation);
      run_body(all, operation);
      count_execution(all, operation);
    }
  }
  if (operation.reaches != nullptr) {
    operation.reaches->reached = true;
    operation.reaches->time_ms = all.device_ms;
  }
}

}  // namespace xrai::fake
