#include "loaders/label_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "loaders/csv_table.h"
#include "loaders/file_survey.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::int64_t kLargestClassCount = 65536;
constexpr std::int64_t kUncertain = -1;  // of CheXpert beside 0 and 1; without 0 the negative class

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  throw Error(ExitCode::kBadData, fmt::format("{} cannot be used: {}", where, why));
}

std::string where(const hdf5::File& file, const std::string& object) {
  return fmt::format("{} of {}", object, file.path().string());
}

/// Numbers of a data set with n rows, any number of columns.
struct Table {
  std::vector<double> values{};  // (n, columns)
  std::int64_t n = 0, columns = 1;

  [[nodiscard]] double at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
  /// From (columns, n).
  void turn() {
    std::vector<double> turned(values.size());
    for (std::int64_t row = 0; row < n; ++row)
      for (std::int64_t column = 0; column < columns; ++column)
        turned[static_cast<std::size_t>(row * columns + column)] = values[static_cast<std::size_t>(column * n + row)];
    values = std::move(turned);
  }
};

/// "3", and "3.0" as tables are written that had gaps.
std::optional<std::int64_t> whole_number(std::string_view text) {
  if (const auto point = text.find('.');
      point != text.npos && point + 1 < text.size() && text.find_first_not_of('0', point + 1) == text.npos) {
    text = text.substr(0, point);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_one_hot(const Table& table) {
  for (std::int64_t row = 0; row < table.n; ++row) {
    std::int64_t n_ones = 0;
    for (std::int64_t column = 0; column < table.columns; ++column) {
      const double value = table.at(row, column);
      if (value != 0 && value != 1) return false;
      n_ones += value == 1 ? 1 : 0;
    }
    if (n_ones != 1) return false;
  }
  return true;
}

std::vector<std::int64_t> whole_numbers(const Table& table, std::int64_t column, const std::string& where) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t row = 0; row < table.n; ++row) {
    const double value = table.at(row, column);
    if (std::isnan(value) || value != std::floor(value)) {
      refuse(where, fmt::format("label {} of picture {} is no whole number", value, row));
    }
    if (value < kUncertain || value >= kLargestClassCount) {
      refuse(where, fmt::format("label {} of picture {} is not a class number", value, row));
    }
    numbers.push_back(static_cast<std::int64_t>(value));
  }
  return numbers;
}

void name_finding(LabelColumn& labels, const std::string& finding) {
  labels.classes = {"no " + finding, finding};
}

/// The column that is meant, by number or name, or that is the finding; none when the table does not say.
std::optional<std::int64_t> column_of(const Table& table, const std::string& asked,
                                      const std::vector<std::string>& names, const std::string& where) {
  const bool named = static_cast<std::int64_t>(names.size()) == table.columns;
  for (std::size_t i = 0; named && i < names.size(); ++i) {
    if (lower_case(names[i]) == (asked.empty() ? std::string(kFinding) : lower_case(asked))) {
      return static_cast<std::int64_t>(i);
    }
  }
  if (asked.empty()) return std::nullopt;
  const std::optional<std::int64_t> number = whole_number(asked);
  if (!number || *number < 0 || *number >= table.columns) {
    refuse(where, fmt::format("it has no column {}, but {} of them, counted from 0", asked, table.columns));
  }
  return number;
}

void take_column(LabelColumn& labels, const Table& table, const std::string& asked,
                 const std::vector<std::string>& names) {
  if (asked.empty() && is_one_hot(table)) {
    labels.form = "one-hot";
    for (std::int64_t row = 0; row < table.n; ++row) {
      std::int64_t one = 0;
      while (table.at(row, one) != 1) ++one;
      labels.numbers.push_back(one);
    }
    return;
  }
  const std::optional<std::int64_t> column = column_of(table, asked, names, labels.where);
  if (!column) {
    refuse(labels.where, fmt::format("its {} columns are not one-hot, and none is known to be {}; name one with "
                                     "--labels-key NAME:COLUMN, counted from 0{}",
                                     table.columns, kFinding,
                                     table.columns == 3 || table.columns == 4
                                         ? fmt::format("; --layout NHW where pictures stand in batches of {}, not with "
                                                       "so many channels",
                                                       table.columns)
                                         : ""));
  }
  const bool named = static_cast<std::int64_t>(names.size()) == table.columns;
  const std::string name = named ? names[static_cast<std::size_t>(*column)] : fmt::format("finding {}", *column);
  labels.form = fmt::format("column {} of {}", named ? name : fmt::format("{}", *column), table.columns);
  labels.numbers = whole_numbers(table, *column, labels.where);
  name_finding(labels, name);
}

/// Words that all are whole numbers are numbers. Blanks say nothing of a picture, and are no class.
void take_words(LabelColumn& labels, std::vector<std::string> words) {
  const auto n_blank = std::count(words.begin(), words.end(), "");
  if (n_blank > 0) {
    refuse(labels.where, fmt::format("{} of its {} labels are blank; fill them in, or leave those pictures out",
                                     n_blank, words.size()));
  }
  const bool all_numbers =
      std::all_of(words.begin(), words.end(), [](const std::string& word) { return whole_number(word).has_value(); });
  if (!all_numbers) {
    labels.words = std::move(words);
    return;
  }
  Table table{.n = static_cast<std::int64_t>(words.size())};
  for (const std::string& word : words) table.values.push_back(static_cast<double>(*whole_number(word)));
  labels.numbers = whole_numbers(table, 0, labels.where);
}

void check_rows(const hdf5::DatasetInfo& info, std::int64_t n_images, const std::string& where) {
  if (info.shape.empty() || info.shape[0] != static_cast<std::uint64_t>(n_images)) {
    refuse(where, fmt::format("there are {} labels for {} pictures", info.shape.empty() ? 1 : info.shape[0], n_images));
  }
}

/// MATLAB's table of a column a class stands in HDF5 with a row a class.
bool is_turned(const hdf5::DatasetInfo& info, std::int64_t n_images) {
  const auto n = static_cast<std::uint64_t>(n_images);
  return info.shape.size() == 2 && info.shape[0] != n && info.shape[1] == n && info.shape[0] > 1;
}

/// The data set's shape; a row (1, N), as MATLAB's columns stand in HDF5, as a column, and so batches of labels.
hdf5::DatasetInfo info_of_column(const hdf5::File& file, const std::string& object, std::int64_t n_images,
                                 std::uint64_t per_batch) {
  hdf5::DatasetInfo info = file.info(object);
  const auto n = static_cast<std::uint64_t>(n_images);
  if (per_batch > 0 && info.shape == std::vector{n / per_batch, per_batch}) info.shape = {n};
  const bool is_row =
      info.shape.size() > 1 && info.shape.back() == static_cast<std::uint64_t>(n_images) &&
      std::all_of(info.shape.begin(), info.shape.end() - 1, [](std::uint64_t axis) { return axis == 1; });
  if (is_row) info.shape = {info.shape.back()};
  if (is_turned(info, n_images)) std::swap(info.shape[0], info.shape[1]);
  if (info.shape.size() > 2)
    info.shape.erase(std::remove(info.shape.begin() + 1, info.shape.end(), 1), info.shape.end());
  return info;
}

bool is_column(const hdf5::DatasetInfo& info) {
  return std::all_of(info.shape.begin() + 1, info.shape.end(), [](std::uint64_t axis) { return axis == 1; });
}

/// "NORMAL" and "normal" are one class, by the name that comes first.
std::vector<std::string> classes_of_words(const std::vector<LabelColumn>& columns) {
  std::map<std::string, std::string> distinct;
  for (const LabelColumn& column : columns) {
    if (column.words.empty()) refuse(column.where, "its labels are numbers, those of another split words");
    for (const std::string& word : column.words) distinct.emplace(lower_case(word), word);
    if (distinct.size() > static_cast<std::size_t>(kLargestClassCount)) {
      refuse(column.where, "nearly every label is another word; is it a list of names?");
    }
  }
  if (distinct.size() < 2) refuse(columns.front().where, fmt::format("all labels are '{}'", distinct.begin()->second));
  std::vector<std::string> classes;
  for (const auto& [lower, word] : distinct) classes.push_back(word);
  std::sort(classes.begin(), classes.end());
  return classes;
}

/// The class of that name; written in another case if none is called exactly so.
std::int64_t place_of(const std::string& word, const std::vector<std::string>& classes) {
  const auto exact = std::find(classes.begin(), classes.end(), word);
  if (exact != classes.end()) return exact - classes.begin();
  const auto alike = [&](const std::string& name) { return lower_case(name) == lower_case(word); };
  return std::find_if(classes.begin(), classes.end(), alike) - classes.begin();
}

/// 0, 1 and a stray 255 are no 256 classes.
void refuse_gaps(const std::vector<LabelColumn>& columns, std::int64_t n_classes) {
  constexpr std::int64_t kFew = 16, kShare = 4;
  if (n_classes <= kFew) return;
  std::set<std::int64_t> distinct;
  for (const LabelColumn& column : columns) distinct.insert(column.numbers.begin(), column.numbers.end());
  if (static_cast<std::int64_t>(distinct.size()) * kShare >= n_classes) return;
  const std::int64_t largest = *distinct.rbegin();
  for (const LabelColumn& column : columns) {
    const auto found = std::find(column.numbers.begin(), column.numbers.end(), largest);
    if (found == column.numbers.end()) continue;
    refuse(column.where,
           fmt::format("label {} of picture {} would make {} classes, of which {} occur; labels are class "
                       "numbers from 0 on, or words",
                       largest, found - column.numbers.begin(), n_classes, distinct.size()));
  }
}

// A label without a name is its own name. Classes that are counted from 1, as MATLAB does, leave out 0.
std::vector<std::string> classes_of_numbers(const std::vector<LabelColumn>& columns, std::int64_t first) {
  std::int64_t largest = first + 1;
  for (const LabelColumn& column : columns) {
    for (const std::int64_t number : column.numbers) largest = std::max(largest, number);
  }
  refuse_gaps(columns, largest - first + 1);
  std::vector<std::string> classes;
  for (std::int64_t number = first; number <= largest; ++number) classes.push_back(fmt::format("{}", number));
  return classes;
}

// Of two numbers such as 0 and 255, or -1 and 1, those between are no classes.
std::vector<std::string> classes_of_two(const std::vector<LabelColumn>& columns) {
  std::set<std::int64_t> distinct;
  for (const LabelColumn& column : columns) distinct.insert(column.numbers.begin(), column.numbers.end());
  if (distinct.size() != 2 || *distinct.rbegin() <= 2) {
    const bool negative_and_positive = distinct == std::set<std::int64_t>{kUncertain, 1};
    if (!negative_and_positive) return {};
  }
  return {fmt::format("{}", *distinct.begin()), fmt::format("{}", *distinct.rbegin())};
}

void require_no_negative(const std::vector<LabelColumn>& columns) {
  for (const LabelColumn& column : columns) {
    const auto found =
        std::find_if(column.numbers.begin(), column.numbers.end(), [](auto number) { return number < 0; });
    if (found == column.numbers.end()) continue;
    refuse(column.where,
           fmt::format("label {} of picture {} is not a class number", *found, found - column.numbers.begin()));
  }
}

std::vector<std::vector<std::int32_t>> number_by_names(const std::vector<LabelColumn>& columns,
                                                       const std::vector<std::string>& classes) {
  std::vector<std::vector<std::int32_t>> labels;
  for (const LabelColumn& column : columns) {
    labels.emplace_back();
    for (const std::int64_t number : column.numbers) labels.back().push_back(fmt::format("{}", number) == classes[1]);
  }
  return labels;
}

bool has_several(const std::vector<std::string>& texts) {
  return std::adjacent_find(texts.begin(), texts.end(), std::not_equal_to<>()) != texts.end();
}

std::vector<std::int32_t> places(const LabelColumn& column, const std::vector<std::string>& classes,
                                 std::int64_t first) {
  std::vector<std::int32_t> labels;
  const std::size_t n = std::max(column.numbers.size(), column.words.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::string label = column.words.empty() ? fmt::format("{}", column.numbers[i]) : column.words[i];
    const std::int64_t place = column.words.empty() ? column.numbers[i] - first : place_of(label, classes);
    if (place < 0 || place >= static_cast<std::int64_t>(classes.size())) {
      refuse(column.where, fmt::format("label {} of picture {} is not one of the {} classes ({})", label, i,
                                       classes.size(), fmt::join(classes, ", ")));
    }
    labels.push_back(static_cast<std::int32_t>(place));
  }
  return labels;
}

}  // namespace

LabelColumn read_labels(const hdf5::File& file, const std::string& object, const std::string& column,
                        const std::vector<std::string>& names, std::int64_t n_images, std::uint64_t per_batch) {
  LabelColumn labels{.where = where(file, object)};
  if (!file.is_dataset(object)) refuse(labels.where, "it is missing; each picture needs a label");
  const hdf5::DatasetInfo info = info_of_column(file, object, n_images, per_batch);
  check_rows(info, n_images, labels.where);
  if (info.type == hdf5::Type::kString) {
    if (!is_column(info))
      refuse(labels.where, fmt::format("its shape is {}, not one word a picture", shape_text(info)));
    take_words(labels, file.read_strings(object));
    return labels;
  }
  if (hdf5::element_bytes(info.type) == 0)
    refuse(labels.where, "labels must be whole numbers or strings, one a picture");
  // Before they are read: a few bytes can say that there are billions.
  if (const std::uint64_t columns = info.row_bytes() / hdf5::element_bytes(info.type);
      info.shape.size() == 2 && columns > static_cast<std::uint64_t>(kLargestClassCount)) {
    refuse(labels.where, fmt::format("its {} columns are more than there can be classes", columns));
  }
  Table table{file.read<double>(object), n_images};
  table.columns = static_cast<std::int64_t>(table.values.size()) / n_images;
  if (is_turned(file.info(object), n_images)) table.turn();
  if (is_column(info)) {
    labels.numbers = whole_numbers(table, 0, labels.where);
    if (!column.empty() && column != "0") name_finding(labels, column);
  } else if (info.shape.size() == 2) {
    take_column(labels, table, column, names);
  } else {
    refuse(labels.where, fmt::format("its shape is {}; labels are whole numbers, one a picture", shape_text(info)));
  }
  return labels;
}

LabelColumn read_csv_labels(const std::filesystem::path& csv, const std::string& column,
                            std::span<const std::string> ids, std::int64_t n_images) {
  const CsvTable table = read_csv_table(csv);
  LabelColumn labels{.where = csv.string()};
  static constexpr std::string_view kUsual[] = {kFinding, "label", "labels", "target", "class", "diagnosis", "finding"};
  std::optional<std::size_t> at;
  if (column.empty()) {
    for (const std::string_view name : kUsual) {
      if (!at) at = table.column(name);
    }
  } else {
    at = table.column(column);
  }
  if (!at) {
    refuse(labels.where, fmt::format("it has no column {}, but {}; name the column of the labels with --labels-key "
                                     "FILE.csv:COLUMN",
                                     column.empty() ? "label" : column, fmt::join(table.header, ", ")));
  }
  labels.form = "column " + table.header[*at];
  if (const auto split = table.column("split"); split && has_several(table.values(*split, ids, n_images))) {
    labels.warning = fmt::format(
        "{} has a column {}, which is not used: pictures of all its splits are taken; write each "
        "split as data sets of its own (train/images, test/images)",
        labels.where, table.header[*split]);
  }
  take_words(labels, table.values(*at, ids, n_images));
  if (lower_case(table.header[*at]) == kFinding && labels.words.empty()) name_finding(labels, table.header[*at]);
  return labels;
}

std::vector<std::vector<std::int32_t>> number_labels(const std::vector<LabelColumn>& columns,
                                                     std::vector<std::string>& classes) {
  std::int64_t least = kLargestClassCount, largest = 0;
  for (const LabelColumn& column : columns) {
    if (!column.classes.empty()) classes = column.classes;
    for (const std::int64_t number : column.numbers) {
      least = std::min(least, number);
      largest = std::max(largest, number);
    }
  }
  const bool has_words = std::any_of(columns.begin(), columns.end(), [](const auto& c) { return !c.words.empty(); });
  const bool counted_from_one = !has_words && least == 1 && largest > 1 &&
                                (classes.empty() || largest == static_cast<std::int64_t>(classes.size()));
  if (!has_words && classes.empty()) {
    classes = classes_of_two(columns);
    if (!classes.empty()) return number_by_names(columns, classes);
  }
  require_no_negative(columns);
  const std::int64_t first = counted_from_one ? 1 : 0;
  if (classes.empty()) classes = has_words ? classes_of_words(columns) : classes_of_numbers(columns, first);
  std::vector<std::vector<std::int32_t>> labels;
  for (const LabelColumn& column : columns) labels.push_back(places(column, classes, first));
  return labels;
}

std::vector<std::string> read_texts(const hdf5::File& file, const std::string& object, std::int64_t n_images,
                                    std::uint64_t per_batch) {
  const std::string place = where(file, object);
  const hdf5::DatasetInfo info = info_of_column(file, object, n_images, per_batch);
  if (info.shape.empty() || !is_column(info) || info.shape[0] != static_cast<std::uint64_t>(n_images)) {
    refuse(place, fmt::format("its shape is {} for {} pictures", shape_text(info), n_images));
  }
  if (info.type == hdf5::Type::kString) return file.read_strings(object);
  const bool is_integer = info.type <= hdf5::Type::kUint64;
  if (!is_integer) refuse(place, "it holds neither strings nor whole numbers");
  std::vector<std::string> texts;
  for (const std::int64_t number : file.read<std::int64_t>(object)) texts.push_back(fmt::format("{}", number));
  return texts;
}

}  // namespace xrai
