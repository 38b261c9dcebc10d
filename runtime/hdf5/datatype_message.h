// Descriptions of types as files hold them, checked before the library reads them: it copies names, values and
// dimensions by the numbers that it finds there, past the end of the message where those are wrong (HDF5 1.10).
#pragma once

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// Reads a datatype message (HDF5 File Format Specification 3.0, IV.A.2.d) and what it is made of, and gives back the
/// bytes of a value. Throws Damaged where it ends too early, where a part lies outside the whole, or where sizes
/// disagree; NotUnderstood for classes and versions of later libraries.
std::uint64_t check_datatype(Fields& message);

}  // namespace xrai::hdf5
