// See history.h. Numbers are written in their shortest form that reads back to the same bits, so that the lines of a
// resumed run can be compared with those of an uninterrupted one.
#include "runtime/train/history.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "runtime/core/error.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

constexpr std::array<std::string_view, 11> kColumns = {
    "epoch",     "step",          "train_loss",        "train_accuracy",     "val_loss", "val_accuracy",
    "val_auroc", "learning_rate", "images_per_second", "data_wait_fraction", "seconds"};
constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

std::string number(std::optional<double> value, std::string_view if_absent) {
  return value && std::isfinite(*value) ? fmt::format("{}", *value) : std::string(if_absent);
}

std::array<std::string, kColumns.size()> fields_of(const EpochRecord& r, std::string_view if_absent) {
  const auto rounded = [&](double value, int digits) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : std::string(if_absent);
  };
  return {std::to_string(r.epoch),
          std::to_string(r.step),
          number(r.train_loss, if_absent),
          number(r.train_accuracy, if_absent),
          number(r.val_loss, if_absent),
          number(r.val_accuracy, if_absent),
          number(r.val_auroc, if_absent),
          number(r.learning_rate, if_absent),
          rounded(r.images_per_second, 2),
          rounded(r.data_wait_fraction, 4),
          rounded(r.seconds, 3)};
}

std::string csv_header() {
  return fmt::format("{}\n", fmt::join(kColumns, ","));
}

std::string csv_line(const EpochRecord& record) {
  return fmt::format("{}\n", fmt::join(fields_of(record, ""), ","));
}

std::string json_line(const EpochRecord& record) {
  const auto fields = fields_of(record, "null");
  std::string line = R"({"kind":"epoch")";
  for (std::size_t i = 0; i < fields.size(); ++i) line += fmt::format(R"(,"{}":{})", kColumns[i], fields[i]);
  return line + "}\n";
}

std::string json_line(const StepRecord& r) {
  return fmt::format(R"({{"kind":"step","epoch":{},"step":{},"train_loss":{},"train_accuracy":{},"learning_rate":{},)"
                     R"("images_per_second":{:.2f},"data_wait_fraction":{:.4f}}})"
                     "\n",
                     r.epoch, r.step, number(r.train_loss, "null"), number(r.train_accuracy, "null"),
                     number(r.learning_rate, "null"), std::isfinite(r.images_per_second) ? r.images_per_second : 0.0,
                     std::isfinite(r.data_wait_fraction) ? r.data_wait_fraction : 0.0);
}

void append_to(const std::filesystem::path& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path, std::ios::app | std::ios::binary);
  file << text << std::flush;
  if (!file) {
    throw Error(ExitCode::kStorage, fmt::format("cannot add a line to {}: {}; free some space or choose another --out",
                                                path.string(), std::strerror(errno)));
  }
}

/// Whole lines of a file, without what follows the last line end. None when the file is not there.
std::vector<std::string> whole_lines(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw Error(ExitCode::kBadData, fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  std::vector<std::string> lines;
  const std::string all = text.str();
  for (std::size_t begin = 0, end = 0; (end = all.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const bool carriage_return = end > begin && all[end - 1] == '\r';
    lines.push_back(all.substr(begin, end - begin - (carriage_return ? 1 : 0)));
  }
  return lines;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0;;) {
    const std::size_t comma = line.find(',', begin);
    fields.push_back(line.substr(begin, comma == std::string_view::npos ? comma : comma - begin));
    if (comma == std::string_view::npos) return fields;
    begin = comma + 1;
  }
}

/// A line of the CSV by the names of its header.
class CsvLine {
 public:
  CsvLine(const std::filesystem::path& path, std::size_t line_number, const std::vector<std::string_view>& header,
          std::string_view line)
      : where_(fmt::format("{}, line {}", path.string(), line_number)), header_(header), fields_(split(line)) {
    if (fields_.size() != header_.size()) {
      fail(fmt::format("{} values where the header names {} columns", fields_.size(), header_.size()));
    }
  }

  /// Absent when the column is missing or empty.
  [[nodiscard]] std::optional<double> real(std::string_view column) const { return value<double>(column); }
  [[nodiscard]] double real_or_nan(std::string_view column) const {
    return real(column).value_or(std::numeric_limits<double>::quiet_NaN());
  }
  [[nodiscard]] std::int64_t whole(std::string_view column) const {
    const auto found = value<std::int64_t>(column);
    if (!found) fail(fmt::format("no value for '{}'", column));
    return *found;
  }

 private:
  template <class T>
  std::optional<T> value(std::string_view column) const {
    for (std::size_t i = 0; i < header_.size(); ++i) {
      if (header_[i] != column || fields_[i].empty()) continue;
      T result{};
      const char* end = fields_[i].data() + fields_[i].size();
      const auto parsed = std::from_chars(fields_[i].data(), end, result);
      if (parsed.ec != std::errc() || parsed.ptr != end) {
        fail(fmt::format("'{}' is not a value for '{}'", fields_[i], column));
      }
      return result;
    }
    return std::nullopt;
  }
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ExitCode::kBadData, fmt::format("the training history cannot be read: {}: {}; correct or delete "
                                                "the line",
                                                where_, reason));
  }

  std::string where_;
  const std::vector<std::string_view>& header_;
  std::vector<std::string_view> fields_;
};

/// Whether a line of metrics.jsonl belongs to the part of the run that is kept.
bool keeps_json_line(const std::filesystem::path& path, std::size_t line_number, const std::string& line,
                     std::int64_t last_step, std::int64_t last_epoch) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number() || !json.contains("epoch") ||
      !json["epoch"].is_number()) {
    throw Error(ExitCode::kBadData,
                fmt::format("the training history cannot be read: {}, line {}: not a JSON object with an epoch and a "
                            "step; correct or delete the line",
                            path.string(), line_number));
  }
  const bool is_epoch = json.value("kind", std::string()) == "epoch";
  return json["step"].get<std::int64_t>() <= last_step &&
         (!is_epoch || json["epoch"].get<std::int64_t>() <= last_epoch);
}

}  // namespace

HistoryWriter::HistoryWriter(const std::filesystem::path& run_folder, std::int64_t resume_step)
    : csv_path_(run_folder / "metrics.csv"), jsonl_path_(run_folder / "metrics.jsonl") {
  if (resume_step > 0) {
    epochs_ = read_history(run_folder);
    rewrite(resume_step, kNoLimit);
  } else {
    write_text_file(csv_path_, csv_header());
    write_text_file(jsonl_path_, "");
  }
}

void HistoryWriter::rewrite(std::int64_t last_step, std::int64_t last_epoch) {
  std::erase_if(epochs_, [&](const EpochRecord& r) { return r.step > last_step || r.epoch > last_epoch; });
  std::string csv = csv_header();
  for (const EpochRecord& record : epochs_) csv += csv_line(record);
  write_text_file(csv_path_, csv);

  std::string jsonl;
  const auto lines = whole_lines(jsonl_path_);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].empty() && keeps_json_line(jsonl_path_, i + 1, lines[i], last_step, last_epoch)) {
      jsonl += lines[i] + "\n";
    }
  }
  write_text_file(jsonl_path_, jsonl);
}

void HistoryWriter::append(const EpochRecord& record) {
  if (!epochs_.empty() && epochs_.back().epoch >= record.epoch) rewrite(kNoLimit, record.epoch - 1);
  append_to(csv_path_, csv_line(record));
  append_to(jsonl_path_, json_line(record));
  epochs_.push_back(record);
}

void HistoryWriter::append(const StepRecord& record) {
  append_to(jsonl_path_, json_line(record));
}

std::vector<EpochRecord> read_history(const std::filesystem::path& run_folder) {
  const auto path = run_folder / "metrics.csv";
  const auto lines = whole_lines(path);
  std::vector<EpochRecord> history;
  if (lines.empty()) return history;
  const auto header = split(lines.front());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const CsvLine line(path, i + 1, header, lines[i]);
    EpochRecord r;
    r.epoch = line.whole("epoch");
    r.step = line.whole("step");
    r.train_loss = line.real_or_nan("train_loss");
    r.train_accuracy = line.real_or_nan("train_accuracy");
    r.val_loss = line.real("val_loss");
    r.val_accuracy = line.real("val_accuracy");
    r.val_auroc = line.real("val_auroc");
    r.learning_rate = line.real_or_nan("learning_rate");
    r.images_per_second = line.real_or_nan("images_per_second");
    r.data_wait_fraction = line.real_or_nan("data_wait_fraction");
    r.seconds = line.real_or_nan("seconds");
    history.push_back(r);
  }
  return history;
}

std::optional<std::size_t> lowest_loss_epoch(const std::vector<EpochRecord>& history) {
  const auto lowest = [&](auto loss_of) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < history.size(); ++i) {
      const std::optional<double> loss = loss_of(history[i]);
      if (loss && std::isfinite(*loss) && (!best || *loss < *loss_of(history[*best]))) best = i;
    }
    return best;
  };
  if (const auto best = lowest([](const EpochRecord& r) { return r.val_loss; })) return best;
  return lowest([](const EpochRecord& r) { return std::optional<double>(r.train_loss); });
}

}  // namespace xrai
