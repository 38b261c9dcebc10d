// Leave-one-family-out: a data set divided anew so that the pictures of one family (a machine, a hospital, a year, or
// a third by some figure) are never trained on and validation asks how the network fares on them. Lives here: who goes
// where, and writing the file. Not here: how a file name tells its family.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/reader.h"

namespace xrai {

/// A picture of the file that is divided.
struct HoldOutPicture {
  std::string split;  // "train" or "val"
  std::int64_t row = 0;
  std::int32_t label = 0;
  std::string family, group;  // an empty group is a group of its own
};

struct HoldOutPlan {
  std::vector<HoldOutPicture> train, val;
  std::int64_t n_dropped = 0;  // pictures of no part: their patients are in the other one
};

/// Validation is the whole family and, of the classes that the family lacks, the validation pictures; training is
/// everything else, less the pictures of patients who are in validation. Throws Error(kUsage) for a family that is not
/// there (the sentence lists those that are), Error(kBadData) when a class would be missing from either part; `where`
/// names the file in the sentence.
HoldOutPlan plan_hold_out(const std::vector<HoldOutPicture>& pictures, std::string_view family,
                          const std::vector<std::string>& classes, const std::string& where);

/// The pictures of the splits train and val; a test split is left alone. `family_of` reads a file name. Throws
/// Error(kBadData) when the file names no sources.
std::vector<HoldOutPicture> hold_out_pictures(const DatasetReader& data,
                                              const std::function<std::string(std::string_view)>& family_of);

/// Writes the plan's two splits as docs/data-format.md describes. `on_images` is told how many are done. Throws
/// Error(kBadData) for pictures that are not square, Error(kStorage).
void write_hold_out(DatasetReader& data, const HoldOutPlan& plan, const std::filesystem::path& output,
                    const std::string& creator, const std::function<void(std::int64_t)>& on_images);

}  // namespace xrai
