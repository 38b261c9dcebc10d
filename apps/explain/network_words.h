// The words of the page of xrai_explain network, in the languages of the manual: sentences with places {0}, {1} ... for
// what is put in. What a layer does is in layer_sentences.cpp.
#pragma once

#include <string>

namespace xrai {

struct NetworkWords {
  std::string title, not_a_device, footer;                               // title: {0} picture
  std::string run, network, trained_for, epochs, says;                   // epochs: {0}
  std::string synthetic;                                                 // HTML
  std::string picture_step, picture_title, picture_text;                 // {0} x {1} pixels, {2} to {3}
  std::string stored_picture, seen_picture;                              // {0} x {1}
  std::string filters_step, filters_title, filters_text;                 // {0} layer; {0} x {1}
  std::string stage, first_stage, later_stage, decision_step, decision;  // {0} number
  std::string maps, numbers, one_number, strongest;                // {0} maps of {1} x {2}; {0} numbers; {0} shown
  std::string speaks_for;                                          // {0} class
  std::string where_step, where_title, where_text, peak, no_peak;  // {0} layer, {1} class, {2} peak or no_peak
  std::string no_evidence, most, the_picture, evidence;
  std::string answer_step, answer_title, called, called_from,
      ensemble;                      // {0} class; {0} class, {1} percent; {0} networks
  std::string colours, filter, map;  // for screen readers
};

/// Of one of languages() (filter_words.h).
const NetworkWords& network_words(const std::string& language);

}  // namespace xrai
