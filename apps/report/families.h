// Families of file names: pictures of one hospital, scanner or year often share how their files are called, and a
// network that looks good on average may fail on one of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/train/evaluation.h"

namespace xrai {

/// What loaders/splits.h reads from the name ("IM", "NORMAL2", "bacteria", "virus" ...), else the folder the file is
/// in, else "other".
std::string family_of(std::string_view source);

struct FamilyResult {
  std::string name;
  Rate accuracy;
};

/// Families by falling number of images; beyond `most` the small ones are summed up as "others". Empty without sources.
std::vector<FamilyResult> family_results(const Predictions& predictions, double threshold, std::size_t most = 12);

}  // namespace xrai
