#include "apps/training/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/support/nearest.h"
#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace xrai {

namespace {

/// Nobody should wait for hours for a recipe of which nothing was taken.
void warn_of(const std::vector<std::string>& not_taken, const std::string& recipe) {
  if (not_taken.empty()) return;
  log::warning(
      fmt::format("--config sets {}, and what it sets beats the recipe '{}': these values of the recipe are not "
                  "taken",
                  fmt::join(not_taken, ", "), recipe));
}

}  // namespace

void apply_recipe(const std::string& recipe, CommandLine& command_line) {
  if (recipe == "default" && !command_line.given("recipe")) return;
  const std::vector<Recipe> known = built_in_recipes();
  const auto found = std::find_if(known.begin(), known.end(), [&](const Recipe& r) { return r.name == recipe; });
  if (found != known.end()) {
    warn_of(command_line.apply_config_text(found->toml, fmt::format("the recipe '{}'", recipe)), recipe);
    return;
  }
  if (std::filesystem::is_regular_file(recipe)) {
    warn_of(command_line.apply_config_file(recipe), recipe);
    return;
  }
  std::vector<std::string> names;
  for (const Recipe& r : known) names.emplace_back(r.name);
  const auto meant = nearest(recipe, names);
  throw Error(ExitCode::kUsage,
              fmt::format("there is no recipe '{}', neither among {} nor as a file{}", recipe, fmt::join(names, ", "),
                          meant ? fmt::format("; did you mean {}?", *meant) : ""));
}

}  // namespace xrai
