// Whether the header of an object can be given to the library. Headers of version 1 have no checksum, those of version
// 2 one that whoever means harm computes anew, and the library (HDF5 1.10) trusts many of their numbers; so whatever of
// a file is opened is looked at here first.
#pragma once

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// Checks types (those of attributes and committed ones, too), shapes, fill values, filters, layouts, members and
/// attributes (in the header or in dense storage) of the object at `address`: each within its message, and in agreement
/// with the others. Throws Damaged or NotUnderstood.
void require_sound_header(const FileBytes& file, std::uint64_t address);

}  // namespace xrai::hdf5
