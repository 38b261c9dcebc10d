// The course of a training as pictures: loss, accuracy and AUROC over epochs, one epoch marked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/train/history.h"

namespace xrai {

/// Writes curves.svg and curves.png into `folder`, each written aside and renamed, the epoch of the lowest loss marked.
/// With an empty history the pictures say that no epoch has ended. Throws Error(kStorage).
void write_curves(const std::vector<EpochRecord>& history, const std::filesystem::path& folder);

/// The same panels one by one as inline SVG, so that a narrow page can set them below each other. `scored`: the number
/// of the epoch whose network the page is about, which is marked instead of that of the lowest loss.
std::vector<std::string> curve_panels(const std::vector<EpochRecord>& history, std::optional<std::int64_t> scored = {});

}  // namespace xrai
