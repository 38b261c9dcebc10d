// The LZF filter of h5py, which the HDF5 library does not have, for what is read through the library: labels, mostly.
// Pictures are inflated outside it (chunk_filters.h).
#pragma once

namespace xrai::hdf5 {

/// To be called under the LibraryLock. A filter of that number that is there already is replaced.
void register_lzf_filter();

}  // namespace xrai::hdf5
