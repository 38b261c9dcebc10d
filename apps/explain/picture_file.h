// The picture that is explained: a file of its own, or a row of a data set.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "apps/support/command_line.h"
#include "loaders/image_decoder.h"

namespace xrai {

struct PictureChoice {
  std::filesystem::path file;       // JPEG, PNG, or a data set by its ending .h5 or .hdf5
  std::optional<std::int64_t> row;  // of the data set; none: the first
  std::string split;                // of the data set; empty: its first one

  /// IMAGE, --row and --split.
  void register_options(CommandLine& options, const std::string& group);
  /// "scan" for scan.jpeg, "chest-train-4" for row 4 of chest.h5: what files made from it begin with.
  [[nodiscard]] std::string name() const;
  /// For people: the file's name, with split and row.
  [[nodiscard]] std::string title() const;
  /// Square, of the target's size. Throws Error(kBadData) naming the file, Error(kUsage) for a row that is not there.
  [[nodiscard]] GreyImage load(const DecodeTarget& target) const;

 private:
  [[nodiscard]] bool is_data_set() const;
};

}  // namespace xrai
