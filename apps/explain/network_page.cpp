#include "apps/explain/network_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "apps/explain/filter_kernel.h"
#include "apps/explain/map_colours.h"
#include "apps/report/heat_map_picture.h"
#include "apps/report/html.h"
#include "apps/report/html_page.h"
#include "apps/report/mistakes.h"
#include "apps/report/png_data.h"
#include "apps/report/report.h"

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

std::string number(double value) {
  return fmt::format("{:.3g}", value);
}

std::string bar(const ColourRange& range) {
  return fmt::format(
      "<p class=\"bar\"><span>{}</span><img src=\"{}\" alt=\"colours from the lowest to the highest value\"/>"
      "<span>{}</span></p>\n",
      number(range.low), png_data(colour_bar(range, kBarSteps), kBarSteps, 1, PngColours::kRgba), number(range.high));
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

std::string picture_section(const NetworkPage& page) {
  const LayerMaps& seen = page.layers.front();
  const auto [least, most] = std::minmax_element(seen.values.begin(), seen.values.end());
  const ColourRange grey{*least, *most > *least ? *most : *least + 1, false};
  return section(
      "The picture", "What goes in",
      fmt::format(
          "<p>To a network a picture is a table of numbers. The radiograph is brought to {} x {} pixels, its centre is "
          "taken, and grey levels become numbers around 0, here from {} (black) to {} (white).</p>\n"
          "<div class=\"shots\">\n{}{}</div>\n",
          seen.shape.height, seen.shape.width, number(*least), number(*most),
          figure(png_data_uri(page.picture.pixels, page.picture.width, page.picture.height),
                 fmt::format("the picture, {} x {} pixels", page.picture.height, page.picture.width)),
          figure(rgb_image(seen.values, seen.shape.height, seen.shape.width, grey),
                 fmt::format("what the network sees, {} x {}", seen.shape.height, seen.shape.width))));
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

std::string filters_section(const FirstFilters& filters) {
  if (filters.layer.empty()) return {};
  const Shape& shape = filters.shape;
  const std::int64_t places = shape.height * shape.width;
  const ColourRange range = range_of(filters.weights);
  std::string tiles;
  for (std::int64_t filter = 0; filter < shape.n; ++filter) {
    std::vector<float> weights;  // of the first channel: the picture has one
    for (std::int64_t place = 0; place < places; ++place)
      weights.push_back(filters.weights[static_cast<std::size_t>((filter * places + place) * shape.channels)]);
    tiles +=
        fmt::format("<figure><img src=\"{}\" alt=\"filter {}\" title=\"{}\"/><figcaption>{}</figcaption></figure>\n",
                    rgb_image(weights, shape.height, shape.width, range), filter + 1,
                    weights_words(weights, shape.width), filter + 1);
  }
  return section(
      "The filters", fmt::format("The filters of {}", html_escape(filters.layer)),
      fmt::format("<p>A filter is a small table of numbers, here {} x {}. Nobody chose these: they began as random "
                  "numbers, and every training step moved them a little to where the mistakes became fewer. A row "
                  "of orange beside a row of blue answers to an edge. Point at one to read its numbers.</p>\n"
                  "{}<div class=\"maps filters\">\n{}</div>\n",
                  shape.height, shape.width, bar(range), tiles));
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

std::string layer_maps(const LayerMaps& layer, const std::vector<std::int64_t>& chosen) {
  const ColourRange range = range_of(layer.values);
  std::string tiles;
  for (const std::int64_t channel : chosen)
    tiles += fmt::format("<figure><img src=\"{}\" alt=\"map {} of {}\"/><figcaption>{}</figcaption></figure>\n",
                         rgb_image(channel_of(layer, channel), layer.shape.height, layer.shape.width, range),
                         channel + 1, html_escape(layer.name), channel + 1);
  return bar(range) + "<div class=\"maps\">\n" + tiles + "</div>\n";
}

std::string layer_vector(const LayerMaps& layer) {
  const ColourRange range = range_of(layer.values);
  if (layer.values.size() == 1) return fmt::format("<p class=\"figure\">{}</p>\n", number(layer.values[0]));
  return bar(range) + fmt::format("<img class=\"strip\" src=\"{}\" alt=\"{} numbers side by side\"/>\n",
                                  rgb_image(layer.values, 1, static_cast<std::int64_t>(layer.values.size()), range),
                                  layer.values.size());
}

std::string layer_heading(const LayerMaps& layer, std::size_t shown) {
  const Shape& shape = layer.shape;
  std::string size = has_maps(layer) ? fmt::format("{} maps of {} x {}", shape.channels, shape.height, shape.width)
                     : shape.channels == 1 ? std::string("one number")
                                           : fmt::format("{} numbers", shape.channels);
  if (has_maps(layer) && shown < static_cast<std::size_t>(shape.channels))
    size += fmt::format(", the {} strongest shown", shown);
  return fmt::format("<h3>{} <span class=\"name\">{}</span></h3>\n", html_escape(layer.name), size);
}

// One section for every convolution with what follows it, one for what stands behind the last maps.
std::string layer_sections(const std::vector<LayerMaps>& layers) {
  std::string sections;
  for (std::size_t first = 1, stage = 1; first < layers.size(); ++stage) {
    std::size_t end = first + 1;
    const bool maps = has_maps(layers[first]);
    while (end < layers.size() && has_maps(layers[end]) == maps && !(maps && layers[end].kind == "convolution")) ++end;
    const std::vector<std::int64_t> chosen = strongest_maps(layers[end - 1]);
    std::string body;
    for (std::size_t i = first; i < end; ++i) {
      const bool fits = layers[i].shape.channels == layers[end - 1].shape.channels;
      const std::vector<std::int64_t> shown = fits ? chosen : strongest_maps(layers[i]);
      body += layer_heading(layers[i], shown.size()) +
              fmt::format("<p>{}</p>\n", layer_sentence(layers[i], layers[i - 1])) +
              (has_maps(layers[i]) ? layer_maps(layers[i], shown) : layer_vector(layers[i]));
    }
    sections += maps ? section(fmt::format("Stage {}", stage),
                               stage == 1 ? "Edges and spots" : "Patterns of the patterns before", body)
                     : section("The decision", "From maps to numbers", body);
    first = end;
  }
  return sections;
}

// ---- where, and what ----

std::string heat_section(const NetworkPage& page) {
  if (!page.heat_map) return {};
  const GreyImage& picture = page.picture;
  const std::string image = png_data_uri(picture.pixels, picture.width, picture.height);
  const std::string over = fmt::format("<img class=\"over\" src=\"{}\" alt=\"heat map\"/>",
                                       heat_overlay_data(*page.heat_map, picture.width, picture.height));
  return section(
      "Where", "Where it looked",
      fmt::format(
          "<p>Grad-CAM asks backwards: which maps of {} would have to be stronger for the answer {} to become surer? "
          "These are added up. {} It shows what this network used, not where disease is.</p>\n"
          "<p class=\"bar\"><span>no evidence</span><img src=\"{}\" alt=\"colours from none to "
          "most\"/><span>most</span></p>\n"
          "<div class=\"shots\">\n{}{}</div>\n",
          html_escape(page.heat_layer), html_escape(page.verdict),
          page.heat_map->highest() > 0 ? "Yellow is the strongest place of this picture."
                                       : "Here no place speaks for it.",
          heat_legend_data(), figure(image, "the picture"), figure(image, "evidence over the picture", over)));
}

std::string answer_section(const NetworkPage& page) {
  std::string rows;
  for (const ClassProbability& one : page.classes)
    rows += fmt::format("<div>{}</div><span><i style=\"width:{:.1f}%\"></i></span><b>{:.1f} %</b>\n",
                        html_escape(one.name), 100 * one.probability, 100 * one.probability);
  std::string words = fmt::format("<p>It calls this picture <b>{}</b>", html_escape(page.verdict));
  if (page.classes.size() == 2)
    words += fmt::format(": {} is called from {:.1f} % on", html_escape(page.classes[1].name), 100 * page.threshold);
  words += ".</p>\n";
  if (page.n_members > 1)
    words +=
        fmt::format("<p>The run has {} networks. The pages above show the first; the answer is the mean of all.</p>\n",
                    page.n_members);
  return section("The answer", "How sure it is", fmt::format("<div class=\"answer\">\n{}</div>\n{}", rows, words));
}

std::string header(const NetworkPage& page) {
  const auto fact = [](std::string_view name, const std::string& value) {
    return fmt::format("<li>{} <b>{}</b></li>\n", name, html_escape(value));
  };
  return fmt::format(
      "<header>\n<h1>What the network sees in {}</h1>\n<p class=\"lead\">{}</p>\n<ul class=\"facts\">\n{}</ul>\n"
      "{}</header>\n",
      html_escape(page.picture_name), html_escape(kNotADevice),
      fact("run", page.run_name) + fact("network", page.model_name) +
          fact("trained for", fmt::format("{} epochs", page.epochs)) + fact("says", page.verdict),
      page.synthetic ? "<p class=\"note\"><b>Learnt from synthetic pictures.</b> They are drawn by a program; "
                       "what the network says of a real radiograph means nothing.</p>\n"
                     : "");
}

}  // namespace

std::string network_page_html(const NetworkPage& page) {
  return html_page({.title = "What the network sees in " + page.picture_name,
                    .header = header(page),
                    .sections = picture_section(page) + filters_section(page.filters) + layer_sections(page.layers) +
                                heat_section(page) + answer_section(page),
                    .further_style = kStyle});
}

}  // namespace xrai
