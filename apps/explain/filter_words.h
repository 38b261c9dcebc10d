// The words in the drawing and the tables of xrai_explain filter, in the languages of the manual. Sizes and numbers are
// put in by who uses them.
#pragma once

#include <string>
#include <vector>

namespace xrai {

struct FilterWords {
  // Of the drawing: headings, what is counted under them, what stands under the colour bars.
  std::string picture, pixels;
  std::string filter, numbers, sum;
  std::string convolution, results, signed_colours, black_to_white;
  std::string max_pooling, maxima, largest;
  std::string average_pooling, means, mean;
  // Of the tables.
  std::string picture_table, filter_table, convolution_table;  // {0} and {1}: row and column
  std::string first_sum;
};

/// "en", "fr".
std::vector<std::string> languages();
/// Of one of languages().
const FilterWords& filter_words(const std::string& language);

}  // namespace xrai
