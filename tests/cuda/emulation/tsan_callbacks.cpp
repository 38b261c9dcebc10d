// The functions that the compiler calls from code built with -fsanitize=thread, here for the race checker instead of
// the thread sanitizer's own run time. Their names and types are the compiler's; each stands in front of its access,
// except for the atomic ones, which are the access.
#include <cstddef>
#include <cstdint>

#include "race_check.h"

using xrai::emulation::AccessKind;
using xrai::emulation::record_access;

// Defined without having been declared, and kept from any attempt to check these functions themselves.
#pragma GCC diagnostic ignored "-Wmissing-declarations"
#define XRAI_CALLER __builtin_return_address(0)
#define XRAI_PLAIN(name, bytes, kind)               \
  extern "C" void __tsan_##name(void* begin) {      \
    record_access(begin, bytes, kind, XRAI_CALLER); \
  }

XRAI_PLAIN(read1, 1, AccessKind::kRead)
XRAI_PLAIN(read2, 2, AccessKind::kRead)
XRAI_PLAIN(read4, 4, AccessKind::kRead)
XRAI_PLAIN(read8, 8, AccessKind::kRead)
XRAI_PLAIN(read16, 16, AccessKind::kRead)
XRAI_PLAIN(write1, 1, AccessKind::kWrite)
XRAI_PLAIN(write2, 2, AccessKind::kWrite)
XRAI_PLAIN(write4, 4, AccessKind::kWrite)
XRAI_PLAIN(write8, 8, AccessKind::kWrite)
XRAI_PLAIN(write16, 16, AccessKind::kWrite)
XRAI_PLAIN(unaligned_read2, 2, AccessKind::kRead)
XRAI_PLAIN(unaligned_read4, 4, AccessKind::kRead)
XRAI_PLAIN(unaligned_read8, 8, AccessKind::kRead)
XRAI_PLAIN(unaligned_read16, 16, AccessKind::kRead)
XRAI_PLAIN(unaligned_write2, 2, AccessKind::kWrite)
XRAI_PLAIN(unaligned_write4, 4, AccessKind::kWrite)
XRAI_PLAIN(unaligned_write8, 8, AccessKind::kWrite)
XRAI_PLAIN(unaligned_write16, 16, AccessKind::kWrite)

extern "C" {

void __tsan_read_range(void* begin, std::size_t bytes) {
  record_access(begin, bytes, AccessKind::kRead, XRAI_CALLER);
}
void __tsan_write_range(void* begin, std::size_t bytes) {
  record_access(begin, bytes, AccessKind::kWrite, XRAI_CALLER);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"

// Fibers never run at the same time, so plain operations are atomic enough.
#define XRAI_FETCH(bits, name, expression)                                                          \
  extern "C" std::uint##bits##_t __tsan_atomic##bits##_##name(volatile std::uint##bits##_t* target, \
                                                              std::uint##bits##_t value, int) {     \
    record_access(target, bits / 8, AccessKind::kAtomic, XRAI_CALLER);                              \
    const std::uint##bits##_t before = *target;                                                     \
    *target = static_cast<std::uint##bits##_t>(expression);                                         \
    return before;                                                                                  \
  }
#define XRAI_COMPARE_EXCHANGE(bits, name)                                                                           \
  extern "C" bool __tsan_atomic##bits##_##name(volatile std::uint##bits##_t* target, std::uint##bits##_t* expected, \
                                               std::uint##bits##_t value, int, int) {                               \
    record_access(target, bits / 8, AccessKind::kAtomic, XRAI_CALLER);                                              \
    const std::uint##bits##_t before = *target;                                                                     \
    const bool equal = before == *expected;                                                                         \
    if (equal) *target = value;                                                                                     \
    *expected = before;                                                                                             \
    return equal;                                                                                                   \
  }
#define XRAI_ATOMIC(bits)                                                                                             \
  extern "C" std::uint##bits##_t __tsan_atomic##bits##_load(const volatile std::uint##bits##_t* source, int) {        \
    record_access(source, bits / 8, AccessKind::kAtomic, XRAI_CALLER);                                                \
    return *source;                                                                                                   \
  }                                                                                                                   \
  extern "C" void __tsan_atomic##bits##_store(volatile std::uint##bits##_t* target, std::uint##bits##_t value, int) { \
    record_access(target, bits / 8, AccessKind::kAtomic, XRAI_CALLER);                                                \
    *target = value;                                                                                                  \
  }                                                                                                                   \
  XRAI_FETCH(bits, exchange, value)                                                                                   \
  XRAI_FETCH(bits, fetch_add, before + value)                                                                         \
  XRAI_FETCH(bits, fetch_sub, before - value)                                                                         \
  XRAI_FETCH(bits, fetch_and, before& value)                                                                          \
  XRAI_FETCH(bits, fetch_or, before | value)                                                                          \
  XRAI_FETCH(bits, fetch_xor, before ^ value)                                                                         \
  XRAI_COMPARE_EXCHANGE(bits, compare_exchange_strong)                                                                \
  XRAI_COMPARE_EXCHANGE(bits, compare_exchange_weak)

XRAI_ATOMIC(8)
XRAI_ATOMIC(16)
XRAI_ATOMIC(32)
XRAI_ATOMIC(64)
