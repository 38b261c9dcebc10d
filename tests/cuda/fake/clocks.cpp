// Segments are split at the ends of every access, so that one segment has one history. The check is that of FastTrack
// (Flanagan and Freund, PLDI 2009) with whole operations in the place of instructions.
#include "clocks.h"

#include <algorithm>

namespace xrai::fake {

void join(Clock& into, const Clock& other) {
  if (into.size() < other.size()) into.resize(other.size());
  for (std::size_t lane = 0; lane < other.size(); ++lane) into[lane] = std::max(into[lane], other[lane]);
}

bool covers(const Clock& clock, int lane, std::uint64_t tick) {
  return lane < 0 || (static_cast<std::size_t>(lane) < clock.size() && clock[static_cast<std::size_t>(lane)] >= tick);
}

void RaceDetector::split_at(std::uintptr_t address) {
  auto after = segments_.upper_bound(address);
  if (after == segments_.begin()) return;
  const auto segment = std::prev(after);
  if (segment->first == address || segment->second.end <= address) return;
  const Segment upper = segment->second;
  segment->second.end = address;
  segments_.emplace_hint(after, address, upper);
}

// Afterwards segments fill [begin, end) without gaps, and none sticks out.
void RaceDetector::cover(std::uintptr_t begin, std::uintptr_t end) {
  split_at(begin);
  split_at(end);
  auto next = segments_.lower_bound(begin);
  for (std::uintptr_t at = begin; at < end;) {
    if (next != segments_.end() && next->first == at) {
      at = next->second.end;
      ++next;
      continue;
    }
    const std::uintptr_t gap_end = next == segments_.end() ? end : std::min(end, next->first);
    segments_.emplace_hint(next, at, Segment{.end = gap_end, .writer = {}, .readers = {}});
    at = gap_end;
  }
}

std::vector<RaceDetector::Conflict> RaceDetector::touch(const Span& span, const Stamp& stamp, const Clock& clock) {
  std::vector<Conflict> conflicts;
  if (span.begin >= span.end) return conflicts;
  cover(span.begin, span.end);
  const auto unordered = [&](const Stamp& earlier) { return !covers(clock, earlier.lane, earlier.tick); };
  for (auto at = segments_.lower_bound(span.begin); at != segments_.end() && at->first < span.end; ++at) {
    Segment& segment = at->second;
    if (conflicts.empty() && unordered(segment.writer)) conflicts.push_back({segment.writer, true, at->first});
    if (!span.write) {
      // Readers that this one comes after are ordered before whatever comes after this one.
      std::erase_if(segment.readers, [&](const Stamp& reader) { return !unordered(reader); });
      segment.readers.push_back(stamp);
      continue;
    }
    const auto reader = std::find_if(segment.readers.begin(), segment.readers.end(), unordered);
    if (conflicts.empty() && reader != segment.readers.end()) conflicts.push_back({*reader, false, at->first});
    segment.writer = stamp;
    segment.readers.clear();
  }
  return conflicts;
}

void RaceDetector::forget(std::uintptr_t begin, std::uintptr_t end) {
  split_at(begin);
  split_at(end);
  segments_.erase(segments_.lower_bound(begin), segments_.lower_bound(end));
}

}  // namespace xrai::fake
