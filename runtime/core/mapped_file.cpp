// The mapping, and the way back out of a copy whose bytes are gone.
#include "runtime/core/mapped_file.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <atomic>
#include <cstring>
#include <mutex>

namespace xrai {
namespace {

// Where this thread's copy goes back to; null: it is not copying. Volatile: the compiler sees nobody who reads it
// between its two stores.
thread_local sigjmp_buf* volatile way_back = nullptr;

extern "C" void leave_copy(int, siginfo_t*, void* context) {
  if (way_back != nullptr) {
    // The jump does not end the handler: what is blocked meanwhile would stay so, and the next such signal would end
    // the process.
    ::pthread_sigmask(SIG_SETMASK, &static_cast<const ucontext_t*>(context)->uc_sigmask, nullptr);
    siglongjmp(*way_back, 1);
  }
  ::signal(SIGBUS, SIG_DFL);  // not ours: what happens without us
  ::raise(SIGBUS);
}

void install_handler() {
  struct sigaction action {};
  action.sa_sigaction = leave_copy;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

MappedFile::MappedFile(int descriptor, std::uint64_t n_bytes) : n_bytes_(n_bytes) {
  static std::once_flag installed;
  std::call_once(installed, install_handler);
  void* const address = ::mmap(nullptr, n_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address != MAP_FAILED) bytes_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (bytes_ != nullptr) ::munmap(const_cast<std::byte*>(bytes_), n_bytes_);
}

bool MappedFile::copy(std::uint64_t offset, std::size_t n_bytes, std::byte* out) const {
  if (bytes_ == nullptr || offset > n_bytes_ || n_bytes > n_bytes_ - offset) return false;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) {
    way_back = nullptr;
    return false;
  }
  way_back = &here;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the copy stays between the stores
  std::memcpy(out, bytes_ + offset, n_bytes);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  way_back = nullptr;
  return true;
}

}  // namespace xrai
