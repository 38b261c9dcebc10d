// See shortcut_words.h.
#include "apps/stress/shortcut_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/report/json_values.h"
#include "apps/stress/stress_words.h"

namespace xrai {
namespace {

using Json = nlohmann::ordered_json;

std::string area_with_interval(const std::optional<double>& value, const std::optional<Interval>& interval) {
  return interval ? fmt::format("{} ({:.3f} to {:.3f})", area_text(value), interval->low, interval->high)
                  : area_text(value);
}

Json area_json(const std::optional<double>& value, const std::optional<Interval>& interval) {
  return {{"auroc", number_or_null(value)}, {"ci95", interval_json(interval)}};
}

// A verdict is only given where another sample of pictures would hardly turn it round.
bool says_little(const std::optional<Interval>& ci95) {
  return !ci95 || ci95->high - ci95->low > 0.2;
}
constexpr const char* kTooFew = "these pictures are too few to say what that means.";

std::string statistics_sentence(const ShortcutResult& r) {
  if (r.statistics.empty()) return "Every figure is the same for all pictures.";
  const auto best = std::max_element(
      r.statistics.begin(), r.statistics.end(),
      [](const StatisticResult& a, const StatisticResult& b) { return a.auroc.value_or(0) < b.auroc.value_or(0); });
  if (best == r.statistics.end() || !best->auroc) return "The split has one class only: nothing can be told apart.";
  const std::string found = fmt::format(
      "Of the single figures, {} tells the classes apart best, with AUROC {:.3f} ({} "
      "in {})",
      best->label, *best->auroc, best->higher_when_positive ? "higher" : "lower", r.classes[1]);
  if (says_little(best->ci95)) return found + ": " + kTooFew;
  return *best->auroc < 0.65 ? found + ": none gets far."
                             : found + ": a network could get so far without seeing a lung.";
}

std::string model_sentence(const ShortcutResult& r) {
  if (!r.model)
    return "There is nothing to fit a model of all figures on: no figure that differs from picture to picture, or no "
           "training split beside the scored one that tells as many.";
  if (!r.model->auroc || !r.auroc) return "The split has one class only: nothing can be told apart.";
  return fmt::format(
      "All figures together, fitted on {} training pictures, reach AUROC {:.3f}; the network reaches "
      "{:.3f}: the difference is what it must see beyond them.",
      r.model->n_trained, *r.model->auroc, *r.auroc);
}

std::string mask_clause(const ShortcutResult& r, const MaskResult& m) {
  const double lost = *r.auroc - *m.auroc;
  switch (m.mask.mask) {
    case Mask::kCorners:
      return fmt::format("Without the corners AUROC is {:.3f} (from {:.3f}): {}", *m.auroc, *r.auroc,
                         says_little(m.ci95) ? kTooFew
                         : lost > 0.01       ? "markers and corners matter to it."
                                             : "it does not live on markers in the corners.");
    case Mask::kOutsideMiddle:
      return fmt::format("With only the middle left it is {:.3f}.", *m.auroc);
    case Mask::kMiddle:
      return fmt::format("With the middle, and so most of the lungs, gone it is {:.3f}: {}", *m.auroc,
                         says_little(m.ci95) ? kTooFew
                         : m.ci95->low > 0.6 ? "what it still knows does not come from there."
                                             : "it then knows little.");
  }
  return {};
}

std::string masks_sentence(const ShortcutResult& r) {
  std::string text;
  for (const MaskResult& mask : r.masks)
    if (mask.auroc && r.auroc) text += (text.empty() ? "" : " ") + mask_clause(r, mask);
  return text.empty() ? "The split has one class only: nothing can be told apart."
                      : text + " Masked pictures look like none it was trained on, which alone costs something.";
}

// "specificity falls to 64.1 % (from 97.0 %)", of the change and class where most is lost.
std::string rate_clause(const ShortcutResult& r) {
  const AcquisitionResult* worst = nullptr;
  std::size_t of_class = 0;
  double most_lost = 0.0;
  for (const AcquisitionResult& a : r.acquisitions)
    for (std::size_t label = 0; label < 2; ++label) {
      const double lost = r.right[label].value().value_or(0.0) - a.right[label].value().value_or(0.0);
      if (lost <= most_lost) continue;
      worst = &a, of_class = label, most_lost = lost;
    }
  if (worst == nullptr) return "";
  return fmt::format(" At the threshold most is lost when {} is {}: {} falls to {:.1f} % (from {:.1f} %).",
                     r.classes[of_class], worst->acquisition.label, of_class == 0 ? "specificity" : "sensitivity",
                     100.0 * worst->right[of_class].value().value_or(0.0),
                     100.0 * r.right[of_class].value().value_or(0.0));
}

std::string acquisition_sentence(const ShortcutResult& r) {
  const AcquisitionResult* worst = nullptr;
  std::size_t of_class = 0;
  for (const AcquisitionResult& a : r.acquisitions)
    for (std::size_t label = 0; label < 2; ++label)
      if (a.auroc[label] && (worst == nullptr || *a.auroc[label] < *worst->auroc[of_class])) {
        worst = &a;
        of_class = label;
      }
  if (worst == nullptr || !r.auroc) return "The split has one class only: nothing can be told apart.";
  const std::string found =
      fmt::format("Were {} alone taken otherwise, the ranking would suffer most when {}: AUROC {:.3f} (from {:.3f})",
                  r.classes[of_class], worst->acquisition.label, *worst->auroc[of_class], *r.auroc);
  const auto& interval = worst->ci95[of_class];
  const bool surely = interval && interval->high < *r.auroc - 0.01;
  const std::string meaning = !surely && says_little(interval) ? fmt::format(": {}", kTooFew)
                              : *r.auroc - *worst->auroc[of_class] > 0.01
                                  ? ". How a class was taken is then part of what the network calls that class."
                                  : ", which is little.";
  return found + meaning + rate_clause(r);
}

std::string correlation_sentence(const ShortcutResult& r) {
  const StatisticResult* strongest = nullptr;
  std::size_t of_class = 0;
  for (const StatisticResult& s : r.statistics)
    for (std::size_t label = 0; label < 2; ++label) {
      if (!s.with_score[label]) continue;
      if (strongest == nullptr ||
          std::abs(s.with_score[label]->value) > std::abs(strongest->with_score[of_class]->value)) {
        strongest = &s;
        of_class = label;
      }
    }
  if (strongest == nullptr) return "There are too few pictures of a class to correlate anything.";
  const double value = strongest->with_score[of_class]->value;
  return fmt::format("Within a class the score goes along most with {}: among {} the rank correlation is {:+.2f}{}",
                     strongest->label, r.classes[of_class], value,
                     std::abs(value) < 0.3 ? ", which is weak." : "; where that figure shifts, so will the score.");
}

std::string errors_of_class_clause(const ErrorsOfClass& e) {
  if (e.families.size() < 2) return fmt::format("{}: one family only.", e.class_name);
  if (!e.test) {
    const bool mistaken = e.families.front().errors.hits > 0;  // then all of them are, in every family
    return fmt::format("{}: {}.", e.class_name, mistaken ? "every picture is mistaken" : "no picture is mistaken");
  }
  const auto worst = std::max_element(
      e.families.begin(), e.families.end(),
      [](const FamilyErrors& a, const FamilyErrors& b) { return a.errors.value() < b.errors.value(); });
  const std::string p = e.test->p_value < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", e.test->p_value);
  const std::string most =
      fmt::format("{} ({:.1f} % of its {} pictures)", worst->family, 100.0 * *worst->errors.value(), worst->errors.of);
  return fmt::format(
      "{}: mistakes {} ({}, {}).", e.class_name,
      e.test->p_value < 0.05 ? "gather in " + most : "are most frequent in " + most + ", which may be chance", p,
      e.test->method == "fisher" ? "Fisher's exact test" : "chi-square test");
}

std::string errors_sentence(const ShortcutResult& r) {
  if (r.errors.empty()) return "The file names no sources, so there are no families to compare.";
  std::string text;
  for (const ErrorsOfClass& e : r.errors) text += (text.empty() ? "" : " ") + errors_of_class_clause(e);
  return text;
}

std::string correlation_text(const std::optional<Correlation>& correlation) {
  return correlation ? fmt::format("{:+.2f}", correlation->value) : "-";
}

}  // namespace

ShortcutSentences shortcut_sentences(const ShortcutResult& r) {
  return {statistics_sentence(r),  model_sentence(r),       masks_sentence(r),
          acquisition_sentence(r), correlation_sentence(r), errors_sentence(r)};
}

std::string shortcuts_text(const ShortcutResult& r) {
  const ShortcutSentences words = shortcut_sentences(r);
  std::string text = "\nShortcuts: what could be known without the lungs\n\n";
  text += fmt::format("  {:<26}{:<26}{:>9}   score goes along with it within\n  {:<26}{:<26}{:>9}   {}\n", "",
                      "AUROC (95 % interval)", "more in", "", "", "", fmt::join(r.classes, ", "));
  for (const StatisticResult& s : r.statistics)
    text += fmt::format("  {:<26}{:<26}{:>9}   {:>5}, {:>5}\n", s.label, area_with_interval(s.auroc, s.ci95),
                        r.classes[s.higher_when_positive ? 1 : 0], correlation_text(s.with_score[0]),
                        correlation_text(s.with_score[1]));
  if (r.model)
    text += fmt::format("  {:<26}{}\n", "all together, fitted", area_with_interval(r.model->auroc, r.model->ci95));
  text += fmt::format("  {:<26}{}\n\n  {:<26}{:<26}{:>12}{:>12}\n", "the network", area_with_interval(r.auroc, r.ci95),
                      "", "AUROC (95 % interval)", "change of p", "flipped");
  for (const MaskResult& m : r.masks)
    text += fmt::format("  {:<26}{:<26}{:>12.3f}{:>10.1f} %\n", m.mask.label, area_with_interval(m.auroc, m.ci95),
                        m.mean_change, 100.0 * m.flipped.value().value_or(0.0));
  text += fmt::format("\n  {:<26}{:<26}{:<26}{:<18}called rightly\n", "one class alone taken", r.classes[0] + " only",
                      r.classes[1] + " only", "change of p");
  const auto row = [&](std::string_view name, const std::string& first, const std::string& second,
                       const std::string& changes, const std::array<Rate, 2>& right) {
    text += fmt::format("  {:<26}{:<26}{:<26}{:<18}{} %, {} %\n", name, first, second, changes,
                        percent_text(right[0].value()), percent_text(right[1].value()));
  };
  row("as it is", area_with_interval(r.auroc, r.ci95), "", "", r.right);
  for (const AcquisitionResult& a : r.acquisitions)
    row(a.acquisition.label, area_with_interval(a.auroc[0], a.ci95[0]), area_with_interval(a.auroc[1], a.ci95[1]),
        fmt::format("{:+.3f}, {:+.3f}", a.mean_change[0], a.mean_change[1]), a.right);
  text += "\n";
  for (const ErrorsOfClass& e : r.errors)
    for (const FamilyErrors& f : e.families)
      text += fmt::format("  {:<26}{} of {} mistaken\n", e.class_name + ", " + f.family, f.errors.hits, f.errors.of);
  for (const std::string& sentence :
       {words.statistics, words.model, words.masks, words.acquisition, words.correlation, words.errors})
    text += "\n  " + sentence;
  return text + "\n";
}

nlohmann::ordered_json shortcuts_json(const ShortcutResult& r) {
  Json json{{"network", area_json(r.auroc, r.ci95)}, {"statistics", Json::array()}};
  for (const StatisticResult& s : r.statistics) {
    Json one{{"name", s.name}};
    one.update(area_json(s.auroc, s.ci95));
    one["higher_when_positive"] = s.higher_when_positive;
    for (std::size_t label = 0; label < 2; ++label) {
      const auto& c = s.with_score[label];
      one["rank_correlation"][r.classes[label]] =
          c ? Json{{"value", c->value}, {"ci95", interval_json(c->ci95)}} : Json(nullptr);
    }
    json["statistics"].push_back(one);
  }
  json["model"] = nullptr;
  if (r.model) {
    json["model"] = area_json(r.model->auroc, r.model->ci95);
    json["model"]["n_trained"] = r.model->n_trained;
    for (std::size_t i = 0; i < r.model->weights.size(); ++i)
      json["model"]["weights"][r.statistics[i].name] = r.model->weights[i];
  }
  json["masks"] = Json::array();
  for (const MaskResult& m : r.masks) {
    Json one{{"name", m.mask.name}};
    one.update(area_json(m.auroc, m.ci95));
    one["mean_change"] = m.mean_change;
    one["mean_change_ci95"] = interval_json(m.change_ci95);
    one["flipped"] = number_or_null(m.flipped.value());
    one["flipped_ci95"] = interval_json(wilson_interval(m.flipped));
    json["masks"].push_back(one);
  }
  json["acquisitions"] = Json::array();
  for (const AcquisitionResult& a : r.acquisitions) {
    Json one{{"name", a.acquisition.name}};
    for (std::size_t label = 0; label < 2; ++label) {
      one["only"][r.classes[label]] = area_json(a.auroc[label], a.ci95[label]);
      one["only"][r.classes[label]]["called_rightly"] = number_or_null(a.right[label].value());
      one["only"][r.classes[label]]["called_rightly_ci95"] = interval_json(wilson_interval(a.right[label]));
      one["only"][r.classes[label]]["mean_change"] = a.mean_change[label];
      one["only"][r.classes[label]]["mean_change_ci95"] = interval_json(a.change_ci95[label]);
    }
    json["acquisitions"].push_back(one);
  }
  json["errors"] = Json::array();
  for (const ErrorsOfClass& e : r.errors) {
    Json one{{"class", e.class_name}, {"families", Json::array()}};
    for (const FamilyErrors& f : e.families)
      one["families"].push_back({{"family", f.family}, {"errors", f.errors.hits}, {"n", f.errors.of}});
    one["p_value"] = e.test ? Json(e.test->p_value) : Json(nullptr);
    one["method"] = e.test ? Json(e.test->method) : Json(nullptr);
    json["errors"].push_back(one);
  }
  const ShortcutSentences words = shortcut_sentences(r);
  json["sentences"] = {{"statistics", words.statistics},
                       {"model", words.model},
                       {"masks", words.masks},
                       {"acquisition", words.acquisition},
                       {"correlation", words.correlation},
                       {"errors", words.errors}};
  return json;
}

}  // namespace xrai
