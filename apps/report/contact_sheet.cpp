#include "apps/report/contact_sheet.h"

#include <cairo.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "runtime/core/error.h"
#include "runtime/core/file_io.h"

namespace xrai {
namespace {

constexpr int kThumbnail = 128, kThumbnailGap = 6, kSheetMargin = 16, kTitle = 34, kCaption = 24;

struct DestroySurface {
  void operator()(cairo_surface_t* surface) const noexcept { cairo_surface_destroy(surface); }
};
struct DestroyContext {
  void operator()(cairo_t* context) const noexcept { cairo_destroy(context); }
};
using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;
using Context = std::unique_ptr<cairo_t, DestroyContext>;

Surface new_surface(int width, int height) {
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height));
  if (cairo_surface_status(surface.get()) != CAIRO_STATUS_SUCCESS) throw std::bad_alloc();
  return surface;
}

Surface surface_of(const GreyImage& picture) {
  Surface surface = new_surface(picture.width, picture.height);
  cairo_surface_flush(surface.get());
  unsigned char* bytes = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  for (int y = 0; y < picture.height; ++y) {
    auto* out = reinterpret_cast<std::uint32_t*>(bytes + static_cast<std::ptrdiff_t>(y) * stride);
    for (int x = 0; x < picture.width; ++x) out[x] = 0x010101U * picture.row(y)[x];
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

void write_words(cairo_t* context, double x, double y, double size, double grey, const std::string& text) {
  cairo_set_source_rgb(context, grey, grey, grey);
  cairo_set_font_size(context, size);
  cairo_move_to(context, x, y);
  cairo_show_text(context, text.c_str());
}

void draw_thumbnail(cairo_t* context, const GreyImage& picture, double x, double y) {
  const Surface surface = surface_of(picture);
  const double scale = static_cast<double>(kThumbnail) / std::max(picture.width, picture.height);
  cairo_save(context);
  cairo_translate(context, x, y);
  cairo_scale(context, scale, scale);
  cairo_set_source_surface(context, surface.get(), 0, 0);
  cairo_pattern_set_filter(cairo_get_source(context), CAIRO_FILTER_GOOD);
  cairo_paint(context);
  cairo_restore(context);
}

}  // namespace

void write_contact_sheet(const std::filesystem::path& path, const std::string& title,
                         const std::vector<SheetRow>& rows) {
  std::size_t columns = 4;  // room for the title
  for (const SheetRow& row : rows) columns = std::max(columns, row.pictures.size());
  const int width = 2 * kSheetMargin + static_cast<int>(columns) * (kThumbnail + kThumbnailGap) - kThumbnailGap;
  const int row_height = kCaption + kThumbnail + kThumbnailGap;
  const Surface sheet =
      new_surface(width, kSheetMargin + kTitle + static_cast<int>(rows.size()) * row_height + kSheetMargin);
  const Context context(cairo_create(sheet.get()));
  cairo_set_source_rgb(context.get(), 0.11, 0.12, 0.13);
  cairo_paint(context.get());
  cairo_select_font_face(context.get(), "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  write_words(context.get(), kSheetMargin, kSheetMargin + 16, 16, 0.95, title);
  double y = kSheetMargin + kTitle;
  for (const SheetRow& row : rows) {
    write_words(context.get(), kSheetMargin, y + 15, 13, 0.75, row.caption);
    double x = kSheetMargin;
    for (const GreyImage& picture : row.pictures) {
      draw_thumbnail(context.get(), picture, x, y + kCaption);
      x += kThumbnail + kThumbnailGap;
    }
    y += row_height;
  }
  write_aside_and_rename(path, [&](const std::filesystem::path& aside) {
    const cairo_status_t status = cairo_surface_write_to_png(sheet.get(), aside.c_str());
    if (status != CAIRO_STATUS_SUCCESS)
      throw Error(ExitCode::kStorage,
                  fmt::format("cannot write the contact sheet {}: {}", path.string(), cairo_status_to_string(status)));
  });
}

}  // namespace xrai
