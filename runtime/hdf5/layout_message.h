// Where a chunked data set keeps its index of chunks: the "data layout" message of its object header (HDF5 File Format
// Specification 3.0, IV.A.1 and IV.A.2.i). The library reads it too, but gives nobody the address.
#pragma once

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

enum class IndexKind { kBTree1, kSingle, kImplicit, kFixedArray, kExtensibleArray, kBTree2 };

struct LayoutMessage {
  IndexKind kind = IndexKind::kBTree1;
  std::uint64_t address = kNowhere;  // of the index (kSingle, kImplicit: of the first chunk); kNowhere: no chunks yet
  std::uint64_t single_bytes = 0;    // kSingle with filters: bytes stored
  std::uint32_t single_skipped = 0;  // kSingle with filters: those that were not applied, one bit each
};

/// Reads the header at `address`. Throws Damaged, or NotUnderstood for versions that are not known here.
LayoutMessage read_layout_message(const FileBytes& file, std::uint64_t address);

}  // namespace xrai::hdf5
