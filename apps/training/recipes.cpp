#include "apps/training/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/support/nearest.h"
#include "runtime/core/error.h"

namespace xrai {

void apply_recipe(const std::string& recipe, CommandLine& command_line) {
  if (recipe == "default") return;
  const std::vector<Recipe> known = built_in_recipes();
  const auto found = std::find_if(known.begin(), known.end(), [&](const Recipe& r) { return r.name == recipe; });
  if (found != known.end()) {
    command_line.apply_config_text(found->toml, fmt::format("the recipe '{}'", recipe));
    return;
  }
  if (std::filesystem::is_regular_file(recipe)) {
    command_line.apply_config_file(recipe);
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
