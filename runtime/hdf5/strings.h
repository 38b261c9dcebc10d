// Values of variable length, and strings of a data set or an attribute of fixed length too. Callers hold a LibraryLock.
#pragma once

#include <functional>

#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {

/// Fills memory with all values of a data set or an attribute, in the memory type it is given. Throws Error.
using ReadAll = std::function<void(hid_t type, void* out)>;

/// n strings of `object`, a data set or an attribute, whose type in the file is `stored`. Throws Error.
std::vector<std::string> read_all_strings(hid_t object, hid_t stored, std::uint64_t n, const Task& task,
                                          const ReadAll& read);

/// n sequences of `object`, whose parts have `unit` bytes and no variable length of their own: the bytes of each.
/// Throws Error.
std::vector<std::vector<std::uint8_t>> read_sequences(hid_t object, std::size_t unit, std::uint64_t n, const Task& task,
                                                      const ReadAll& read);

}  // namespace xrai::hdf5
