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

/// Whether values of that type are of variable length, or a part of them is.
bool is_variable(hid_t type, const Task& task);

/// Throws Error where the library cannot be given n values of `object` of that type to copy: it takes from the heap
/// what it finds there, as much as that says. Values without variable length are not looked at.
void require_sound_variable(hid_t object, hid_t stored, std::uint64_t n, const Task& task, const ReadAll& read);

/// The bytes of one value of variable length of `object`. `read` fills in its reference.
std::vector<std::uint8_t> read_variable_bytes(hid_t object, const Task& task, const ReadAll& read);

}  // namespace xrai::hdf5
