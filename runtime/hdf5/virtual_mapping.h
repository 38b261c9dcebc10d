// What a virtual data set is made of: parts of other data sets, listed in an object of the file's global heap. The
// library decodes the list when the data set is opened, and trusts its lengths (HDF5 1.10).
#pragma once

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// Looks at the list in a heap object, for a data set of that shape: every name ends, every selection is one of blocks
/// within the shape, the checksum is right. Throws Damaged, or NotUnderstood for lists that grow with their sources.
void check_virtual_mapping(const FileBytes& file, std::uint64_t heap, std::uint64_t index,
                           std::span<const std::uint64_t> shape);

}  // namespace xrai::hdf5
