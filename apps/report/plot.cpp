// See plot.h.
#include "apps/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace xrai {
namespace {

constexpr double kLeft = 52.0, kRight = 20.0, kTop = 58.0, kBottom = 44.0;  // room around the area for words
constexpr double kTitleRoom = 16.0;                                         // more at the left for a title of y

double round_step(double range, int n_ticks) {
  const double rough = range / n_ticks;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power * 1.0001) return factor * power;
  }
  return 10.0 * power;
}

int decimals_of(double step) {
  return std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
}

}  // namespace

std::string Axis::text(double value) const {
  if (percent) return fmt::format("{:.{}f} %", 100.0 * value, std::max(0, decimals - 2));
  return fmt::format("{:.{}f}", value == 0.0 ? 0.0 : value, decimals);  // no "-0"
}

Axis round_axis(double low, double high, int n_ticks, std::optional<double> floor, std::optional<double> ceiling) {
  if (!(high > low)) {  // one value only: some room around it
    const double room = low == 0.0 ? 0.5 : 0.05 * std::abs(low);
    low -= room;
    high += room;
  }
  if (floor) low = std::max(low, *floor);
  if (ceiling) high = std::min(high, *ceiling);
  const double step = round_step(high - low, n_ticks);
  Axis axis;
  axis.low = std::floor(low / step + 1e-9) * step;
  axis.high = std::ceil(high / step - 1e-9) * step;
  axis.decimals = decimals_of(step);
  const auto n_steps = static_cast<int>(std::lround((axis.high - axis.low) / step));
  for (int i = 0; i <= n_steps; ++i) axis.ticks.push_back(axis.low + i * step);
  return axis;
}

Axis whole_number_axis(double first, double last, int n_ticks) {
  Axis axis;
  axis.decimals = 0;
  if (last <= first) {
    axis.low = first - 1.0;
    axis.high = first + 1.0;
    axis.ticks = {first};
    return axis;
  }
  axis.low = first;
  axis.high = last;
  const double step = std::max(1.0, round_step(last - first, n_ticks));
  const double first_round = std::ceil(first / step) * step;
  if (first_round - first > 0.35 * step) axis.ticks.push_back(first);
  for (double tick = first_round; tick <= last + 1e-9; tick += step) axis.ticks.push_back(tick);
  return axis;
}

Plot::Plot(Canvas& canvas, const Box& box, const std::string& title, Axis x, Axis y)
    : canvas_(canvas),
      area_{box.x + kLeft, box.y + kTop, box.width - kLeft - kRight, box.height - kTop - kBottom},
      legend_at_{box.x + 4.0, box.y + 39.0},
      x_(std::move(x)),
      y_(std::move(y)) {
  if (!y_.title.empty()) {
    area_.x += kTitleRoom;
    area_.width -= kTitleRoom;
  }
  canvas_.words({box.x + 4.0, box.y + 18.0}, title, {.size = 15.0, .bold = true});
  for (const double tick : y_.ticks) {
    const Point left = at(x_.low, tick);
    canvas_.line(std::vector<Point>{left, {area_.right(), left.y}}, {.ink = Ink::kGrid});
    canvas_.words({area_.x - 8.0, left.y + 4.0}, y_.text(tick),
                  {.size = 11.5, .ink = Ink::kMuted, .anchor = Anchor::kEnd});
  }
  canvas_.line(std::vector<Point>{{area_.x, area_.bottom()}, {area_.right(), area_.bottom()}}, {.ink = Ink::kMuted});
  for (const double tick : x_.ticks) {
    const Point bottom = at(tick, y_.low);
    canvas_.line(std::vector<Point>{bottom, {bottom.x, bottom.y + 4.0}}, {.ink = Ink::kMuted});
    canvas_.words({bottom.x, bottom.y + 18.0}, x_.text(tick),
                  {.size = 11.5, .ink = Ink::kMuted, .anchor = Anchor::kMiddle});
  }
  canvas_.words({area_.x + 0.5 * area_.width, area_.bottom() + 36.0}, x_.title,
                {.size = 12.0, .ink = Ink::kMuted, .anchor = Anchor::kMiddle});
  if (!y_.title.empty()) {
    canvas_.words({box.x + 11.0, area_.y + 0.5 * area_.height}, y_.title,
                  {.size = 12.0, .ink = Ink::kMuted, .anchor = Anchor::kMiddle, .upwards = true});
  }
}

Point Plot::at(double x, double y) const {
  return {area_.x + (x - x_.low) / (x_.high - x_.low) * area_.width,
          area_.bottom() - (y - y_.low) / (y_.high - y_.low) * area_.height};
}

void Plot::draw(const Series& series, bool dots) const {
  std::vector<Point> run;
  const auto end_run = [&] {
    if (run.size() > 1) canvas_.line(run, {.ink = series.ink, .width = 2.0, .dashed = series.dashed});
    if (dots || run.size() == 1) {
      for (const Point& p : run) canvas_.dot(p, run.size() == 1 ? 4.0 : 3.0, series.ink);
    }
    run.clear();
  };
  for (const Point& p : series.points) {
    if (std::isfinite(p.x) && std::isfinite(p.y)) {
      run.push_back(at(p.x, p.y));
    } else {
      end_run();
    }
  }
  end_run();
}

void Plot::legend(const std::vector<Series>& series) const {
  double x = legend_at_.x;
  for (const Series& s : series) {
    canvas_.line(std::vector<Point>{{x, legend_at_.y - 4.0}, {x + 18.0, legend_at_.y - 4.0}},
                 {.ink = s.ink, .width = 3.0, .dashed = s.dashed});
    canvas_.words({x + 24.0, legend_at_.y}, s.name, {.size = 12.0, .ink = Ink::kMuted});
    x += 24.0 + estimated_width(s.name, 12.0) + 16.0;
  }
}

void Plot::mark_x(double x, std::string_view words, Ink ink) const {
  const double place = at(x, y_.low).x;
  canvas_.line(std::vector<Point>{{place, area_.y}, {place, area_.bottom()}},
               {.ink = ink, .width = 1.2, .dashed = true});
  const bool room_at_right = place + 6.0 + estimated_width(words, 11.5) < area_.right();
  canvas_.words({place + (room_at_right ? 5.0 : -5.0), area_.y - 4.0}, words,
                {.size = 11.5, .ink = ink, .anchor = room_at_right ? Anchor::kStart : Anchor::kEnd});
}

void Plot::note(Point value, std::string_view words, Ink ink) const {
  const Point place = at(value.x, value.y);
  const bool room_at_right = place.x + 10.0 + estimated_width(words, 12.0) < area_.right();
  const double down = place.y > area_.bottom() - 24.0 ? -8.0 : 18.0;  // curves fall or stay: below is free
  canvas_.words({place.x + (room_at_right ? 10.0 : -10.0), place.y + down}, words,
                {.size = 12.0, .ink = ink, .anchor = room_at_right ? Anchor::kStart : Anchor::kEnd, .bold = true});
}

}  // namespace xrai
