#include "apps/explain/network_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "apps/explain/filter_kernel.h"
#include "apps/explain/map_colours.h"
#include "apps/explain/network_words.h"
#include "apps/report/heat_map_picture.h"
#include "apps/report/html.h"
#include "apps/report/html_page.h"
#include "apps/report/mistakes.h"
#include "apps/report/png_data.h"

namespace xrai {
namespace {

constexpr std::size_t kMostMaps = 24;  // of a layer; more than that nobody looks at
constexpr std::int64_t kBarSteps = 160;

constexpr std::string_view kStyle = R"css(
.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(84px,1fr));gap:8px;margin:8px 0 4px}
.filters{grid-template-columns:repeat(auto-fill,minmax(68px,1fr));max-width:760px}
.maps img,.strip{display:block;width:100%;image-rendering:pixelated;border:1px solid var(--grid);border-radius:4px}
.maps img{aspect-ratio:1}
.strip{height:34px}
.maps figure,.shots figure{margin:0}
.maps figcaption{font-size:12px;margin-top:1px;color:var(--muted);text-align:center}
.shots{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,340px));gap:22px;margin-top:10px}
.shots img{display:block;width:100%;height:auto;aspect-ratio:1;border-radius:8px;background:#000}
.shots img.over{position:absolute;left:0;top:0;height:100%;background:none}
.bar{display:flex;gap:8px;align-items:center;font-size:13px;color:var(--muted);margin:2px 0 10px}
.bar img{width:160px;height:11px;border:1px solid var(--grid);border-radius:3px}
.answer{display:grid;grid-template-columns:minmax(90px,max-content) minmax(80px,420px) max-content;gap:8px 14px;align-items:center;
margin:10px 0}
.answer span{height:16px;border-radius:4px;background:var(--grid);overflow:hidden}
.answer i{display:block;height:100%;background:var(--blue)}
.answer b{font-variant-numeric:tabular-nums}
.step{font-size:13px;color:var(--muted);font-weight:600;letter-spacing:.04em;text-transform:uppercase;margin:0}
)css";

bool has_maps(const LayerMaps& layer) {
  return layer.shape.height * layer.shape.width > 1;
}

std::vector<float> channel_of(const LayerMaps& layer, std::int64_t channel) {
  std::vector<float> values;
  for (std::size_t i = static_cast<std::size_t>(channel); i < layer.values.size();
       i += static_cast<std::size_t>(layer.shape.channels))
    values.push_back(layer.values[i]);
  return values;
}

std::string rgb_image(std::span<const float> values, std::int64_t height, std::int64_t width,
                      const ColourRange& range) {
  std::vector<std::uint8_t> rgb;
  for (const float value : values) {
    const Rgb colour = colour_of(value, range);
    rgb.insert(rgb.end(), colour.begin(), colour.end());
  }
  return png_data(rgb, width, height, PngColours::kRgb);
}

/// A sentence of network_words.h with what belongs into its places.
template <class... Values>
std::string filled(const std::string& sentence, const Values&... values) {
  return fmt::format(fmt::runtime(sentence), values...);
}

std::string number(double value) {
  return fmt::format("{:.3g}", value);
}

std::string bar(const ColourRange& range, const NetworkWords& words) {
  return fmt::format("<p class=\"bar\"><span>{}</span><img src=\"{}\" alt=\"{}\"/><span>{}</span></p>\n",
                     number(range.low), png_data(colour_bar(range, kBarSteps), kBarSteps, 1, PngColours::kRgba),
                     words.colours, number(range.high));
}

std::string section(std::string_view step, const std::string& title, const std::string& body) {
  return fmt::format("<section class=\"long\">\n<p class=\"step\">{}</p>\n<h2>{}</h2>\n{}</section>\n", step, title,
                     body);
}

std::string figure(const std::string& image, const std::string& words, std::string_view over = {}) {
  return fmt::format(
      "<figure><div class=\"shot\"><img src=\"{}\" alt=\"{}\"/>{}</div><figcaption>{}</figcaption></figure>\n", image,
      words, over, words);
}

// ---- the picture ----

std::string picture_section(const NetworkPage& page, const NetworkWords& words) {
  const LayerMaps& seen = page.layers.front();
  const auto [least, most] = std::minmax_element(seen.values.begin(), seen.values.end());
  const ColourRange grey{*least, *most > *least ? *most : *least + 1, false};
  const std::int64_t height = seen.shape.height, width = seen.shape.width;
  return section(
      words.picture_step, words.picture_title,
      fmt::format("<p>{}</p>\n<div class=\"shots\">\n{}{}</div>\n",
                  filled(words.picture_text, height, width, number(*least), number(*most)),
                  figure(png_data_uri(page.picture.pixels, page.picture.width, page.picture.height),
                         filled(words.stored_picture, page.picture.height, page.picture.width)),
                  figure(rgb_image(seen.values, height, width, grey), filled(words.seen_picture, height, width))));
}

// ---- the first filters ----

std::string weights_words(std::span<const float> weights, std::int64_t width) {
  std::string words;
  for (std::size_t i = 0; i < weights.size(); ++i)
    words += fmt::format("{}{}",
                         i == 0                                      ? ""
                         : static_cast<std::int64_t>(i) % width == 0 ? "; "
                                                                     : ", ",
                         weight_text(weights[i]));
  return words;
}

std::string filters_section(const FirstFilters& filters, const NetworkWords& words) {
  if (filters.layer.empty()) return {};
  const Shape& shape = filters.shape;
  const std::int64_t places = shape.height * shape.width;
  const ColourRange range = range_of(filters.weights);
  std::string tiles;
  for (std::int64_t filter = 0; filter < shape.n; ++filter) {
    std::vector<float> weights;  // of the first channel: the picture has one
    for (std::int64_t place = 0; place < places; ++place)
      weights.push_back(filters.weights[static_cast<std::size_t>((filter * places + place) * shape.channels)]);
    tiles += fmt::format("<figure><img src=\"{}\" alt=\"{} {}\" title=\"{}\"/><figcaption>{}</figcaption></figure>\n",
                         rgb_image(weights, shape.height, shape.width, range), words.filter, filter + 1,
                         weights_words(weights, shape.width), filter + 1);
  }
  return section(words.filters_step, filled(words.filters_title, html_escape(filters.layer)),
                 fmt::format("<p>{}</p>\n{}<div class=\"maps filters\">\n{}</div>\n",
                             filled(words.filters_text, shape.height, shape.width), bar(range, words), tiles));
}

// ---- the layers ----

// The maps with the largest mean value, in their own order; the same for all layers of a stage.
std::vector<std::int64_t> strongest_maps(const LayerMaps& layer) {
  std::vector<double> strength(static_cast<std::size_t>(layer.shape.channels), 0.0);
  for (std::size_t i = 0; i < layer.values.size(); ++i) strength[i % strength.size()] += std::abs(layer.values[i]);
  std::vector<std::int64_t> order(strength.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return strength[static_cast<std::size_t>(a)] > strength[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(order.size(), kMostMaps));
  std::sort(order.begin(), order.end());
  return order;
}

std::string layer_maps(const LayerMaps& layer, const std::vector<std::int64_t>& chosen, const NetworkWords& words) {
  const ColourRange range = range_of(layer.values);
  std::string tiles;
  for (const std::int64_t channel : chosen)
    tiles += fmt::format("<figure><img src=\"{}\" alt=\"{} {}, {}\"/><figcaption>{}</figcaption></figure>\n",
                         rgb_image(channel_of(layer, channel), layer.shape.height, layer.shape.width, range), words.map,
                         channel + 1, html_escape(layer.name), channel + 1);
  return bar(range, words) + "<div class=\"maps\">\n" + tiles + "</div>\n";
}

std::string layer_vector(const LayerMaps& layer, const std::vector<ClassProbability>& classes,
                         const NetworkWords& words) {
  const auto count = static_cast<std::int64_t>(layer.values.size());
  if (count == 1 && classes.size() == 2)
    return fmt::format("<p class=\"figure\">{} <span class=\"name\">{}</span></p>\n", number(layer.values[0]),
                       filled(words.speaks_for, html_escape(classes[layer.values[0] > 0 ? 1 : 0].name)));
  const ColourRange range = range_of(layer.values);
  return bar(range, words) + fmt::format("<img class=\"strip\" src=\"{}\" alt=\"{}\"/>\n",
                                         rgb_image(layer.values, 1, count, range), filled(words.numbers, count));
}

std::string layer_heading(const LayerMaps& layer, std::size_t shown, const NetworkWords& words) {
  const Shape& shape = layer.shape;
  std::string size = has_maps(layer)       ? filled(words.maps, shape.channels, shape.height, shape.width)
                     : shape.channels == 1 ? words.one_number
                                           : filled(words.numbers, shape.channels);
  if (has_maps(layer) && shown < static_cast<std::size_t>(shape.channels)) size += filled(words.strongest, shown);
  return fmt::format("<h3>{} <span class=\"name\">{}</span></h3>\n", html_escape(layer.name), size);
}

// Where the stage that begins with layer `first` ends: at the next convolution, or where the maps end.
std::size_t end_of_stage(const std::vector<LayerMaps>& layers, std::size_t first) {
  const bool maps = has_maps(layers[first]);
  std::size_t end = first + 1;
  while (end < layers.size() && has_maps(layers[end]) == maps && !(maps && layers[end].kind == "convolution")) ++end;
  return end;
}

// One section for every convolution with what follows it, one for what stands behind the last maps.
std::string layer_sections(const NetworkPage& page, const NetworkWords& words) {
  const std::vector<LayerMaps>& layers = page.layers;
  std::set<std::string> met;  // kinds of layers
  std::string sections;
  for (std::size_t first = 1, stage = 1, end = 1; first < layers.size(); first = end, ++stage) {
    end = end_of_stage(layers, first);
    const std::vector<std::int64_t> chosen = strongest_maps(layers[end - 1]);
    std::string body;
    for (std::size_t i = first; i < end; ++i) {
      const bool fits = layers[i].shape.channels == layers[end - 1].shape.channels;
      const std::vector<std::int64_t> shown = fits ? chosen : strongest_maps(layers[i]);
      const bool is_new = met.insert(layers[i].kind).second;
      body +=
          layer_heading(layers[i], shown.size(), words) +
          fmt::format("<p>{}</p>\n", layer_sentence(layers[i], layers[i - 1], is_new, page.language)) +
          (has_maps(layers[i]) ? layer_maps(layers[i], shown, words) : layer_vector(layers[i], page.classes, words));
    }
    sections += has_maps(layers[first])
                    ? section(filled(words.stage, stage), stage == 1 ? words.first_stage : words.later_stage, body)
                    : section(words.decision_step, words.decision, body);
  }
  return sections;
}

// ---- where, and what ----

std::string heat_section(const NetworkPage& page, const NetworkWords& words) {
  if (!page.heat_map) return {};
  const GreyImage& picture = page.picture;
  const std::string image = png_data_uri(picture.pixels, picture.width, picture.height);
  const std::string over =
      fmt::format("<img class=\"over\" src=\"{}\" alt=\"{}\"/>",
                  heat_overlay_data(*page.heat_map, picture.width, picture.height), words.evidence);
  return section(
      words.where_step, words.where_title,
      fmt::format("<p>{}</p>\n<p class=\"bar\"><span>{}</span><img src=\"{}\" alt=\"{}\"/><span>{}</span></p>\n"
                  "<div class=\"shots\">\n{}{}</div>\n",
                  filled(words.where_text, html_escape(page.heat_layer), html_escape(page.verdict),
                         page.heat_map->highest() > 0 ? words.peak : words.no_peak),
                  words.no_evidence, heat_legend_data(), words.colours, words.most, figure(image, words.the_picture),
                  figure(image, words.evidence, over)));
}

std::string answer_section(const NetworkPage& page, const NetworkWords& words) {
  std::string rows;
  for (const ClassProbability& one : page.classes)
    rows += fmt::format("<div>{}</div><span><i style=\"width:{:.1f}%\"></i></span><b>{:.1f} %</b>\n",
                        html_escape(one.name), 100 * one.probability, 100 * one.probability);
  std::string text = filled(words.called, "<b>" + html_escape(page.verdict) + "</b>");
  if (page.classes.size() == 2)
    text += " " +
            filled(words.called_from, html_escape(page.classes[1].name), fmt::format("{:.1f} %", 100 * page.threshold));
  return section(words.answer_step, words.answer_title,
                 fmt::format("<div class=\"answer\">\n{}</div>\n<p>{}</p>\n", rows, text));
}

std::string header(const NetworkPage& page, const NetworkWords& words) {
  const auto fact = [](const std::string& name, const std::string& value) {
    return fmt::format("<li>{} <b>{}</b></li>\n", name, html_escape(value));
  };
  std::string notes;
  if (page.n_members > 1) notes += "<p class=\"note\">" + filled(words.ensemble, page.n_members) + "</p>\n";
  if (page.synthetic) notes += "<p class=\"note\">" + words.synthetic + "</p>\n";
  return fmt::format("<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<ul class=\"facts\">\n{}</ul>\n{}</header>\n",
                     filled(words.title, html_escape(page.picture_name)), html_escape(words.not_a_device),
                     fact(words.run, page.run_name) + fact(words.network, page.model_name) +
                         fact(words.trained_for, filled(words.epochs, page.epochs)) + fact(words.says, page.verdict),
                     notes);
}

}  // namespace

std::string network_page_html(const NetworkPage& page) {
  const NetworkWords& words = network_words(page.language);
  return html_page({.title = filled(words.title, page.picture_name),
                    .header = header(page, words),
                    .sections = picture_section(page, words) + filters_section(page.filters, words) +
                                layer_sections(page, words) + heat_section(page, words) + answer_section(page, words),
                    .footer = words.not_a_device + " " + words.footer,
                    .language = page.language,
                    .further_style = kStyle});
}

}  // namespace xrai
