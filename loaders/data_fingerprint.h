// Whether a data set is the one that was seen before, and read in the same way, without reading all of it.
#pragma once

#include <string>

#include "loaders/reader.h"

namespace xrai {

/// Sixteen hexadecimal digits, of the classes, the labels of the splits train and val, and the first and the last
/// training picture as they are read: another file, or the same with another --range, --layout or --labels-key, has
/// others. Empty without a training split. Throws what reading throws.
std::string data_fingerprint(DatasetReader& data);

}  // namespace xrai
