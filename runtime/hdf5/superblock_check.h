// Whether the start of a file can be given to the library. While it opens one it makes room for as much as the old
// superblocks (versions 0 and 1, without checksum) say of their driver information, up to 4 GB, and as the root group's
// header says of itself and of its pieces, up to any size, before it looks whether the file has that much; and it reads
// the messages of a newer superblock's extension.
#pragma once

namespace xrai::hdf5 {

/// Throws Damaged when an old superblock names driver information that is not in the file, the root group's header goes
/// on outside it, or a message of the superblock's extension is not as it must be; NotUnderstood for what the library
/// would take in place of what the file says, or for addresses that are not of 64 bits. Says nothing of files without a
/// superblock, newer ones, and ones that are cut off: the library says so.
void require_sound_superblock(int descriptor);

}  // namespace xrai::hdf5
