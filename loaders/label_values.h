// Labels in every form that files have them, to one class number a picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/hdf5/file.h"

namespace xrai {

/// The finding that is chosen where a file has a column for each of several, in lower case.
inline constexpr std::string_view kFinding = "pneumonia";

/// Labels of one split as they are written: numbers, or words.
struct LabelColumn {
  std::string where;   // for sentences: "/y_train of data.h5"
  std::string form{};  // "one-hot", "column Pneumonia of 14"; empty for plain numbers or words
  std::vector<std::int64_t> numbers{};
  std::vector<std::string> words{};    // instead of numbers
  std::vector<std::string> classes{};  // what 0 and 1 mean, when the column is a finding
  std::string warning{};               // a sentence, or empty
};

/// A data set (N), (N, 1), (N, 1, 1, 1), (1, N) of whole numbers of any type, bool or strings, or (N, K): one-hot, or
/// one column a finding, with any axes of length 1 behind N; (batches, `per_batch`) where pictures stand in batches.
/// `column`: its number or its name in `names` (K); empty: one-hot, or the finding. Throws Error(kBadData).
LabelColumn read_labels(const hdf5::File& file, const std::string& object, const std::string& column,
                        const std::vector<std::string>& names, std::int64_t n_images, std::uint64_t per_batch = 0);

/// A column of a CSV file with a header. Rows are matched with `ids` when there are any, else they are as many as the
/// pictures and in their order. `column`: its name; empty: the finding, or one of the usual names. Throws
/// Error(kBadData).
LabelColumn read_csv_labels(const std::filesystem::path& csv, const std::string& column,
                            std::span<const std::string> ids, std::int64_t n_images);

/// Class numbers of all splits, in the order of `columns`, and `classes`, the names of the numbers. Where `classes` is
/// empty it is filled: words in alphabetical order, or the numbers themselves. Throws Error(kBadData) for a label that
/// is not one of the classes.
std::vector<std::vector<std::int32_t>> number_labels(const std::vector<LabelColumn>& columns,
                                                     std::vector<std::string>& classes);

/// Strings or whole numbers, one a picture, as text; `per_batch` as in PicturePart. Throws Error(kBadData).
std::vector<std::string> read_texts(const hdf5::File& file, const std::string& object, std::int64_t n_images,
                                    std::uint64_t per_batch);

}  // namespace xrai
