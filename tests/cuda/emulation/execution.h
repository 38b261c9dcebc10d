// What the words of the device language (device_language.h) ask of the scheduler. Called by the CUDA thread that is
// running; nothing here is for tests.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string>

// Of the running thread. As in CUDA they belong to no namespace.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace xrai::emulation {

/// Meets all threads of the block. Returns in how many of them the predicate holds.
unsigned meet_block(bool predicate, std::source_location where);

enum class WarpOperation : std::uint8_t { kSynchronise, kBallot, kShuffle, kShuffleUp, kShuffleDown, kShuffleXor };
/// What one lane brings to a meeting of the lanes in `mask`.
struct WarpCall {
  WarpOperation operation;
  unsigned mask;
  std::uint64_t value;  // bits of what is exchanged; of a ballot, the predicate
  int argument;         // source lane, distance or lane mask
  int width;            // lanes of a segment: a power of two up to 32
  std::source_location where;
};
/// Meets the lanes of the mask. Returns the bits that this lane receives: NaN of a lane outside the mask, where CUDA
/// leaves the value undefined.
std::uint64_t meet_warp(const WarpCall& call);

/// The running block's array of the declaration `site`, made of NaN when the block first asks for it.
void* static_shared(const void* site, std::size_t bytes);
void* dynamic_shared();

/// Around the kernel itself: what is outside of it (copying the arguments) is the host's work and not checked.
class InsideKernel {
 public:
  InsideKernel();
  ~InsideKernel();
  InsideKernel(const InsideKernel&) = delete;
  InsideKernel& operator=(const InsideKernel&) = delete;
};

/// A function's name from the symbol table of its program, with its template arguments and without its parameters.
std::string kernel_name(const void* kernel);
/// The CUDA runtime's words for an error where a runtime is linked, else its number.
std::string error_text(cudaError_t error);

}  // namespace xrai::emulation
