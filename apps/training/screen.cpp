#include "apps/training/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "apps/report/curves.h"
#include "apps/report/json_values.h"
#include "apps/report/run_report.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

constexpr double kLongWait = 0.1;  // of an epoch's seconds

std::string quoted_for_shell(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '.' || c == '_' || c == '-' || c == '+' || c == ',' || c == ':';
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

TrainingScreen::TrainingScreen(std::int64_t epochs, bool quiet, std::filesystem::path run_folder,
                               const HistoryWriter& history, std::int64_t already_done)
    : epochs_(epochs),
      quiet_(quiet),
      already_done_(already_done),
      run_folder_(std::move(run_folder)),
      history_(history) {}

TrainingListener TrainingScreen::listener(std::function<void()> after_epoch) {
  TrainingListener listener;
  listener.on_images = [this](std::int64_t epoch, std::int64_t images, std::int64_t of, double loss) {
    on_images(epoch, images, of, loss);
  };
  listener.on_epoch = [this, after_epoch = std::move(after_epoch)](const EpochRecord& record, bool lowest_loss) {
    bar_.reset();
    bar_epoch_ = 0;
    log::info(line(record, lowest_loss));
    if (record.data_wait_fraction > kLongWait && !advice_on_waiting_.empty())
      log::warning(fmt::format("{:.0f} % of the epoch went by waiting for pictures: {}",
                               100 * record.data_wait_fraction, std::exchange(advice_on_waiting_, {})));
    write_curves(history_.epochs(), run_folder_);
    if (after_epoch) after_epoch();
  };
  return listener;
}

void TrainingScreen::on_images(std::int64_t epoch, std::int64_t images, std::int64_t of, double loss) {
  if (!bar_ || epoch != bar_epoch_) {
    bar_epoch_ = epoch;
    bar_start_ = already_done_;
    already_done_ = 0;
    bar_.emplace(fmt::format("epoch {}/{}", epoch, epochs_), of - bar_start_, "images", quiet_);
  }
  bar_->update(std::min(images, of) - bar_start_, loss > 0 ? fmt::format("loss {:.3f}", loss) : std::string());
  if (images >= of) bar_.reset();  // the validation that follows is none of the rate's business
}

std::string TrainingScreen::line(const EpochRecord& r, bool lowest_loss) const {
  std::string text = fmt::format("epoch {:>2}/{}  train loss {:.4f} accuracy {:.4f}", r.epoch, epochs_, r.train_loss,
                                 r.train_accuracy);
  if (r.val_loss) text += fmt::format("  val loss {:.4f} accuracy {:.4f}", *r.val_loss, r.val_accuracy.value_or(0));
  if (r.val_auroc) text += fmt::format(" AUROC {:.4f}", *r.val_auroc);
  return text + fmt::format("  {:.0f} images/s  waiting {:.1f} %{}", r.images_per_second, 100 * r.data_wait_fraction,
                            lowest_loss ? "  lowest loss" : "");
}

std::string validation_line(const Evaluation& evaluation) {
  std::string text = fmt::format("validation on {} pictures:", evaluation.n_images);
  const char* separator = " ";
  for (const auto& [name, shown] : {std::pair{"auroc", "AUROC"}, std::pair{"accuracy", "accuracy"},
                                    std::pair{"sensitivity", "sensitivity"}, std::pair{"specificity", "specificity"}}) {
    const Metric& metric = evaluation.metric(name);
    if (!metric.value) continue;
    text += fmt::format("{}{} {:.4f}", separator, shown, *metric.value);
    if (metric.ci95) text += fmt::format(" ({:.4f} to {:.4f})", metric.ci95->low, metric.ci95->high);
    separator = ", ";
  }
  return text;
}

nlohmann::ordered_json training_result(const std::filesystem::path& run_folder, const HistoryWriter& history,
                                       const TrainingState& state, RunEnd end,
                                       const std::optional<Evaluation>& validation) {
  nlohmann::ordered_json result;
  result["run"] = run_folder.string();
  result["interrupted"] = end == RunEnd::kInterrupted;
  result["step"] = state.step;
  result["epochs_done"] = state.epoch;
  result["best_epoch"] = state.best_epoch > 0 ? nlohmann::ordered_json(state.best_epoch) : nlohmann::ordered_json();
  if (!history.epochs().empty()) result["last_epoch"] = epoch_json(history.epochs().back());
  for (const EpochRecord& record : history.epochs())
    if (record.epoch == state.best_epoch) result["best"] = epoch_json(record);
  if (validation) {
    for (const Metric& metric : validation->metrics) result["validation"][metric.name] = number_or_null(metric.value);
    for (const Metric& metric : validation->metrics)
      if (metric.ci95) result["validation"]["ci95"][metric.name] = {metric.ci95->low, metric.ci95->high};
    result["validation"]["n_images"] = validation->n_images;
    result["report"] = (run_folder / "report.html").string();
  }
  return result;
}

std::string shell_command(const std::vector<std::string>& words) {
  std::string command;
  for (const std::string& word : words) command += (command.empty() ? "" : " ") + quoted_for_shell(word);
  return command;
}

}  // namespace xrai
