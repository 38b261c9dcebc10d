// See curves.h.
#include "apps/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "apps/report/plot.h"
#include "apps/report/png_canvas.h"
#include "apps/report/svg_canvas.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

constexpr double kPanelWidth = 380.0, kPanelHeight = 290.0, kPanelGap = 24.0, kMargin = 16.0;
constexpr std::size_t kMostDots = 30;  // epochs up to which every point gets a dot

enum class Quantity { kLoss, kAccuracy, kAuroc };

double or_nan(const std::optional<double>& value) {
  return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

std::vector<Series> series_of(const std::vector<EpochRecord>& history, Quantity quantity) {
  Series train{"training", Ink::kBlue, {}, false}, validation{"validation", Ink::kVermillion, {}, false};
  for (const EpochRecord& r : history) {
    const auto epoch = static_cast<double>(r.epoch);
    if (quantity == Quantity::kLoss) {
      train.points.push_back({epoch, r.train_loss});
      validation.points.push_back({epoch, or_nan(r.val_loss)});
    } else if (quantity == Quantity::kAccuracy) {
      train.points.push_back({epoch, r.train_accuracy});
      validation.points.push_back({epoch, or_nan(r.val_accuracy)});
    } else {
      validation.points.push_back({epoch, or_nan(r.val_auroc)});
    }
  }
  std::vector<Series> drawn;
  for (Series* s : {&train, &validation}) {
    if (std::any_of(s->points.begin(), s->points.end(), [](Point p) { return std::isfinite(p.y); }))
      drawn.push_back(*s);
  }
  return drawn;
}

Axis y_axis(const std::vector<Series>& series, Quantity quantity) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& s : series) {
    for (const Point& p : s.points) {
      if (!std::isfinite(p.y)) continue;
      low = std::min(low, p.y);
      high = std::max(high, p.y);
    }
  }
  if (quantity == Quantity::kLoss) return round_axis(0.0, std::max(high, 1e-6), 5, 0.0);
  // Down to a round value below the lowest point; never so close that noise looks like progress.
  Axis axis = round_axis(std::min(low, 0.95), 1.0, 5, 0.0, 1.0);
  axis.percent = quantity == Quantity::kAccuracy;
  return axis;
}

const char* title_of(Quantity quantity) {
  return quantity == Quantity::kLoss       ? "Loss (lower is better)"
         : quantity == Quantity::kAccuracy ? "Accuracy"
                                           : "AUROC";
}

std::string value_text(Quantity quantity, double value) {
  return quantity == Quantity::kAccuracy ? fmt::format("{:.1f} %", 100.0 * value) : fmt::format("{:.3f}", value);
}

struct MarkedEpoch {
  std::size_t place;  // in the history
  const char* why;
};

std::optional<MarkedEpoch> marked_epoch(const std::vector<EpochRecord>& history, std::optional<std::int64_t> scored) {
  for (std::size_t i = 0; scored && i < history.size(); ++i)
    if (history[i].epoch == *scored) return MarkedEpoch{i, "scored"};
  if (const auto lowest = lowest_loss_epoch(history)) return MarkedEpoch{*lowest, "lowest loss"};
  return {};
}

void mark_epoch(const Plot& plot, Quantity quantity, const Series& series, const MarkedEpoch& marked) {
  const Point value = series.points[marked.place];
  const bool has_value = std::isfinite(value.y);
  if (series.points.size() > 1) {
    const std::string words = fmt::format("{}: epoch {:.0f}", marked.why, value.x);
    plot.mark_x(value.x, has_value ? words + ", " + value_text(quantity, value.y) : words, Ink::kGreen);
  }
  if (!has_value) return;
  plot.canvas().dot(plot.at(value.x, value.y), 5.0, series.ink);
  if (series.points.size() == 1) plot.note(value, value_text(quantity, value.y), series.ink);
}

void draw_panel(Canvas& canvas, const Box& box, const std::vector<EpochRecord>& history, Quantity quantity,
                std::optional<std::int64_t> scored = {}) {
  const auto series = series_of(history, quantity);
  Axis x = whole_number_axis(static_cast<double>(history.front().epoch), static_cast<double>(history.back().epoch), 8);
  x.title = "epoch";
  const Plot plot(canvas, box, title_of(quantity), std::move(x), y_axis(series, quantity));
  plot.legend(series);
  for (const Series& s : series) plot.draw(s, history.size() <= kMostDots);
  if (const auto marked = marked_epoch(history, scored)) mark_epoch(plot, quantity, series.back(), *marked);
}

std::vector<Quantity> quantities(const std::vector<EpochRecord>& history) {
  std::vector<Quantity> drawn;
  for (const Quantity q : {Quantity::kLoss, Quantity::kAccuracy, Quantity::kAuroc}) {
    if (!history.empty() && !series_of(history, q).empty()) drawn.push_back(q);
  }
  return drawn;
}

double sheet_width(std::size_t n_panels) {
  const auto n = static_cast<double>(std::max<std::size_t>(n_panels, 1));
  return 2.0 * kMargin + n * kPanelWidth + (n - 1.0) * kPanelGap;
}

void draw_sheet(Canvas& canvas, const std::vector<EpochRecord>& history) {
  const auto panels = quantities(history);
  if (panels.empty()) {
    canvas.words({0.5 * sheet_width(0), 0.5 * kPanelHeight + kMargin}, "No epoch has ended yet.",
                 {.size = 15.0, .ink = Ink::kMuted, .anchor = Anchor::kMiddle});
  }
  double x = kMargin;
  for (const Quantity q : panels) {
    draw_panel(canvas, {x, kMargin, kPanelWidth, kPanelHeight}, history, q);
    x += kPanelWidth + kPanelGap;
  }
}

std::string description(const std::vector<EpochRecord>& history) {
  const auto place = lowest_loss_epoch(history);
  if (!place) return fmt::format("{} epochs.", history.size());
  const EpochRecord& lowest = history[*place];
  std::string text = fmt::format("{} epochs; the lowest loss is that of epoch {}: training loss {:.4f}", history.size(),
                                 lowest.epoch, lowest.train_loss);
  if (lowest.val_loss) text += fmt::format(", validation loss {:.4f}", *lowest.val_loss);
  if (lowest.val_accuracy) text += fmt::format(", validation accuracy {:.3f}", *lowest.val_accuracy);
  if (lowest.val_auroc) text += fmt::format(", validation AUROC {:.4f}", *lowest.val_auroc);
  return text + ".";
}

}  // namespace

void write_curves(const std::vector<EpochRecord>& history, const std::filesystem::path& folder) {
  const double width = sheet_width(quantities(history).size()), height = kPanelHeight + 2.0 * kMargin;
  SvgCanvas svg(width, height, "curves", "Training curves", description(history));
  draw_sheet(svg, history);
  write_text_file(folder / "curves.svg", svg.standalone_svg());
  PngCanvas png(width, height, 2.0);
  draw_sheet(png, history);
  png.write(folder / "curves.png");
}

std::vector<std::string> curve_panels(const std::vector<EpochRecord>& history, std::optional<std::int64_t> scored) {
  std::vector<std::string> panels;
  for (const Quantity q : quantities(history)) {
    SvgCanvas svg(kPanelWidth, kPanelHeight, fmt::format("curve{}", panels.size()),
                  fmt::format("{} over epochs", title_of(q)), description(history));
    draw_panel(svg, {0.0, 0.0, kPanelWidth, kPanelHeight}, history, q, scored);
    panels.push_back(svg.inline_svg());
  }
  return panels;
}

}  // namespace xrai
