// The commands of xrai_explain: each registers its options once and runs with what was given.
#pragma once

#include <filesystem>
#include <string>

#include "apps/explain/picture_file.h"
#include "apps/support/command_line.h"

namespace xrai {

/// What one convolution and one pooling do to a picture.
struct FilterCommand {
  PictureChoice image;
  std::filesystem::path output;  // empty: NAME-FILTER.png in the working folder
  std::string kernel = "edge", pool = "max", fit = "squash", at, language = "en", device = "auto";
  int size = 128;
  bool numbers = false, json = false, quiet = false, force = false;

  void register_options(CommandLine& options);
  int run() const;
};

/// What every layer of a trained network makes of a picture: one page, FOLDER/NAME-network.html.
struct NetworkCommand {
  std::filesystem::path run_folder, folder = ".";
  PictureChoice image;
  std::string language = "en", device = "auto";
  bool json = false, quiet = false, force = false;

  void register_options(CommandLine& options);
  int run() const;
};

}  // namespace xrai
