// See png_canvas.h.
#include "apps/report/png_canvas.h"

#include <cairo.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <numbers>

#include "runtime/core/error.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

double channel(Ink ink, std::size_t i) {
  const std::string_view digits = hex_colour(ink).substr(1 + 2 * i, 2);
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value / 255.0;
}

// As cairo keeps colours: alpha first, the others already multiplied by it.
std::uint32_t premultiplied(const std::uint8_t* rgba) {
  const auto scaled = [&](int i) { return static_cast<std::uint32_t>((rgba[i] * rgba[3] + 127) / 255); };
  return std::uint32_t{rgba[3]} << 24 | scaled(0) << 16 | scaled(1) << 8 | scaled(2);
}

}  // namespace

struct PngCanvas::State {
  cairo_surface_t* surface = nullptr;
  cairo_t* cairo = nullptr;

  State(double width, double height, double scale)
      : surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(std::lround(width * scale)),
                                           static_cast<int>(std::lround(height * scale)))),
        cairo(cairo_create(surface)) {
    cairo_scale(cairo, scale, scale);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
  }

  void use(Ink ink, double opacity = 1.0) const {
    cairo_set_source_rgba(cairo, channel(ink, 0), channel(ink, 1), channel(ink, 2), opacity);
  }
  void path(std::span<const Point> points) const {
    cairo_new_path(cairo);
    for (const Point& p : points) cairo_line_to(cairo, p.x, p.y);
  }
};

PngCanvas::PngCanvas(double width, double height, double scale)
    : state_(std::make_unique<State>(width, height, scale)) {
  if (cairo_status(state_->cairo) != CAIRO_STATUS_SUCCESS) {
    throw Error(ExitCode::kOutOfMemory,
                fmt::format("no memory for a picture of {} x {} pixels: {}", width * scale, height * scale,
                            cairo_status_to_string(cairo_status(state_->cairo))));
  }
  state_->use(Ink::kPaper);
  cairo_paint(state_->cairo);
}

PngCanvas::~PngCanvas() = default;

void PngCanvas::line(std::span<const Point> points, const Line& line) {
  state_->path(points);
  state_->use(line.ink);
  cairo_set_line_width(state_->cairo, line.width);
  const double dashes[] = {4.0, 4.0};
  cairo_set_dash(state_->cairo, dashes, line.dashed ? 2 : 0, 0.0);
  cairo_stroke(state_->cairo);
}

void PngCanvas::area(std::span<const Point> outline, Ink fill, double opacity) {
  state_->path(outline);
  cairo_close_path(state_->cairo);
  state_->use(fill, opacity);
  cairo_fill(state_->cairo);
}

void PngCanvas::dot(Point centre, double radius, Ink fill) {
  cairo_new_path(state_->cairo);
  cairo_arc(state_->cairo, centre.x, centre.y, radius, 0.0, 2.0 * std::numbers::pi);
  state_->use(fill);
  cairo_fill_preserve(state_->cairo);
  state_->use(Ink::kPaper);
  cairo_set_line_width(state_->cairo, 1.0);
  cairo_set_dash(state_->cairo, nullptr, 0, 0.0);
  cairo_stroke(state_->cairo);
}

void PngCanvas::words(Point at, std::string_view text, const Label& label) {
  cairo_t* cairo = state_->cairo;
  const std::string terminated(text);
  cairo_select_font_face(cairo, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                         label.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  // DejaVu is wide: at 0.93 of the size it takes the room of the sans-serif fonts that browsers choose.
  cairo_set_font_size(cairo, 0.93 * label.size);
  cairo_text_extents_t extents;
  cairo_text_extents(cairo, terminated.c_str(), &extents);
  const double shift = label.anchor == Anchor::kStart ? 0.0 : label.anchor == Anchor::kMiddle ? 0.5 : 1.0;
  state_->use(label.ink);
  cairo_save(cairo);
  cairo_translate(cairo, at.x, at.y);
  if (label.upwards) cairo_rotate(cairo, -0.5 * std::numbers::pi);
  cairo_move_to(cairo, -shift * extents.x_advance, 0.0);
  cairo_show_text(cairo, terminated.c_str());
  cairo_restore(cairo);
}

void PngCanvas::picture(const Box& box, std::span<const std::uint8_t> rgba, std::int64_t width, std::int64_t height) {
  cairo_surface_t* pixels =
      cairo_image_surface_create(CAIRO_FORMAT_ARGB32, static_cast<int>(width), static_cast<int>(height));
  if (cairo_surface_status(pixels) != CAIRO_STATUS_SUCCESS) {
    cairo_surface_destroy(pixels);
    throw Error(ExitCode::kOutOfMemory, fmt::format("no memory for a picture of {} x {} pixels", width, height));
  }
  unsigned char* bytes = cairo_image_surface_get_data(pixels);
  const int stride = cairo_image_surface_get_stride(pixels);
  for (std::int64_t y = 0; y < height; ++y) {
    auto* row = reinterpret_cast<std::uint32_t*>(bytes + y * stride);
    for (std::int64_t x = 0; x < width; ++x)
      row[x] = premultiplied(&rgba[static_cast<std::size_t>(4 * (y * width + x))]);
  }
  cairo_surface_mark_dirty(pixels);
  cairo_t* cairo = state_->cairo;
  cairo_save(cairo);
  cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
  cairo_clip(cairo);
  cairo_translate(cairo, box.x, box.y);
  cairo_scale(cairo, box.width / static_cast<double>(width), box.height / static_cast<double>(height));
  cairo_set_source_surface(cairo, pixels, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(cairo), CAIRO_FILTER_GOOD);
  cairo_pattern_set_extend(cairo_get_source(cairo), CAIRO_EXTEND_PAD);
  cairo_paint(cairo);
  cairo_restore(cairo);
  cairo_surface_destroy(pixels);
}

void PngCanvas::write(const std::filesystem::path& path) const {
  write_aside_and_rename(path, [&](const std::filesystem::path& aside) {
    const cairo_status_t status = cairo_surface_write_to_png(state_->surface, aside.c_str());
    if (status != CAIRO_STATUS_SUCCESS) {
      throw Error(ExitCode::kStorage, fmt::format("cannot write the picture {}: {}; free some space or choose another "
                                                  "folder",
                                                  path.string(), cairo_status_to_string(status)));
    }
  });
}

}  // namespace xrai
