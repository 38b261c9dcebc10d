// Groups of the older kind keep the names of their members in a "local heap" and the members in a tree (HDF5 File
// Format Specification 3.0, III.A.1, III.B to III.D), without checksums. The library follows offsets into the heap
// unseen.
#pragma once

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// Looks at all of a group, by its symbol table message (IV.A.2.r): every name ends within the heap, the tree goes down
/// only, nothing lies past the file's end. Throws Damaged.
void check_symbol_table(const FileBytes& file, Fields message);

/// The same for the list of files in which a data set keeps its values (IV.A.2.h).
void check_external_files(const FileBytes& file, Fields message);

/// The same for a member in a message of its own (IV.A.2.g).
void check_link(Fields message);

}  // namespace xrai::hdf5
