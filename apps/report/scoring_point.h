// The operating point to score with: the checkpoint's own, or one chosen for this evaluation on validation pictures.
#pragma once

#include <string>

#include "apps/report/score_split.h"
#include "loaders/reader.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/operating_point.h"

namespace xrai {

/// `rule` empty: as stored. Otherwise chosen on the validation scores that the checkpoint keeps; where it keeps none
/// (a training that was interrupted, an older program), on the `val` split of the data, which is scored for it by
/// `predict`. `checkpoint`: the file, for sentences.
/// Throws Error(kUsage) with more than two classes, Error(kBadData) where there is nothing to choose on.
OperatingPoint scoring_point(const std::string& rule, const CheckpointFacts& facts, const std::string& checkpoint,
                             DatasetReader& data, const Predict& predict);

/// What must be said when the split that is scored may be the one that the threshold was chosen on, or (`calibrated`)
/// the temperature fitted on; else empty.
std::string scoring_point_warning(const OperatingPoint& point, bool calibrated, const std::string& split);

/// What must be said when temperature and threshold were chosen for the mean of another number of networks than these
/// `n_networks` (one of an ensemble alone, or an ensemble of which some are gone); else empty.
std::string fitted_for_others_warning(const CheckpointFacts& facts, std::int64_t n_networks);

}  // namespace xrai
