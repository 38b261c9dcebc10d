// What an evaluation looks like: ROC and precision-recall curves, scores by class, reliability. Inline SVG, one each.
#pragma once

#include <string>

#include "runtime/train/evaluation.h"

namespace xrai {

/// Empty strings where the data do not define the chart (one class only, no images).
std::string roc_chart(const Evaluation& evaluation);
std::string precision_recall_chart(const Evaluation& evaluation);
/// Two classes: how the probability of the positive class is spread in either class. More: how the probability of the
/// class that was named is spread among right and wrong answers.
std::string score_chart(const Evaluation& evaluation, const Predictions& predictions);
std::string reliability_chart(const Evaluation& evaluation);

}  // namespace xrai
