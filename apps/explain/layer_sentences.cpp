// What each kind of layer does, in the words of the manual.
#include <fmt/format.h>

#include "apps/explain/network_page.h"

namespace xrai {
namespace {

std::string maps_text(std::int64_t count) {
  return count == 1 ? "one map" : fmt::format("{} maps", count);
}

}  // namespace

std::string layer_sentence(const LayerMaps& layer, const LayerMaps& before) {
  const Shape &now = layer.shape, &was = before.shape;
  if (layer.kind == "convolution")
    return fmt::format(
        "{} filters slide over {}, and each leaves a map: at every place the sum of filter times picture. "
        "Orange is where the picture is like the filter, blue where it is the opposite, white where "
        "neither.",
        now.channels, was.channels == 1 ? "the picture" : fmt::format("the {} before", maps_text(was.channels)));
  if (layer.kind == "batch_norm")
    return "Every map is moved and stretched so that its values have about the same spread as those of all others: "
           "none "
           "drowns the rest.";
  if (layer.kind == "relu")
    return "What is below 0 becomes 0. A map now says only where its pattern was found, and the network can bend: "
           "without "
           "this step all convolutions together would be no more than a single one.";
  if (layer.kind == "max_pool" || layer.kind == "average_pool")
    return fmt::format(
        "Of every window of values {} is kept: {} x {} become {} x {}. There is less to compute, and it "
        "matters less where exactly the pattern lay.",
        layer.kind == "max_pool" ? "the largest" : "the mean", was.height, was.width, now.height, now.width);
  if (layer.kind == "global_average_pool")
    return "Every map becomes a single number, its mean: how much of its pattern there is, wherever in the picture it "
           "lies.";
  if (layer.kind == "dense")
    return now.channels == 1
               ? std::string(
                     "Every number before is multiplied with a weight of its own and all are added: one number is "
                     "left, the logit. Above 0 speaks for the second class, below 0 for the first.")
               : fmt::format("Each of {} outputs looks at every number before: a sum with weights of its own.",
                             now.channels);
  if (layer.kind == "dropout")
    return "In training this layer silences values at random, so that none is relied upon alone. Here it lets "
           "everything "
           "pass.";
  if (layer.kind == "add")
    return "What an earlier layer found is added: the layers between have only to learn what is to be changed.";
  return {};
}

}  // namespace xrai
