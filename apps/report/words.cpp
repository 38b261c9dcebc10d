// See words.h.
#include "apps/report/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace xrai {
namespace {

struct Term {
  std::string_view name, display, meaning;
  bool is_rate;
};

// {0}: the negative class, {1}: the positive one.
constexpr std::array<Term, 12> kTerms = {{
    {"auroc", "AUROC", "chance that a {1} image is scored above a {0} one", false},
    {"auprc", "AUPRC", "right alarms, averaged over how many {1} images are found", false},
    {"accuracy", "accuracy", "images called rightly", true},
    {"balanced_accuracy", "balanced accuracy", "mean of the classes' hit rates", true},
    {"sensitivity", "sensitivity", "{1} images that are found", true},
    {"specificity", "specificity", "{0} images that are left alone", true},
    {"ppv", "PPV", "alarms that are right", true},
    {"npv", "NPV", "all-clears that are right", true},
    {"f1", "F1", "harmonic mean of sensitivity and PPV", false},
    {"brier", "Brier score", "mean squared error of the probability; 0 is perfect", false},
    {"ece", "calibration error", "gap between probability and observed rate; 0 is perfect", false},
    {"log_loss", "log-loss", "mean surprise at the truth; 0 is perfect", false},
}};

constexpr std::array<std::string_view, 7> kMeaningsOfMeans = {
    "mean over classes of the chance that an image of the class is scored above another",
    "mean over classes of the average precision",
    "",
    "",
    "mean over classes of the share that is found",
    "mean over classes of the share of the others that is left alone",
    "mean over classes of the share of its calls that is right"};

const Term* find(std::string_view metric) {
  const auto* found = std::find_if(kTerms.begin(), kTerms.end(), [&](const Term& t) { return t.name == metric; });
  return found == kTerms.end() ? nullptr : found;
}

/// Of 100, without claiming "100 of 100" or "0 of 100" where it is only nearly so.
std::string of_hundred(double rate) {
  const double hundred = 100.0 * rate;
  if (rate < 1.0 && hundred > 99.5) return "more than 99";
  if (rate > 0.0 && hundred < 0.5) return "less than 1";
  return fmt::format("{:.0f}", hundred);
}

std::string undefined_reason(const Evaluation& e) {
  if (e.n_images == 0) return "Not defined: there are no images.";
  return "Not defined here: it needs images, and calls, of both kinds.";
}

std::string words_for_two(std::string_view name, double v, const std::string& negative, const std::string& positive) {
  if (name == "auroc") {
    return fmt::format(
        "Shown one {} and one {} image at random, the network gives the {} image the higher score {} "
        "times in 100. Guessing would give 50.",
        positive, negative, positive, of_hundred(v));
  }
  if (name == "sensitivity") return fmt::format("Of 100 {} images, {} are found.", positive, of_hundred(v));
  if (name == "specificity") {
    return fmt::format("Of 100 {} images, {} are rightly left alone; the others are false alarms.", negative,
                       of_hundred(v));
  }
  if (name == "ppv") return fmt::format("Of 100 alarms, {} are right, at this share of {}.", of_hundred(v), positive);
  if (name == "npv") return fmt::format("Of 100 all-clears, {} are right.", of_hundred(v));
  return fmt::format("Mean of the hit rates of {} and {}: {} in 100. Guessing would give 50.", negative, positive,
                     of_hundred(v));
}

}  // namespace

std::string display_name(std::string_view metric) {
  const Term* term = find(metric);
  return std::string(term ? term->display : metric);
}

std::string meaning(std::string_view metric, const Evaluation& e) {
  const Term* term = find(metric);
  if (!term) return {};
  const auto place = static_cast<std::size_t>(term - kTerms.data());
  if (e.classes.size() == 2) return fmt::format(fmt::runtime(term->meaning), e.classes[0], e.classes[1]);
  if (metric == "npv") return "mean over classes of the share of its all-clears that is right";
  if (metric == "f1") return "mean over classes of F1";
  const bool is_mean = place < kMeaningsOfMeans.size() && !kMeaningsOfMeans[place].empty();
  return std::string(is_mean ? kMeaningsOfMeans[place] : term->meaning);
}

std::string value_text(const Metric& metric) {
  if (!metric.value) return "not defined";
  const Term* term = find(metric.name);
  return term && term->is_rate ? fmt::format("{:.1f} %", 100.0 * *metric.value) : fmt::format("{:.3f}", *metric.value);
}

std::string interval_text(const Metric& metric) {
  if (!metric.ci95) return {};
  const Term* term = find(metric.name);
  return term && term->is_rate ? fmt::format("{:.1f} to {:.1f} %", 100.0 * metric.ci95->low, 100.0 * metric.ci95->high)
                               : fmt::format("{:.3f} to {:.3f}", metric.ci95->low, metric.ci95->high);
}

std::string plain_words(const Metric& metric, const Evaluation& e) {
  if (!metric.value) return undefined_reason(e);
  const double v = *metric.value;
  if (metric.name == "accuracy") {
    std::int64_t most_common = 0;
    for (std::int64_t c = 0; c < e.confusion.n_classes(); ++c)
      most_common = std::max(most_common, e.confusion.labelled(c));
    const double always = static_cast<double>(most_common) / static_cast<double>(e.n_images);
    return fmt::format("Of 100 images, {} are called rightly. Always naming the most common class would give {}.",
                       of_hundred(v), of_hundred(always));
  }
  if (e.classes.size() == 2) return words_for_two(metric.name, v, e.classes[0], e.classes[1]);
  if (metric.name == "auroc") {
    return fmt::format(
        "Mean over the {} classes: an image of the class gets a higher score for it than an image of "
        "another class {} times in 100. Guessing would give 50.",
        e.classes.size(), of_hundred(v));
  }
  return fmt::format("{} in 100: {}.", of_hundred(v), meaning(metric.name, e));
}

}  // namespace xrai
