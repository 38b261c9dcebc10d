// Decides, before anything is decoded, which group and which split every picture found on disk belongs to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loaders/folder_scan.h"
#include "loaders/splits.h"

namespace xrai {

/// A validation folder with fewer pictures chooses nothing (the public chest X-ray set has one of 16).
inline constexpr std::int64_t kFewestUsefulValidation = 50;

struct PlanOptions {
  std::vector<SplitFraction> fractions;  // empty: train=0.85,val=0.15, or all to train beside a val folder that is kept
  std::uint64_t seed = 1;
  std::string group_expression;  // empty: the rules of GroupRule
  bool keep_val = false;         // keep a val folder however small
};

struct PlannedPicture {
  std::string path;  // relative to the root
  std::uint8_t label = 0;
  std::string group;
  std::string split;  // "train", "val" or "test"
};

struct ImportPlan {
  std::vector<PlannedPicture> pictures;    // in the order of the scan
  std::vector<std::string> notes;          // decisions that the user did not ask for, as sentences
  std::int64_t n_without_known_group = 0;  // pictures whose name no rule knew
};

/// Pictures in the user's own test folder stay test, those in a val folder stay val (see above); the others are divided
/// by `fractions`, whole groups at a time, stratified by class and family of names. Files that are the same byte for
/// byte join their groups, so that they cannot end up on both sides; `n_threads` look for them.
ImportPlan plan_import(const FolderScan& scan, const PlanOptions& options, int n_threads);

}  // namespace xrai
