#include "shadow.h"

#include <algorithm>

namespace xrai::emulation {
namespace {

bool same_warp(const Mark& a, const Mark& b) {
  return a.block == b.block && a.thread / kWarpSize == b.thread / kWarpSize;
}

bool is_ordered(const Mark& earlier, const Mark& now, const WarpClock& clock) {
  if (earlier.block != now.block) return false;
  if (earlier.thread == now.thread || earlier.barriers != now.barriers) return true;
  return same_warp(earlier, now) && clock[earlier.thread % kWarpSize] >= earlier.clock;
}

bool conflicts(const Mark& earlier, const Mark& now, const WarpClock& clock) {
  if (earlier.kind == AccessKind::kNone) return false;
  const bool tolerated = earlier.kind == now.kind && now.kind != AccessKind::kWrite;
  return !tolerated && !is_ordered(earlier, now, clock);
}

}  // namespace

void Company::add(const Mark& now, const WarpClock& clock) {
  // Whatever conflicts with an access that is ordered before `now` conflicts with `now`, too.
  for (Mark* earlier : {&first_, &in_same_warp_, &elsewhere_}) {
    if (is_ordered(*earlier, now, clock)) *earlier = Mark();
  }
  if (first_.kind == AccessKind::kNone) std::swap(first_, in_same_warp_);
  if (first_.kind == AccessKind::kNone) {
    first_ = now;
  } else if (same_warp(first_, now)) {
    in_same_warp_ = now;
  } else {
    elsewhere_ = now;
  }
}

const Mark* Company::conflict_with(const Mark& now, const WarpClock& clock) const {
  for (const Mark* earlier : {&first_, &in_same_warp_, &elsewhere_}) {
    if (conflicts(*earlier, now, clock)) return earlier;
  }
  return nullptr;
}

std::optional<Mark> Cell::access(const Mark& now, const WarpClock& clock) {
  const Mark* earlier = conflicts(writer_, now, clock) ? &writer_ : readers_.conflict_with(now, clock);
  if (earlier == nullptr) earlier = atomics_.conflict_with(now, clock);
  const std::optional<Mark> found = earlier == nullptr ? std::nullopt : std::optional(*earlier);
  switch (now.kind) {
    case AccessKind::kRead:
      readers_.add(now, clock);
      break;
    case AccessKind::kAtomic:
      atomics_.add(now, clock);
      break;
    default:
      *this = Cell(), writer_ = now;
  }
  return found;
}

Shadow::Page& Shadow::page(std::uintptr_t address) {
  const std::uintptr_t number = address / kPageBytes;
  if (last_page_ != nullptr && last_number_ == number) return *last_page_;
  std::unique_ptr<Page>& page = pages_[number];
  if (!page) page = std::make_unique<Page>();
  last_number_ = number;
  last_page_ = page.get();
  return *page;
}

Shadow::Bytes& Shadow::split(Page& page, std::size_t word) {
  std::unique_ptr<Bytes>& bytes = page.bytes[word];
  if (!bytes) {
    bytes = std::make_unique<Bytes>();
    bytes->fill(page.words[word]);
  }
  return *bytes;
}

std::optional<Mark> Shadow::access(std::uintptr_t address, std::size_t bytes, const Mark& now, const WarpClock& clock) {
  std::optional<Mark> found;
  for (std::uintptr_t at = address, end = address + bytes; at < end;) {
    Page& here = page(at);
    const std::size_t word = at % kPageBytes / kWordBytes, offset = at % kWordBytes;
    const std::size_t part = std::min<std::size_t>(kWordBytes - offset, end - at);
    if (part == kWordBytes && !here.bytes[word]) {
      const std::optional<Mark> conflict = here.words[word].access(now, clock);
      if (!found) found = conflict;
    } else {
      Bytes& cells = split(here, word);
      for (std::size_t i = offset; i < offset + part; ++i) {
        const std::optional<Mark> conflict = cells[i].access(now, clock);
        if (!found) found = conflict;
      }
    }
    at += part;
  }
  return found;
}

void Shadow::forget(std::uintptr_t address, std::size_t bytes) {
  for (std::uintptr_t at = address, end = address + bytes; at < end; ++at) {
    Page& here = page(at);
    const std::size_t word = at % kPageBytes / kWordBytes;
    if (at % kWordBytes == 0 && end - at >= kWordBytes) {
      here.words[word] = Cell();
      here.bytes[word].reset();
      at += kWordBytes - 1;
    } else {
      split(here, word)[at % kWordBytes] = Cell();
    }
  }
}

void Shadow::touch(std::uintptr_t address, std::size_t bytes, bool write) {
  for (std::uintptr_t at = address, end = address + bytes; at < end; ++at) {
    Page& here = page(at);
    (write ? here.written : here.read).set(at % kPageBytes);
  }
}

std::vector<Access> Shadow::touched() const {
  std::vector<std::uintptr_t> numbers;
  for (const auto& [number, page] : pages_) numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  std::vector<Access> ranges;
  for (const bool write : {false, true}) {
    std::uintptr_t end = 0;  // of the last range
    for (const std::uintptr_t number : numbers) {
      const Page& here = *pages_.at(number);
      const auto& bits = write ? here.written : here.read;
      for (std::size_t i = 0; i < kPageBytes; ++i) {
        if (!bits[i]) continue;
        const std::uintptr_t at = number * kPageBytes + i;
        if (end != at) ranges.push_back({reinterpret_cast<const void*>(at), 0, write});
        ++ranges.back().bytes;
        end = at + 1;
      }
    }
  }
  return ranges;
}

}  // namespace xrai::emulation
