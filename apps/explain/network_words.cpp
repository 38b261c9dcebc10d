#include "apps/explain/network_words.h"

namespace xrai {
namespace {

const NetworkWords kEnglish{
    .title = "What the network sees in {0}",
    .not_a_device = "A research and teaching tool, not a medical device: no diagnosis may rest on it.",
    .footer = "Made by xrai; this file loads nothing from the network.",
    .run = "run",
    .network = "network",
    .trained_for = "trained for",
    .epochs = "{0} epochs",
    .says = "says",
    .synthetic =
        "<b>Learnt from synthetic pictures.</b> They are drawn by a program; what the network says of a real "
        "radiograph means nothing.",
    .picture_step = "The picture",
    .picture_title = "What goes in",
    .picture_text =
        "To a network a picture is a table of numbers. The radiograph is brought to {0} x {1} pixels, its centre is "
        "taken, and grey levels become numbers around 0, here from {2} (black) to {3} (white).",
    .stored_picture = "the picture, {0} x {1} pixels",
    .seen_picture = "what the network sees, {0} x {1}",
    .filters_step = "The filters",
    .filters_title = "The filters of {0}",
    .filters_text =
        "A filter is a small table of numbers, here {0} x {1}. Nobody chose these: they began as random numbers, and "
        "every training step moved them a little to where the mistakes became fewer. A row of orange beside a row of "
        "blue answers to an edge. Point at one to read its numbers.",
    .stage = "Stage {0}",
    .first_stage = "Edges and spots",
    .later_stage = "Patterns of the patterns before",
    .decision_step = "The decision",
    .decision = "From maps to numbers",
    .maps = "{0} maps of {1} x {2}",
    .numbers = "{0} numbers",
    .one_number = "one number",
    .strongest = ", the {0} strongest shown",
    .speaks_for = "speaks for {0}",
    .where_step = "Where",
    .where_title = "Where it looked",
    .where_text =
        "Grad-CAM asks backwards: which maps of {0} would have to be stronger for the answer {1} to become surer? "
        "These are added up. {2} It shows what this network used, not where disease is.",
    .peak = "Yellow is the strongest place of this picture.",
    .no_peak = "Here no place speaks for it.",
    .no_evidence = "no evidence",
    .most = "most",
    .the_picture = "the picture",
    .evidence = "evidence over the picture",
    .answer_step = "The answer",
    .answer_title = "How sure it is",
    .called = "It calls this picture {0}.",
    .called_from = "{0} is called from {1} on.",
    .ensemble =
        "The run has {0} networks. The layers are those of the first; the heat map and the answer are means of all.",
    .colours = "colours from the lowest to the highest value",
    .filter = "filter",
    .map = "map"};

const NetworkWords kFrench{
    .title = "Ce que le réseau voit dans {0}",
    .not_a_device =
        "Un outil de recherche et d'enseignement, pas un dispositif médical : aucun diagnostic ne doit s'y fier.",
    .footer = "Fait par xrai ; ce fichier ne charge rien depuis internet.",
    .run = "entraînement",
    .network = "réseau",
    .trained_for = "a appris pendant",
    .epochs = "{0} époques",
    .says = "répond",
    .synthetic =
        "<b>Appris sur des images de synthèse.</b> Un programme les a dessinées ; ce que le réseau dit d'une vraie "
        "radiographie ne veut rien dire.",
    .picture_step = "L'image",
    .picture_title = "Ce qui entre",
    .picture_text =
        "Pour un réseau, une image est un tableau de nombres. La radiographie est ramenée à {0} x {1} pixels, on en "
        "garde le centre, et les niveaux de gris deviennent des nombres autour de 0, ici de {2} (noir) à {3} (blanc).",
    .stored_picture = "l'image, {0} x {1} pixels",
    .seen_picture = "ce que voit le réseau, {0} x {1}",
    .filters_step = "Les filtres",
    .filters_title = "Les filtres de {0}",
    .filters_text =
        "Un filtre est un petit tableau de nombres, ici {0} x {1}. Personne ne les a choisis : ils ont été tirés au "
        "hasard, puis chaque pas de l'entraînement les a déplacés un peu, là où les erreurs se faisaient moins "
        "nombreuses. Une rangée orange à côté d'une rangée bleue répond à un contour. Pointez un filtre pour lire ses "
        "nombres.",
    .stage = "Étape {0}",
    .first_stage = "Des contours et des taches",
    .later_stage = "Des motifs faits des motifs d'avant",
    .decision_step = "La décision",
    .decision = "Des cartes aux nombres",
    .maps = "{0} cartes de {1} x {2}",
    .numbers = "{0} nombres",
    .one_number = "un seul nombre",
    .strongest = ", les {0} plus fortes",
    .speaks_for = "parle pour {0}",
    .where_step = "L'endroit",
    .where_title = "Où il a regardé",
    .where_text =
        "Grad-CAM pose la question à l'envers : quelles cartes de {0} devraient être plus fortes pour que la réponse "
        "{1} soit plus sûre ? On les additionne. {2} Cela montre ce dont ce réseau s'est servi, non où se trouve la "
        "maladie.",
    .peak = "Le jaune marque l'endroit le plus fort de cette image.",
    .no_peak = "Ici, aucun endroit ne parle pour elle.",
    .no_evidence = "aucun indice",
    .most = "le plus fort",
    .the_picture = "l'image",
    .evidence = "les indices, sur l'image",
    .answer_step = "La réponse",
    .answer_title = "À quel point il en est sûr",
    .called = "Il range cette image dans la classe {0}.",
    .called_from = "Il répond {0} à partir de {1}.",
    .ensemble =
        "L'entraînement a produit {0} réseaux. Les couches sont celles du premier ; la carte de chaleur et la "
        "réponse sont des moyennes de tous.",
    .colours = "couleurs, de la plus petite à la plus grande valeur",
    .filter = "filtre",
    .map = "carte"};

}  // namespace

const NetworkWords& network_words(const std::string& language) {
  return language == "fr" ? kFrench : kEnglish;
}

}  // namespace xrai
