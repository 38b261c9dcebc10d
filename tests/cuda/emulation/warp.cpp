// The part of Block that is about warps: shuffles, ballots and __syncwarp among the lanes that a mask names.
#include <algorithm>
#include <bit>
#include <cstdio>

#include "block.h"

namespace xrai::emulation {
namespace {

constexpr std::uint64_t kNan = 0xFFF7A5A5'FFC0A5A5;  // as a double and, in its lower half, as a float

bool names(unsigned mask, std::uint32_t lane) {
  return (mask >> lane & 1u) != 0;
}

std::string text_of_mask(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

std::string text_of(const WarpCall& call) {
  return place_text(call.where) + ": warp operation: mask " + text_of_mask(call.mask);
}

bool meets(const WarpCall& a, const WarpCall& b) {
  return a.mask == b.mask && a.operation == b.operation && a.where.line() == b.where.line() &&
         a.where.column() == b.where.column();
}

/// The lane that `lane` reads from; its own where the other one is outside of its segment.
std::uint32_t source_lane(const WarpCall& call, std::uint32_t lane) {
  const int own = static_cast<int>(lane);
  const int begin = own & ~(call.width - 1), end = begin + call.width;
  int source = own;
  switch (call.operation) {
    case WarpOperation::kShuffle:
      source = begin + (call.argument & (call.width - 1));
      break;
    case WarpOperation::kShuffleUp:
      source = own - call.argument;
      break;
    case WarpOperation::kShuffleDown:
      source = own + call.argument;
      break;
    case WarpOperation::kShuffleXor:
      source = own ^ call.argument;
      break;
    default:
      break;
  }
  // An exclusive-or may reach down into an earlier segment, as on the device.
  const bool below = source < begin && call.operation != WarpOperation::kShuffleXor;
  return static_cast<std::uint32_t>(below || source < 0 || source >= end ? own : source);
}

}  // namespace

std::uint64_t Block::meet_warp(const WarpCall& call) {
  check_warp_call(call);
  Thread& thread = threads_[running_];
  thread.state = State::kInWarpCall;
  thread.where = call.where;
  thread.call = call;
  if (warp_call_is_complete(running_)) {
    finish_warp_call(running_);
  } else {
    wait();
  }
  return thread.result;
}

void Block::check_warp_call(const WarpCall& call) {
  const std::uint32_t lane = running_ % kWarpSize;
  if (!names(call.mask, lane)) fault(text_of(call) + " does not name the calling lane " + std::to_string(lane));
  if (!std::has_single_bit(static_cast<unsigned>(call.width)) || call.width > static_cast<int>(kWarpSize)) {
    fault(text_of(call) + ": the width " + std::to_string(call.width) + " is not a power of two up to 32");
  }
}

bool Block::warp_call_is_complete(std::uint32_t thread) const {
  const WarpCall& call = threads_[thread].call;
  const Thread* const warp = &threads_[thread - thread % kWarpSize];
  for (std::uint32_t lane = 0; lane < kWarpSize; ++lane) {
    if (!names(call.mask, lane)) continue;
    if (warp[lane].state != State::kInWarpCall || !meets(warp[lane].call, call)) return false;
  }
  return true;
}

void Block::finish_warp_call(std::uint32_t thread) {
  const std::uint32_t first_thread = thread - thread % kWarpSize;
  const unsigned mask = threads_[thread].call.mask;
  Thread* const warp = &threads_[first_thread];
  for (std::uint32_t lane = 0; lane < kWarpSize; ++lane) {
    if (names(mask, lane)) warp[lane].result = received_by(lane, warp);
  }
  // Shuffles and ballots exchange values but do not order memory.
  const bool orders_memory = threads_[thread].call.operation == WarpOperation::kSynchronise;
  if (orders_memory && !clocks_.empty()) join_clocks(mask, first_thread);
  for (std::uint32_t lane = 0; lane < kWarpSize; ++lane) {
    if (names(mask, lane)) warp[lane].state = State::kReady;
  }
}

std::uint64_t Block::received_by(std::uint32_t lane, const Thread* warp) const {
  const WarpCall& call = warp[lane].call;
  if (call.operation == WarpOperation::kSynchronise) return 0;
  if (call.operation == WarpOperation::kBallot) {
    std::uint64_t ballot = 0;
    for (std::uint32_t other = 0; other < kWarpSize; ++other) {
      if (names(call.mask, other) && warp[other].call.value != 0) ballot |= std::uint64_t{1} << other;
    }
    return ballot;
  }
  const std::uint32_t source = source_lane(call, lane);
  return names(call.mask, source) ? warp[source].call.value : kNan;
}

void Block::join_clocks(unsigned mask, std::uint32_t first_thread) {
  WarpClock joined{};
  for (std::uint32_t lane = 0; lane < kWarpSize; ++lane) {
    if (!names(mask, lane)) continue;
    const WarpClock& clock = clocks_[first_thread + lane];
    for (std::uint32_t i = 0; i < kWarpSize; ++i) joined[i] = std::max(joined[i], clock[i]);
  }
  for (std::uint32_t lane = 0; lane < kWarpSize; ++lane) {
    if (!names(mask, lane)) continue;
    clocks_[first_thread + lane] = joined;
    ++clocks_[first_thread + lane][lane];
  }
}

/// The first lane of the mask that does not meet the waiting thread, and what it does instead.
std::string Block::why_warp_call_waits(std::uint32_t thread) const {
  const WarpCall& call = threads_[thread].call;
  const Thread* const warp = &threads_[thread - thread % kWarpSize];
  const std::string place = text_of(call) + " names lane ";
  for (std::uint32_t lane = 0; lane < kWarpSize; ++lane) {
    if (!names(call.mask, lane)) continue;
    const Thread& other = warp[lane];
    if (other.state == State::kExited) return place + std::to_string(lane) + ", which has exited";
    if (other.state == State::kAtBarrier) {
      return place + std::to_string(lane) + ", which waits at the __syncthreads of " + place_text(other.where);
    }
    if (!meets(other.call, call)) {
      return place + std::to_string(lane) + ", which waits at " + place_text(other.where) + " with the mask " +
             text_of_mask(other.call.mask);
    }
  }
  return place + "s that never meet";
}

}  // namespace xrai::emulation
