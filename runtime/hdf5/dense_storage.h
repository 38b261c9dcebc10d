// What a group or an object has many of lies not in its header but in "dense storage": links, or attributes, in a
// fractal heap, and trees in which they are found by name and by when they were made (HDF5 File Format
// Specification 3.0, IV.A.2.c and IV.A.2.v).
#pragma once

#include <functional>

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// Is given a message as it would stand in the header. Throws Damaged or NotUnderstood.
using CheckMessage = std::function<void(Fields message)>;

/// Looks at all that a link info message leads to: heap, trees, and each link by `check`. Throws Damaged, or
/// NotUnderstood for what is compressed or shared.
void check_link_info(const FileBytes& file, Fields message, const CheckMessage& check);
/// The same for an attribute info message.
void check_attribute_info(const FileBytes& file, Fields message, const CheckMessage& check);

}  // namespace xrai::hdf5
