// What each kind of layer does, in the words of the manual, in both its languages.
#include <fmt/format.h>

#include "apps/explain/network_page.h"

namespace xrai {
namespace {

struct KindSentences {
  const char* kind;
  const char* first;  // for the first layer of this kind
  const char* later;
};

// {0} maps or outputs of this layer, {1} maps before, {2} x {3} before, {4} x {5} now.
constexpr KindSentences kEnglishLayers[] = {
    {"convolution",
     "{0} filters slide over the picture, and each leaves a map: at every place the sum of filter times picture. "
     "Orange is where the picture is like the filter, blue where it is the opposite, white where it is neither.",
     "{0} filters, and each reaches through all {1} maps before at once: patterns of patterns."},
    {"max_pool",
     "Of every window of values the largest is kept: {2} x {3} become {4} x {5}. There is less to compute, and it "
     "matters less where exactly the pattern lay.",
     "Of every window of values the largest is kept: {2} x {3} become {4} x {5}."},
    {"average_pool",
     "Of every window of values the mean is kept: {2} x {3} become {4} x {5}. There is less to compute, and it "
     "matters less where exactly the pattern lay.",
     "Of every window of values the mean is kept: {2} x {3} become {4} x {5}."},
    {"batch_norm",
     "Every map is moved and stretched so that its values have about the same spread as those of all others: none "
     "drowns the rest.",
     "Again all maps are brought to a common spread."},
    {"relu",
     "What is below 0 becomes 0. A map now says only where its pattern was found, and the network can bend: "
     "without this step all convolutions together would be no more than a single one.",
     "Again what is below 0 becomes 0."},
    {"global_average_pool",
     "Every map becomes a single number, its mean: how much of its pattern there is, wherever in the picture it "
     "lies.",
     "Every map becomes a single number, its mean."},
    {"dense",
     "Every number before is multiplied with a weight of its own, and all are added; so often as this layer has "
     "outputs: {0}. The last of these layers gives the logits, the numbers behind the answer.",
     "Again sums of all numbers before, {0} of them."},
    {"dropout",
     "In training this layer silences values at random, so that none is relied upon alone. Here it lets "
     "everything pass.",
     "Here, too, everything passes."},
    {"add", "What an earlier layer found is added: the layers between have only to learn what is to be changed.",
     "Again what an earlier layer found is added."}};

constexpr KindSentences kFrenchLayers[] = {
    {"convolution",
     "{0} filtres glissent sur l'image, et chacun laisse une carte : à chaque endroit, la somme des produits du "
     "filtre et de l'image. Orange : l'image ressemble au filtre ; bleu : elle en est le contraire ; blanc : ni "
     "l'un ni l'autre.",
     "{0} filtres, dont chacun traverse les {1} cartes précédentes à la fois : des motifs faits de motifs."},
    {"max_pool",
     "De chaque fenêtre, on garde la plus grande valeur : {2} x {3} deviennent {4} x {5}. Il y a moins à "
     "calculer, et l'endroit exact du motif compte moins.",
     "De chaque fenêtre, on garde la plus grande valeur : {2} x {3} deviennent {4} x {5}."},
    {"average_pool",
     "De chaque fenêtre, on garde la moyenne : {2} x {3} deviennent {4} x {5}. Il y a moins à calculer, et "
     "l'endroit exact du motif compte moins.",
     "De chaque fenêtre, on garde la moyenne : {2} x {3} deviennent {4} x {5}."},
    {"batch_norm",
     "Chaque carte est décalée et étirée pour que ses valeurs soient à peu près aussi dispersées que celles des "
     "autres : aucune ne couvre le reste.",
     "De nouveau, toutes les cartes sont ramenées à la même dispersion."},
    {"relu",
     "Ce qui est négatif devient 0. Une carte dit désormais seulement où son motif a été trouvé. Sans cette "
     "étape, toutes les convolutions ensemble n'en vaudraient qu'une.",
     "De nouveau, ce qui est négatif devient 0."},
    {"global_average_pool",
     "Chaque carte devient un seul nombre, sa moyenne : combien il y a de son motif, où qu'il soit dans l'image.",
     "Chaque carte devient un seul nombre, sa moyenne."},
    {"dense",
     "Chaque nombre précédent est multiplié par un poids qui lui est propre, et l'on additionne le tout ; autant "
     "de fois que la couche a de sorties : {0}. La dernière de ces couches donne les logits, les nombres d'où "
     "vient la réponse.",
     "De nouveau des sommes de tous les nombres précédents, au nombre de {0}."},
    {"dropout",
     "Pendant l'entraînement, cette couche fait taire des valeurs au hasard, pour qu'aucune ne devienne "
     "indispensable. Ici, elle laisse tout passer.",
     "Ici aussi, tout passe."},
    {"add",
     "On ajoute ce qu'une couche antérieure avait trouvé : celles d'entre les deux n'ont à apprendre que ce qu'il "
     "faut y changer.",
     "De nouveau, on ajoute ce qu'une couche antérieure avait trouvé."}};

}  // namespace

std::string layer_sentence(const LayerMaps& layer, const LayerMaps& before, bool first, const std::string& language) {
  const Shape &was = before.shape, &now = layer.shape;
  for (const KindSentences& sentences : language == "fr" ? kFrenchLayers : kEnglishLayers)
    if (layer.kind == sentences.kind)
      return fmt::format(fmt::runtime(first ? sentences.first : sentences.later), now.channels, was.channels,
                         was.height, was.width, now.height, now.width);
  return {};
}

}  // namespace xrai
