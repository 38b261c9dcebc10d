// Thirds of pictures by a statistic, to be held out as a family of file names is: a network that has seen no sharp
// picture is asked how it fares on those.
#pragma once

#include <string>
#include <vector>

#include "loaders/hold_out.h"

namespace xrai {

/// Puts thirds by a statistic in the place of families: "low sharpness", "middle sharpness", "high sharpness". They are
/// taken within each class, since classes differ in such figures, too. `statistic`: the name of a StatisticColumn.
/// Throws Error(kUsage) for one that is not there (the sentence lists those that are), and as read_rows does.
void take_thirds_as_families(std::vector<HoldOutPicture>& pictures, DatasetReader& data, const std::string& statistic);

}  // namespace xrai
