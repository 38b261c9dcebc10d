// How a layout is decided, a class in three files: layout_decision.cpp finds the pictures, layout_singles.cpp those
// that are a data set each, layout_labels.cpp what belongs to them. Nobody else includes this; loaders/layout.h is
// the door.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loaders/file_survey.h"
#include "loaders/layout.h"
#include "runtime/core/error.h"

namespace xrai {

inline constexpr const char* kWhatXraiReads =
    "xrai reads pictures (N, height, width) with or without channels, and a label for each, under names such as "
    "train/images and train/labels, or X_train and y_train; --images-key and --labels-key name others";

using Candidates = std::vector<const FoundDataset*>;

struct NoLabels : Error {
  explicit NoLabels(const std::string& sentence) : Error(ExitCode::kBadData, sentence) {}
};

std::string objects_text(const Candidates& candidates);

/// The part of the path that is neither a split nor a word for pictures, as it is written: "NORMAL" of "/train/NORMAL".
std::string class_name(const std::filesystem::path& object);

/// Whether one of the names in `keys`, with commas between, means this object: its path or the last parts of it.
bool is_meant(const std::string& object, const std::string& keys);

inline constexpr std::array<std::string_view, 3> kSplits{"train", "val", "test"};

class Decision {
 public:
  Decision(const std::filesystem::path& path, const LayoutOptions& options, OpenFiles& files)
      : options_(options), files_(files) {
    open(path);
  }

  Layout decide();

 private:
  [[noreturn]] void refuse(const FoundDataset& dataset, const std::string& why) const;
  [[noreturn]] void refuse_without_pictures() const;
  void open(const std::filesystem::path& path);
  void take_candidates();
  [[nodiscard]] bool holds_a_file_a_row(const FoundDataset& dataset) const;
  [[nodiscard]] bool is_of_matlab(const FoundDataset& dataset) const;
  [[nodiscard]] bool is_in_batches(const FoundDataset& dataset) const;
  /// Of each split, the first picture of each group.
  using Singles = std::map<std::string, Candidates>;
  [[nodiscard]] Singles find_files() const;
  [[nodiscard]] Singles find_arrays() const;
  [[nodiscard]] std::string split_of(const FoundDataset& single) const;
  [[nodiscard]] bool may_be_single_pictures() const;
  bool take_single_pictures();
  void add_singles(const std::string& name, Candidates firsts, bool are_arrays);
  void add_objects_of(SplitLayout& split, const std::string& group) const;
  void take_class_names(const FoundDataset& first, const std::string& split, const std::vector<std::string>& classes);
  void open_other_splits();
  void add_or_leave_out(std::string_view split, const std::function<void()>& add);
  void read_class_names();
  bool read_class_attribute(std::size_t file, const std::string& object);
  Candidates choose(const Candidates& candidates);
  void add_split(const std::string& name, const Candidates& candidates);
  void add_part(SplitLayout& split, const FoundDataset& dataset) const;
  [[nodiscard]] bool has_labels(const Candidates& candidates) const;
  /// All that may be meant, where nothing says which; companion() takes the first.
  [[nodiscard]] Candidates companions(const FoundDataset& pictures, Role role) const;
  [[nodiscard]] const FoundDataset* companion(const FoundDataset& pictures, Role role) const;
  /// What is called labels; where nothing is, what is called an outcome.
  [[nodiscard]] Candidates labels_of(const FoundDataset& pictures) const;
  LabelPlace find_labels(const FoundDataset& pictures, const SplitLayout& split);
  [[nodiscard]] std::optional<LabelPlace> labels_as_asked(const FoundDataset& pictures) const;
  std::optional<LabelPlace> labels_in_file_beside(const FoundDataset& pictures);
  [[nodiscard]] std::optional<LabelPlace> labels_in_table_beside(const FoundDataset& pictures,
                                                                 const SplitLayout& split) const;

  const LayoutOptions& options_;
  OpenFiles& files_;
  Layout layout_;
  std::vector<std::vector<FoundDataset>> found_;  // of each file; inner vectors do not change once they are there
  Candidates candidates_;
};

}  // namespace xrai
