// See evaluation_charts.h.
#include "apps/report/evaluation_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/report/plot.h"
#include "apps/report/svg_canvas.h"

namespace xrai {
namespace {

constexpr double kWidth = 370.0, kHeight = 370.0;  // about square, for three in a row
constexpr Box kBox{0.0, 0.0, kWidth, kHeight};
constexpr Box kWideBox{0.0, 0.0, 480.0, 290.0};
constexpr std::size_t kScoreBins = 10;

Axis rate_axis(const std::string& title) {
  Axis axis = round_axis(0.0, 1.0, 5, 0.0, 1.0);
  axis.percent = true;
  axis.title = title;
  return axis;
}

Axis probability_axis(const std::string& title) {
  Axis axis = rate_axis(title);
  axis.percent = false;
  return axis;
}

bool is_binary(const Evaluation& e) {
  return e.classes.size() == 2;
}

std::string legend_name(const Evaluation& e, const ClassCurves& curves, const std::optional<double>& area) {
  const std::string& name = e.classes[static_cast<std::size_t>(curves.positive)];
  return area ? fmt::format("{} {:.3f}", name, *area) : name;
}

/// All classes' curves and the legend; one class only has its area in the title already.
void draw_curves(const Plot& plot, const std::vector<Series>& series) {
  for (const Series& s : series) plot.draw(s, false);
  if (series.size() > 1) plot.legend(series);
}

void draw_operating_point(const Plot& plot, const Evaluation& e, Point at) {
  plot.canvas().dot(plot.at(at.x, at.y), 6.0, Ink::kVermillion);
  plot.note(at, fmt::format("threshold {:.2f}", e.threshold), Ink::kVermillion);
}

/// Sensitivity and false alarms at the threshold, each with its interval.
struct OperatingCross {
  Point at;
  Interval false_alarms, found;
};

std::optional<OperatingCross> operating_cross(const Evaluation& e) {
  if (!is_binary(e)) return std::nullopt;
  const Rate found = sensitivity(e.confusion, 1), spared = specificity(e.confusion, 1);
  const auto of_found = wilson_interval(found), of_spared = wilson_interval(spared);
  if (!of_found || !of_spared) return std::nullopt;
  return OperatingCross{
      {1.0 - *spared.value(), *found.value()}, {1.0 - of_spared->high, 1.0 - of_spared->low}, *of_found};
}

/// Bars of the two intervals through the operating point; `at` maps rates to pixels.
template <class At>
void draw_cross(Canvas& canvas, const OperatingCross& cross, At at) {
  const Line bar{.ink = Ink::kVermillion, .width = 2.0};
  canvas.line(std::vector<Point>{at(cross.false_alarms.low, cross.at.y), at(cross.false_alarms.high, cross.at.y)}, bar);
  canvas.line(std::vector<Point>{at(cross.at.x, cross.found.low), at(cross.at.x, cross.found.high)}, bar);
}

/// The part of a rising curve with x up to `right` and y from `bottom` on, cut where it crosses them.
std::vector<Point> part_of_curve(const std::vector<Point>& curve, double right, double bottom) {
  std::vector<Point> part;
  for (std::size_t i = 1; i < curve.size(); ++i) {
    Point from = curve[i - 1], to = curve[i];
    if (to.y < bottom || from.x > right) continue;
    if (from.y < bottom) from = {std::lerp(from.x, to.x, (bottom - from.y) / (to.y - from.y)), bottom};
    if (to.x > right) to = {right, std::lerp(from.y, to.y, (right - from.x) / (to.x - from.x))};
    if (from.x > right) continue;
    if (part.empty()) part.push_back(from);
    part.push_back(to);
  }
  return part;
}

/// The upper left fifth of a ROC curve drawn larger below it: where good networks differ.
void draw_corner(const Plot& plot, const std::vector<Point>& curve, const std::optional<OperatingCross>& cross) {
  constexpr double kShown = 0.2;  // false alarms from 0, sensitivity up to 1
  Canvas& canvas = plot.canvas();
  const Point top_left = plot.at(0.4, 0.72), bottom_right = plot.at(0.97, 0.15);
  const auto at = [&](double false_alarms, double found) {
    const double right = std::clamp(false_alarms / kShown, 0.0, 1.0),
                 up = std::clamp((found - 1.0) / kShown + 1.0, 0.0, 1.0);
    return Point{top_left.x + right * (bottom_right.x - top_left.x),
                 bottom_right.y - up * (bottom_right.y - top_left.y)};
  };
  const std::vector<Point> frame = {
      top_left, {bottom_right.x, top_left.y}, bottom_right, {top_left.x, bottom_right.y}, top_left};
  canvas.area(frame, Ink::kPaper, 1.0);
  canvas.line(frame, {.ink = Ink::kMuted});
  std::vector<Point> enlarged;
  for (const Point& p : part_of_curve(curve, kShown, 1.0 - kShown)) enlarged.push_back(at(p.x, p.y));
  canvas.line(enlarged, {.ink = Ink::kBlue, .width = 2.0});
  const bool inside = cross && cross->at.x <= kShown && cross->at.y >= 1.0 - kShown;
  if (inside) {
    draw_cross(canvas, *cross, at);
    canvas.dot(at(cross->at.x, cross->at.y), 5.0, Ink::kVermillion);
  }
  const Label small{.size = 10.5, .ink = Ink::kMuted};
  Label at_end = small;
  at_end.anchor = Anchor::kEnd;
  canvas.words({bottom_right.x, top_left.y - 4.0}, inside ? "enlarged, with 95 % bars" : "enlarged", at_end);
  canvas.words({top_left.x - 4.0, top_left.y + 9.0}, "100 %", at_end);
  canvas.words({top_left.x - 4.0, bottom_right.y}, "80 %", at_end);
  canvas.words({top_left.x, bottom_right.y + 12.0}, "0 %", small);
  canvas.words({bottom_right.x, bottom_right.y + 12.0}, "20 %", at_end);
}

/// (mean probability, observed rate) of the bins that hold images.
std::vector<Point> observed_rates(const std::vector<ReliabilityBin>& bins) {
  std::vector<Point> points;
  for (const ReliabilityBin& bin : bins)
    if (const auto rate = Rate{bin.n_hits, bin.n_images}.value()) points.push_back({bin.mean_probability, *rate});
  return points;
}

struct ScoreShares {
  std::array<std::string, 2> names;
  std::array<std::array<double, kScoreBins>, 2> shares{};  // of the images of that kind
};

ScoreShares score_shares(const Evaluation& e, const Predictions& p) {
  ScoreShares result;
  const std::size_t k = p.classes.size();
  const auto predicted = decide(p.probabilities, p.n_classes(), e.threshold);
  std::array<double, 2> totals{};
  for (std::size_t i = 0; i < p.labels.size(); ++i) {
    const std::size_t shown = k == 2 ? 1 : static_cast<std::size_t>(predicted[i]);
    const std::size_t kind = k == 2 ? static_cast<std::size_t>(p.labels[i]) : (predicted[i] == p.labels[i] ? 0 : 1);
    const auto bin = static_cast<std::size_t>(static_cast<double>(p.probabilities[i * k + shown]) * kScoreBins);
    result.shares[kind][std::min(bin, kScoreBins - 1)] += 1.0;
    totals[kind] += 1.0;
  }
  for (std::size_t kind = 0; kind < 2; ++kind) {
    for (double& share : result.shares[kind]) share /= std::max(totals[kind], 1.0);
  }
  const auto named = [&](const std::string& name, double total) { return fmt::format("{} ({:.0f})", name, total); };
  result.names = k == 2 ? std::array{named(p.classes[0], totals[0]), named(p.classes[1], totals[1])}
                        : std::array{named("right answers", totals[0]), named("wrong answers", totals[1])};
  return result;
}

}  // namespace

std::string roc_chart(const Evaluation& e) {
  std::vector<Series> series;
  for (const ClassCurves& curves : e.curves) {
    if (curves.roc.empty()) continue;
    Series s{
        legend_name(e, curves, curves.auroc), series_ink(static_cast<std::size_t>(curves.positive) - is_binary(e)), {}};
    for (const RocPoint& p : curves.roc) s.points.push_back({p.false_positive_rate, p.true_positive_rate});
    series.push_back(std::move(s));
  }
  const auto& auroc = e.metric("auroc").value;
  if (series.empty()) return {};
  const std::string area = auroc ? fmt::format("area {:.3f}", *auroc) : "area undefined";
  SvgCanvas svg(
      kWidth, kHeight, "roc", "ROC curve, " + area,
      "Share of positive images found against share of negative images called positive, for every threshold.");
  const Plot plot(svg, kBox, "ROC curve, " + area, rate_axis("false alarms (1 \u2212 specificity)"),
                  rate_axis("found (sensitivity)"));
  svg.line(std::vector<Point>{plot.at(0, 0), plot.at(1, 1)}, {.ink = Ink::kMuted, .dashed = true});
  constexpr double kWorthEnlarging = 0.9;
  const bool enlarged = is_binary(e) && auroc.value_or(0.0) >= kWorthEnlarging;
  const Point guessing = enlarged ? plot.at(0.1, 0.05) : plot.at(0.64, 0.6);
  svg.words(guessing, "guessing", {.size = 11.5, .ink = Ink::kMuted});
  draw_curves(plot, series);
  const auto cross = operating_cross(e);
  if (enlarged) draw_corner(plot, series.front().points, cross);
  if (cross) {
    draw_cross(svg, *cross, [&](double x, double y) { return plot.at(x, y); });
    draw_operating_point(plot, e, cross->at);
  }
  return svg.inline_svg();
}

std::string precision_recall_chart(const Evaluation& e) {
  std::vector<Series> series;
  for (const ClassCurves& curves : e.curves) {
    if (curves.precision_recall.empty()) continue;
    Series s{legend_name(e, curves, curves.average_precision),
             series_ink(static_cast<std::size_t>(curves.positive) - is_binary(e)),
             {}};
    for (const PrecisionRecallPoint& p : curves.precision_recall) s.points.push_back({p.recall, p.precision});
    series.push_back(std::move(s));
  }
  if (series.empty()) return {};
  const auto& auprc = e.metric("auprc").value;
  const std::string area = auprc ? fmt::format("area {:.3f}", *auprc) : "area undefined";
  SvgCanvas svg(kWidth, kHeight, "pr", "Precision-recall curve, " + area,
                "Share of alarms that are right against share of positive images found, for every threshold.");
  const Plot plot(svg, kBox, "Precision-recall curve, " + area, rate_axis("found (recall = sensitivity)"),
                  rate_axis("right alarms (precision = PPV)"));
  if (is_binary(e) && e.n_images > 0) {
    const double prevalence = static_cast<double>(e.confusion.labelled(1)) / static_cast<double>(e.n_images);
    svg.line(std::vector<Point>{plot.at(0, prevalence), plot.at(1, prevalence)}, {.ink = Ink::kMuted, .dashed = true});
    const Point words = plot.at(0.02, prevalence);
    svg.words({words.x, words.y + (prevalence > 0.1 ? 15.0 : -6.0)}, "guessing", {.size = 11.5, .ink = Ink::kMuted});
  }
  draw_curves(plot, series);
  const auto found = sensitivity(e.confusion, 1).value(), right = positive_predictive_value(e.confusion, 1).value();
  if (is_binary(e) && found && right) draw_operating_point(plot, e, {*found, *right});
  return svg.inline_svg();
}

std::string score_chart(const Evaluation& e, const Predictions& predictions) {
  if (predictions.labels.empty()) return {};
  const ScoreShares scores = score_shares(e, predictions);
  double highest = 0.05;
  for (const auto& shares : scores.shares) highest = std::max(highest, *std::max_element(shares.begin(), shares.end()));
  Axis y = round_axis(0.0, highest, 5, 0.0, 1.0);
  y.percent = true;
  y.title = is_binary(e) ? "share of the class" : "share of the answers";
  const std::string x_title =
      is_binary(e) ? fmt::format("probability of {}", e.classes[1]) : "probability of the class that was named";
  SvgCanvas svg(kWideBox.width, kWideBox.height, "scores", "Scores by class",
                "How the network's probabilities are spread; two kinds that overlap little are told apart well.");
  const Plot plot(svg, kWideBox, is_binary(e) ? "Scores by true class" : "Scores of right and wrong answers",
                  probability_axis(x_title), std::move(y));
  const std::array<Ink, 2> inks = {Ink::kBlue, Ink::kVermillion};
  for (std::size_t kind = 0; kind < 2; ++kind) {
    for (std::size_t bin = 0; bin < kScoreBins; ++bin) {
      const double left = (static_cast<double>(bin) + 0.06 + 0.44 * static_cast<double>(kind)) / kScoreBins;
      const double right = left + 0.43 / kScoreBins, share = scores.shares[kind][bin];
      if (share <= 0.0) continue;
      svg.area(std::vector<Point>{plot.at(left, 0), plot.at(left, share), plot.at(right, share), plot.at(right, 0)},
               inks[kind], 0.9);
    }
  }
  plot.legend({{scores.names[0], inks[0], {}}, {scores.names[1], inks[1], {}}});
  if (is_binary(e)) plot.mark_x(e.threshold, fmt::format("threshold {:.2f}", e.threshold), Ink::kGreen);
  return svg.inline_svg();
}

std::string reliability_chart(const Evaluation& e) {
  if (e.n_images == 0) return {};
  SvgCanvas svg(kWidth, kHeight, "reliability", "Reliability",
                "How often the network is right against how sure it is; on the dashed line both are equal.");
  const Plot plot(svg, kBox, fmt::format("Reliability, calibration error {:.3f}", e.metric("ece").value.value_or(0.0)),
                  probability_axis(is_binary(e) ? fmt::format("probability of {}", e.classes[1])
                                                : "probability of the class that was named"),
                  rate_axis(is_binary(e) ? fmt::format("really {}", e.classes[1]) : "rightly named"));
  svg.line(std::vector<Point>{plot.at(0, 0), plot.at(1, 1)}, {.ink = Ink::kMuted, .dashed = true});
  if (e.uncalibrated) {
    const Series before{"before temperature scaling", Ink::kVermillion, observed_rates(e.uncalibrated->reliability),
                        true};
    const Series after{"calibrated", Ink::kBlue, observed_rates(e.reliability)};
    plot.draw(before, true);
    plot.draw(after, false);
    plot.legend({before, after});
  } else {
    svg.words({4.0, 39.0}, "larger dot: more images; bar: 95 % interval", {.size = 11.5, .ink = Ink::kMuted});
  }
  for (const ReliabilityBin& bin : e.reliability) {
    const Rate observed{bin.n_hits, bin.n_images};
    const auto interval = wilson_interval(observed);
    if (!interval) continue;
    const double x = bin.mean_probability;
    svg.line(std::vector<Point>{plot.at(x, interval->low), plot.at(x, interval->high)},
             {.ink = Ink::kBlue, .width = 1.5});
    const double share = static_cast<double>(bin.n_images) / static_cast<double>(e.n_images);
    svg.dot(plot.at(x, *observed.value()), 3.5 + 7.0 * std::sqrt(share), Ink::kBlue);
  }
  return svg.inline_svg();
}

}  // namespace xrai
