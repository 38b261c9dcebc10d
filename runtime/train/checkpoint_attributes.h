// What a checkpoint file says in attributes: facts and the state of training, to and from HDF5. Only checkpoint.cpp
// includes this; docs/data-format.md lists the names.
#pragma once

#include <map>
#include <string>

#include "runtime/hdf5/file.h"
#include "runtime/train/checkpoint.h"

namespace xrai {

using Attributes = std::map<std::string, hdf5::Attribute>;

/// All but the version and the checksum. What is absent (a temperature that nobody fitted) has no attribute.
Attributes attributes_of(const CheckpointFacts& facts, const TrainingState& state);

/// Fills in the facts and the state that stand in attributes. Throws Error(kBadData) for one that is missing.
void read_attributes(const hdf5::File& file, Checkpoint& checkpoint);

/// The attribute `name` of the file. Throws Error(kBadData) when it is missing or of another type.
std::string needed_text(const hdf5::File& file, const std::string& name);

/// Attributes as text, for the checksum: doubles by their bits.
std::string attributes_text(const Attributes& attributes);

}  // namespace xrai
