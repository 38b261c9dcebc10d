// Whether the start of a file can be given to the library. It makes room for as much as the old superblocks (versions 0
// and 1, without checksum) say of their driver information, up to 4 GB, and as the first object headers say of
// themselves, up to any size, before it looks whether the file has that much.
#pragma once

namespace xrai::hdf5 {

/// Throws Damaged when an old superblock names driver information that is not in the file, or the first object headers
/// (the root group's, and the superblock's extension) are longer than any is. Says nothing of files
/// without a superblock: the library says that they are none.
void require_sound_superblock(int descriptor);

}  // namespace xrai::hdf5
