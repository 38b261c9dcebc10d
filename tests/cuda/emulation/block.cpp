#include "block.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace xrai::emulation {
namespace {

constexpr std::size_t kSharedLimit = 48 << 10;  // what every GPU grants a block without being asked

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

uint3 unflatten(std::uint32_t number, dim3 extent) {
  return {number % extent.x, number / extent.x % extent.y, number / extent.x / extent.y};
}

std::string text_of(uint3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

}  // namespace

std::string place_text(std::source_location where) {
  const std::string file = where.file_name();
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line());
}

const std::vector<std::uint32_t>& Sequence::of(std::size_t n) {
  const bool fresh = numbers_.size() != n;
  if (fresh) {
    numbers_.resize(n);
    std::iota(numbers_.begin(), numbers_.end(), 0u);
    if (order_ == Order::kReverse) std::reverse(numbers_.begin(), numbers_.end());
  }
  if (order_ == Order::kRandom) std::shuffle(numbers_.begin(), numbers_.end(), generator_);
  return numbers_;
}

Fiber* FiberPool::take() {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Fiber>());
    return all_.back().get();
  }
  Fiber* const fiber = free_.back();
  free_.pop_back();
  return fiber;
}

Block*& current_block() {
  static Block* block = nullptr;
  return block;
}

Block::Block(const Launch& launch, std::uint32_t number, FiberPool& fibers)
    : launch_(launch),
      index_(unflatten(number, launch.grid)),
      fibers_(fibers),
      threads_(std::size_t{launch.block.x} * launch.block.y * launch.block.z),
      shared_bytes_(launch.shared_bytes) {
  position_.block = number;
  blockIdx = index_;
  if (observer() == nullptr) return;
  clocks_.resize(threads_.size());
  for (std::size_t t = 0; t < clocks_.size(); ++t) clocks_[t][t % kWarpSize] = 1;
}

Block::~Block() {
  for (Thread& thread : threads_) {
    if (thread.fiber != nullptr) fibers_.give_back(thread.fiber);
  }
}

void Block::run(Sequence& order) {
  while (exited_ < threads_.size()) {
    bool progress = false;
    for (const std::uint32_t thread : order.of(threads_.size())) {
      if (threads_[thread].state != State::kReady) continue;
      progress = true;
      resume(thread);
    }
    if (!progress) release_barrier();
  }
}

void Block::thread_main() {
  Block& block = *current_block();
  block.launch_.thread();
  block.threads_[block.running_].state = State::kExited;
  block.wait();
}

void Block::resume(std::uint32_t number) {
  Thread& thread = threads_[number];
  if (thread.fiber == nullptr) {
    thread.fiber = fibers_.take();
    thread.fiber->start(&Block::thread_main);
  }
  running_ = number;
  threadIdx = unflatten(number, launch_.block);
  position_.thread = number;
  position_.clock = clocks_.empty() ? nullptr : &clocks_[number];
  position_.stack_begin = thread.fiber->stack_begin();
  position_.stack_end = thread.fiber->stack_end();
  thread.fiber->resume();
  if (!fault_.empty()) throw_fault(number, fault_);
  if (thread.state != State::kExited) return;
  ++exited_;
  fibers_.give_back(thread.fiber);
  thread.fiber = nullptr;
}

void Block::wait() {
  threads_[running_].fiber->suspend();
}

unsigned Block::meet_block(bool predicate, std::source_location where) {
  Thread& thread = threads_[running_];
  thread.state = State::kAtBarrier;
  thread.predicate = predicate;
  thread.where = where;
  wait();
  return static_cast<unsigned>(thread.result);
}

/// No thread can go on: either all wait at one barrier, or the kernel is wrong.
void Block::release_barrier() {
  std::size_t waiting = 0, predicates = 0;
  for (std::uint32_t t = 0; t < threads_.size(); ++t) {
    if (threads_[t].state == State::kInWarpCall) throw_fault(t, why_warp_call_waits(t));
    if (threads_[t].state != State::kAtBarrier) continue;
    ++waiting;
    predicates += threads_[t].predicate;
  }
  check_barrier(waiting);
  for (Thread& thread : threads_) {
    thread.state = State::kReady;
    thread.result = predicates;
  }
  ++position_.barriers;
}

void Block::check_barrier(std::size_t waiting) {
  const auto at_barrier = [](const Thread& thread) { return thread.state == State::kAtBarrier; };
  const auto first = std::find_if(threads_.begin(), threads_.end(), at_barrier);
  if (exited_ > 0) {
    throw_fault(static_cast<std::uint32_t>(first - threads_.begin()),
                place_text(first->where) + ": __syncthreads: " + std::to_string(exited_) + " threads have exited, " +
                    std::to_string(waiting) + " wait");
  }
  for (std::uint32_t t = 0; t < threads_.size(); ++t) {
    if (same_place(threads_[t].where, first->where)) continue;
    throw_fault(t, "__syncthreads: thread 0 waits at " + place_text(first->where) + ", thread " + std::to_string(t) +
                       " at " + place_text(threads_[t].where) + "; all must wait at the same call");
  }
}

void* Block::static_shared(const void* site, std::size_t bytes) {
  std::unique_ptr<char[]>& array = static_shared_[site];
  if (!array) {
    shared_bytes_ += bytes;
    array = new_shared(bytes);
  }
  return array.get();
}

void* Block::dynamic_shared() {
  if (!dynamic_shared_) dynamic_shared_ = new_shared(launch_.shared_bytes);
  return dynamic_shared_.get();
}

std::unique_ptr<char[]> Block::new_shared(std::size_t bytes) {
  if (shared_bytes_ > kSharedLimit) {
    fault("static and dynamic shared memory together take " + std::to_string(shared_bytes_) +
          " bytes; more than 49152 must be asked for, which launch() does not");
  }
  std::unique_ptr<char[]> array(new char[bytes]);
  std::memset(array.get(), 0xFF, bytes);  // NaN as float, half and bfloat16
  if (observer() != nullptr) observer()->shared_memory(array.get(), bytes);
  return array;
}

void Block::set_inside_kernel(bool inside) {
  threads_[running_].inside_kernel = inside;
}

// Takes the sentence over: what this fiber's stack still owned would never be freed.
void Block::fault(std::string&& what) {
  fault_ = std::move(what);
  wait();
  __builtin_unreachable();  // the scheduler throws and never resumes this fiber
}

void Block::throw_fault(std::uint32_t thread, const std::string& what) const {
  throw KernelFault("kernel " + launch_.kernel + ", block " + text_of(index_) + ", thread " +
                    text_of(unflatten(thread, launch_.block)) + ": " + what);
}

}  // namespace xrai::emulation
