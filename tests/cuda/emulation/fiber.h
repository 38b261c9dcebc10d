// One CUDA thread's own stack on the host, and switching to it and back: some ten nanoseconds, against some two hundred
// for ucontext, which asks the kernel for its signal mask each time. Written for x86-64.
#pragma once

#include <cstddef>

namespace xrai::emulation {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next resume() starts `body` on an empty stack; what was there before is forgotten, not unwound. The body must
  /// not return and not throw: it ends by a suspend() that nobody resumes.
  void start(void (*body)());
  /// Called from outside: runs the body until it suspends.
  void resume();
  /// Called by the body: back to whoever called resume().
  void suspend();

  const char* stack_begin() const { return stack_; }
  const char* stack_end() const;

 private:
  char* stack_;
  void* here_ = nullptr;    // stack pointer of the suspended body
  void* caller_ = nullptr;  // stack pointer of the suspended resume()
};

}  // namespace xrai::emulation
