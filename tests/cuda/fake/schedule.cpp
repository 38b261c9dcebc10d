// When queued operations run: the four policies, and the order that marks and the default stream impose on them.
#include "schedule.h"

#include <utility>

namespace xrai::fake {
namespace {

std::vector<CUstream_st*> all_streams(State& all) {
  std::vector<CUstream_st*> streams{&all.default_stream};
  all.streams.each([&](CUstream_st& stream) { streams.push_back(&stream); });
  return streams;
}

bool runnable(const CUstream_st& stream) {
  if (stream.queue.empty()) return false;
  const auto& waits = stream.queue.front().waits;
  return std::all_of(waits.begin(), waits.end(), [](const auto& mark) { return mark->reached; });
}

void run_front(State& all, CUstream_st& stream) {
  Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  execute(all, operation);
}

void run_others(State& all, const CUstream_st& awaited) {
  for (bool progress = true; progress;) {
    progress = false;
    for (CUstream_st* stream : all_streams(all)) {
      if (stream == &awaited || !runnable(*stream)) continue;
      run_front(all, *stream);
      progress = true;
    }
  }
}

void run_any(State& all) {
  auto streams = all_streams(all);
  std::erase_if(streams, [](const CUstream_st* stream) { return !runnable(*stream); });
  run_front(all, *streams[all.random() % streams.size()]);
}

template <class Condition>
void progress_until(State& all, CUstream_st& stream, Condition done) {
  if (done()) return;
  if (all.settings.policy.order == Policy::kOthersFirst) run_others(all, stream);
  while (!done()) {
    if (all.settings.policy.order == Policy::kRandom)
      run_any(all);
    else
      advance(all, stream);
  }
}

// The legacy default stream and all blocking streams wait for each other.
void order_with_default_stream(State& all, CUstream_st& stream, Operation& operation) {
  const auto follow = [&](CUstream_st& earlier) {
    join(stream.clock, earlier.clock);
    if (!earlier.queue.empty()) operation.waits.push_back(mark_end(earlier));
  };
  if (&stream == &all.default_stream) {
    all.streams.each([&](CUstream_st& other) {
      if (other.blocking) follow(other);
    });
  } else if (stream.blocking) {
    follow(all.default_stream);
  }
}

}  // namespace

CUstream_st* resolve(State& all, cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &all.default_stream;
  if (handle == cudaStreamPerThread) {
    find_fault(Fault::kMisuse, "cudaStreamPerThread was used, which the fake runtime does not have.");
    return nullptr;
  }
  if (all.streams.alive(handle)) return handle;
  find_fault(Fault::kInvalidHandle, "A call was given a stream that is not alive.");
  return nullptr;
}

std::shared_ptr<Mark> mark_end(CUstream_st& stream) {
  if (stream.queue.empty() || stream.queue.back().reaches == nullptr) {
    Operation bare;
    bare.reaches = std::make_shared<Mark>();
    bare.reaches->stream = &stream;
    bare.reaches->clock = stream.clock;
    stream.queue.push_back(std::move(bare));
  }
  return stream.queue.back().reaches;
}

void enqueue(State& all, CUstream_st& stream, Operation operation) {
  if (stream.capture != nullptr) return add_node(stream, std::move(operation));
  join(stream.clock, all.host);
  order_with_default_stream(all, stream, operation);
  const auto lane = static_cast<std::size_t>(stream.lane);
  if (stream.clock.size() <= lane) stream.clock.resize(lane + 1);
  stream.clock[lane] = ++all.lane_ticks[lane];
  auto who = std::make_shared<const std::string>("'" + operation.name + "' on " + stream.label);
  operation.stamp = {stream.lane, stream.clock[lane], std::move(who)};
  operation.clock = stream.clock;
  if (operation.reaches != nullptr) {
    operation.reaches->stream = &stream;
    operation.reaches->clock = stream.clock;
  }
  promise_host_memory(all, operation.spans, operation.stamp);
  stream.queue.push_back(std::move(operation));
  if (all.settings.policy.order == Policy::kEager) {
    while (!stream.queue.empty()) advance(all, stream);
  }
}

void advance(State& all, CUstream_st& stream) {
  const auto waits = stream.queue.front().waits;
  for (const auto& mark : waits) run_until_reached(all, *mark);
  // Reaching a mark may have run this stream's front as well, under kRandom.
  if (runnable(stream)) run_front(all, stream);
}

void run_until_reached(State& all, const Mark& mark) {
  if (!mark.reached) progress_until(all, *mark.stream, [&] { return mark.reached; });
}

void run_until_empty(State& all, CUstream_st& stream) {
  progress_until(all, stream, [&] { return stream.queue.empty(); });
}

void run_everything(State& all) {
  for (CUstream_st* stream : all_streams(all)) run_until_empty(all, *stream);
}

void host_learns(State& all, const Clock& clock) {
  join(all.host, clock);
  for (const auto& change : all.host_reads.settle(all.host))
    find_fault(Fault::kHostRace, "The host changed what " + *change.reader.who +
                                     " reads, before it could know that the operation was over.");
}

}  // namespace xrai::fake
