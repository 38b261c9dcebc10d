// Memory of the host for bytes that will be overwritten as a whole.
#pragma once

#include <cstddef>
#include <memory>

namespace xrai {

inline constexpr std::size_t kLeastInHugePages = std::size_t{4} << 20;

/// Not cleared. From kLeastInHugePages on the system is asked for pages of 2 MB: touching 100 MB for the first time
/// takes 9 ms of a processor with them and 42 ms with pages of 4 kB (measured). Throws std::bad_alloc.
std::shared_ptr<std::byte[]> uninitialised_memory(std::size_t n_bytes);

}  // namespace xrai
