// Shortcuts in words: one sentence for each question, a table for the terminal, JSON for scripts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "apps/stress/shortcuts.h"

namespace xrai {

/// What the figures mean, a sentence each; never empty.
struct ShortcutSentences {
  std::string statistics;   // how far the best single figure gets
  std::string model;        // how far all together get
  std::string masks;        // what is lost without corners, surroundings, lungs
  std::string acquisition;  // what is lost when one class alone is taken otherwise
  std::string correlation;  // what the score goes along with within a class
  std::string errors;       // where mistakes gather
};
ShortcutSentences shortcut_sentences(const ShortcutResult& result);

std::string shortcuts_text(const ShortcutResult& result);

/// {"network": {"auroc", "ci95"}, "statistics": [{"name", "auroc", "ci95", "higher_when_positive", "rank_correlation":
/// {CLASS: {"value", "ci95"}}}], "model", "masks": [...], "acquisitions": [{"name", "only":
/// {CLASS: {"auroc", "ci95", "mean_change"}}}], "errors": [...], "sentences": {...}}; null where not defined.
nlohmann::ordered_json shortcuts_json(const ShortcutResult& result);

}  // namespace xrai
