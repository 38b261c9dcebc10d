// Queues, and what makes them move. Internal to the fake.
#pragma once

#include <string>
#include <vector>

#include "state.h"

namespace xrai::fake {

/// The stream behind a handle: the default stream for null and cudaStreamLegacy; null for a dead handle (a finding).
CUstream_st* resolve(State& state, cudaStream_t handle);
/// Puts the operation at the end of the stream's queue, or into the graph that it is captured into.
void enqueue(State& state, CUstream_st& stream, Operation operation);
/// A mark that is reached when all that is queued now has run.
std::shared_ptr<Mark> mark_end(CUstream_st& stream);

void execute(State& state, Operation& operation);
/// Runs one operation of the stream and what it waits for. The queue must not be empty.
void advance(State& state, CUstream_st& stream);
void run_until_reached(State& state, const Mark& mark);
void run_until_empty(State& state, CUstream_st& stream);
void run_everything(State& state);
/// The host has learnt that all this is over.
void host_learns(State& state, const Clock& clock);
/// Tells the detector; a conflict becomes a finding.
void touch(State& state, const Span& span, const Operation& operation);
/// Watches host memory that is to be read, and spoils pinned memory that is to be written, as a host that looks too
/// early would see either.
void promise_host_memory(State& state, const std::vector<Span>& spans, const Stamp& stamp);

/// Connects the kernel emulation to the fake's memory.
void install_kernel_hooks();

/// cudaErrorStreamCaptureUnsupported where a capture forbids what would wait for the device or allocate; the capture
/// becomes invalid then.
cudaError_t refuse_while_capturing(State& state);
void add_node(CUstream_st& stream, Operation operation);

}  // namespace xrai::fake
