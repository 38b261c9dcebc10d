#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

// A use of a stack frame after its return would be looked for on stacks of the sanitizer's own, which are not ours.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "detect_stack_use_after_return=0";
}
#endif

#if !defined(__x86_64__)
#error "the emulation switches stacks with x86-64 instructions"
#endif

// void xrai_switch_stack(void** save, void* load): pushes what a function must preserve, changes stacks, pops it there.
extern "C" void xrai_switch_stack(void** save, void* load);
asm(R"(
.text
.globl xrai_switch_stack
.type xrai_switch_stack, @function
xrai_switch_stack:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
.size xrai_switch_stack, . - xrai_switch_stack
)");

namespace xrai::emulation {
namespace {

constexpr std::size_t kStackBytes = 256 << 10;  // address space; only touched pages are memory
constexpr std::size_t kGuardBytes = 4096;
constexpr int kPreservedRegisters = 6;

#if defined(__SANITIZE_ADDRESS__)
// Where the stack outside of the fibers lies, told by the sanitizer at each arrival in a fiber.
const void* outside_begin = nullptr;
std::size_t outside_bytes = 0;
#endif

void (*body_to_start)() = nullptr;

void first_function() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &outside_begin, &outside_bytes);
#endif
  body_to_start();
  __builtin_trap();
}

}  // namespace

Fiber::Fiber() {
  void* const memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuardBytes, PROT_NONE);
  stack_ = static_cast<char*>(memory) + kGuardBytes;
}

Fiber::~Fiber() {
  munmap(stack_ - kGuardBytes, kGuardBytes + kStackBytes);
}

const char* Fiber::stack_end() const {
  return stack_ + kStackBytes;
}

void Fiber::start(void (*body)()) {
#if defined(__SANITIZE_ADDRESS__)
  // An abandoned body has left red zones behind.
  if (here_ != nullptr) ASAN_UNPOISON_MEMORY_REGION(here_, stack_end() - static_cast<char*>(here_));
#endif
  body_to_start = body;
  // A function finds its return address at a stack pointer that is 8 below a multiple of 16.
  void** top = reinterpret_cast<void**>(stack_ + kStackBytes);
  *--top = nullptr;  // the return address of first_function, which has none
  *--top = reinterpret_cast<void*>(&first_function);
  for (int i = 0; i < kPreservedRegisters; ++i) *--top = nullptr;
  here_ = top;
}

void Fiber::resume() {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_, kStackBytes);
#endif
  xrai_switch_stack(&caller_, here_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::suspend() {
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, outside_begin, outside_bytes);
#endif
  xrai_switch_stack(&here_, caller_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, &outside_begin, &outside_bytes);
#endif
}

}  // namespace xrai::emulation
