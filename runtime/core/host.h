// Facts about the machine this process runs on, for every device and for people: processor, cores it may use.
#pragma once

#include <cstdint>
#include <string>

namespace xrai {

/// OMP_NUM_THREADS if it is set, else the cores that affinity and the cgroup's CPU quota allow; at least 1.
int available_cores();

/// Bytes that the system, and the control group this process runs in, would still give; 0 where neither says.
std::uint64_t available_memory_bytes();

/// The most that this process had in memory at once so far.
std::uint64_t peak_resident_bytes();

/// Freed memory stays with the process from here on. Where blocks are made on one thread and freed on another by the
/// thousand, the allocator would return pages to the system and fault them in again: a seventh of the processor time
/// of importing small pictures. For programs of one job that ends soon.
void keep_freed_memory();

/// Model name of the processor, e.g. "Intel(R) Xeon(R) Processor".
std::string cpu_name();
/// Widest vector instructions our kernels can use on it: "AVX-512", "AVX2", "SSE2" or "portable code".
std::string cpu_features();

}  // namespace xrai
