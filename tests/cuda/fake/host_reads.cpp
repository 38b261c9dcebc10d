// Each change is reported once: a read that was found changed is no longer watched.
#include "host_reads.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace xrai::fake {
namespace {

std::size_t hash_of(const Span& span) {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(span.begin), span.end - span.begin});
}
bool overlap(const Span& a, const Span& b) {
  return a.begin < b.end && b.begin < a.end;
}

}  // namespace

// Removes the reads for which the condition holds, and returns those whose bytes have changed.
template <class Condition>
std::vector<HostReads::Change> HostReads::take(Condition condition) {
  std::vector<Change> changes;
  std::erase_if(reads_, [&](const Read& read) {
    if (!condition(read)) return false;
    if (hash_of(read.span) != read.hash) changes.push_back({read.reader, read.span});
    return true;
  });
  return changes;
}

void HostReads::expect_unchanged(const Span& span, const Stamp& reader) {
  reads_.push_back({span, reader, hash_of(span)});
}

std::vector<HostReads::Change> HostReads::before_running(const Stamp& reader) {
  return take([&](const Read& read) {
    return read.reader.lane == reader.lane && read.reader.tick == reader.tick && hash_of(read.span) != read.hash;
  });
}

std::vector<HostReads::Change> HostReads::settle(const Clock& clock) {
  return take([&](const Read& read) { return covers(clock, read.reader.lane, read.reader.tick); });
}

std::vector<HostReads::Change> HostReads::before_writing(const Span& span) {
  return take([&](const Read& read) { return overlap(read.span, span); });
}

void HostReads::forget(std::uintptr_t begin, std::uintptr_t end) {
  std::erase_if(reads_, [&](const Read& read) { return overlap(read.span, {begin, end, true}); });
}

bool HostReads::watches(const Span& span) const {
  return std::any_of(reads_.begin(), reads_.end(), [&](const Read& read) { return overlap(read.span, span); });
}

}  // namespace xrai::fake
