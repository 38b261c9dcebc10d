// Which accesses of a kernel matter to the race checker, and what it says about those that are wrong. Registers itself:
// linking a kernel that was compiled with -fsanitize=thread is enough.
#include "race_check.h"

#include <algorithm>
#include <set>
#include <utility>

#include "observer.h"
#include "shadow.h"
#include "symbols.h"

// The program's own image, as the linker names it.
extern "C" char __executable_start, _end;

namespace xrai::emulation {
namespace {

constexpr std::size_t kReportedFaults = 8;

struct Range {
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
  bool holds(std::uintptr_t address) const { return address - begin < bytes; }
};

struct Race {
  Mark earlier, later;
};
struct ForeignAccess {
  Mark mark;
  const void* address;
};

std::string text_of(const Mark& mark) {
  const std::string kind = mark.kind == AccessKind::kAtomic  ? "atomic access"
                           : mark.kind == AccessKind::kWrite ? "write"
                                                             : "read";
  return kind + " by block " + std::to_string(mark.block) + " thread " + std::to_string(mark.thread) + " (" +
         source_line(mark.instruction) + ")";
}

class RaceCheck final : public Observer {
 public:
  RaceCheck() { set_observer(this); }

  void launch_begins() override {
    shadow_.clear();
    shared_.clear();
    races_.clear();
    foreign_.clear();
    known_.clear();
    traffic_ = Traffic();
  }
  void shared_memory(const void* begin, std::size_t bytes) override;
  std::vector<std::string> launch_ends() override;
  std::vector<Access> accesses() override { return shadow_.touched(); }
  Traffic traffic() override;
  void set_device_memory_check(AddressCheck check) override { is_device_memory_ = check; }

  void record(const Position& position, std::uintptr_t address, std::size_t bytes, const Mark& mark);

 private:
  void record_global(std::uintptr_t address, std::size_t bytes, const Mark& mark);
  /// Of each pair of instructions one fault is told, and not too many in all.
  bool is_news(const void* one, const void* other);

  Shadow shadow_;
  std::uint32_t shared_of_block_ = 0;
  std::vector<Range> shared_;
  std::vector<Race> races_;
  std::vector<ForeignAccess> foreign_;
  std::set<std::pair<const void*, const void*>> known_;
  Traffic traffic_;  // its distinct bytes are counted when asked for
  AddressCheck is_device_memory_ = nullptr;
};

// Made before main, so that the first launch is already observed.
RaceCheck race_check;

void RaceCheck::shared_memory(const void* begin, std::size_t bytes) {
  const Position* const now = position();
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  if (now != nullptr && now->block != shared_of_block_) {
    shared_of_block_ = now->block;
    shared_.clear();
  }
  shared_.push_back({address, bytes});
  shadow_.forget(address, bytes);
}

std::vector<std::string> RaceCheck::launch_ends() {
  std::vector<std::string> faults;
  for (const ForeignAccess& access : foreign_) {
    faults.push_back("host memory: " + text_of(access.mark) + " of what is not device memory");
  }
  for (const Race& race : races_) {
    faults.push_back("race: " + text_of(race.earlier) + " and " + text_of(race.later) + " are not ordered");
  }
  return faults;
}

Traffic RaceCheck::traffic() {
  Traffic result = traffic_;
  for (const Access& access : shadow_.touched())
    (access.write ? result.written_bytes : result.read_bytes) += access.bytes;
  return result;
}

bool RaceCheck::is_news(const void* one, const void* other) {
  return known_.size() < kReportedFaults && known_.insert({one, other}).second;
}

void RaceCheck::record(const Position& position, std::uintptr_t address, std::size_t bytes, const Mark& mark) {
  const bool is_shared = position.block == shared_of_block_ &&
                         std::any_of(shared_.begin(), shared_.end(), [&](Range range) { return range.holds(address); });
  if (!is_shared) record_global(address, bytes, mark);
  const std::optional<Mark> conflict = shadow_.access(address, bytes, mark, *position.clock);
  if (conflict && is_news(conflict->instruction, mark.instruction)) races_.push_back({*conflict, mark});
}

void RaceCheck::record_global(std::uintptr_t address, std::size_t bytes, const Mark& mark) {
  if (mark.kind != AccessKind::kWrite) {  // an atomic access loads and stores

    traffic_.load_bytes += bytes;
    shadow_.touch(address, bytes, false);
  }
  if (mark.kind != AccessKind::kRead) {
    traffic_.store_bytes += bytes;
    shadow_.touch(address, bytes, true);
  }
  const auto* const pointer = reinterpret_cast<const void*>(address);
  if (is_device_memory_ == nullptr || is_device_memory_(pointer, bytes)) return;
  if (is_news(mark.instruction, nullptr)) foreign_.push_back({mark, pointer});
}

bool within(const void* pointer, const void* begin, const void* end) {
  return std::less_equal<>()(begin, pointer) && std::less<>()(pointer, end);
}

}  // namespace

void record_access(const volatile void* begin, std::size_t bytes, AccessKind kind, const void* instruction) {
  const Position* const now = position();
  if (now == nullptr) return;
  const void* const pointer = const_cast<const void*>(begin);
  // A thread's own variables; constants, and threadIdx and its like.
  if (within(pointer, now->stack_begin, now->stack_end)) return;
  if (within(pointer, &__executable_start, &_end)) return;
  Mark mark;
  mark.instruction = instruction;
  mark.block = now->block;
  mark.barriers = now->barriers;
  mark.thread = static_cast<std::uint16_t>(now->thread);
  mark.clock = (*now->clock)[now->thread % kWarpSize];
  mark.kind = kind;
  race_check.record(*now, reinterpret_cast<std::uintptr_t>(pointer), bytes, mark);
}

}  // namespace xrai::emulation
