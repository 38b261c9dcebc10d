// Recipes: named sets of option values, measured together (docs/recipe.md). The files of recipes/ are compiled in, so
// that a program that was copied somewhere has them with it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/support/command_line.h"

namespace xrai {

struct Recipe {
  std::string_view name, toml;
};

/// Those of recipes/, by name.
std::vector<Recipe> built_in_recipes();

/// Gives the recipe's values to all options that neither the command line nor a configuration file has set. `recipe`: a
/// built-in name, or a TOML file. Warns of the values that a configuration file has set otherwise. Throws
/// Error(kUsage): no such recipe (naming the nearest), or a file that is none.
void apply_recipe(const std::string& recipe, CommandLine& command_line);

}  // namespace xrai
