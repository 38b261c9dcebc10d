#include "apps/explain/filter_words.h"

namespace xrai {
namespace {

const FilterWords kEnglishFilters{.picture = "picture",
                                  .pixels = "pixels",
                                  .filter = "filter: ",
                                  .numbers = "numbers",
                                  .sum = "sum of the numbers: ",
                                  .convolution = "convolution",
                                  .results = "results",
                                  .signed_colours = "blue below 0, orange above",
                                  .black_to_white = "black to white",
                                  .max_pooling = "max pooling",
                                  .maxima = "maxima",
                                  .largest = "the largest of every 2 x 2",
                                  .average_pooling = "average pooling",
                                  .means = "means",
                                  .mean = "the mean of every 2 x 2",
                                  .picture_table = "picture from row {0}, column {1} (0 black to 255 white)",
                                  .filter_table = "filter",
                                  .convolution_table = "convolution from row {0}, column {1}",
                                  .first_sum = "its first number: "};

const FilterWords kFrenchFilters{
    .picture = "image",
    .pixels = "pixels",
    .filter = "filtre : ",
    .numbers = "nombres",
    .sum = "somme des nombres : ",
    .convolution = "convolution",
    .results = "résultats",
    .signed_colours = "bleu sous 0, orange au-dessus",
    .black_to_white = "du noir au blanc",
    .max_pooling = "max pooling",
    .maxima = "maxima",
    .largest = "le plus grand de chaque 2 x 2",
    .average_pooling = "pooling moyen",
    .means = "moyennes",
    .mean = "la moyenne de chaque 2 x 2",
    .picture_table = "image à partir de la ligne {0}, colonne {1} (de 0, noir, à 255, blanc)",
    .filter_table = "filtre",
    .convolution_table = "convolution à partir de la ligne {0}, colonne {1}",
    .first_sum = "son premier nombre : "};

}  // namespace

std::vector<std::string> languages() {
  return {"en", "fr"};
}

const FilterWords& filter_words(const std::string& language) {
  return language == "fr" ? kFrenchFilters : kEnglishFilters;
}

}  // namespace xrai
