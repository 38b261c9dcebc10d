// The commands of xrai_dataset: each registers its options once and runs with what was given.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "apps/support/command_line.h"
#include "loaders/layout.h"
#include "runtime/core/log.h"

namespace xrai {

/// What all commands that write a data set are told.
struct OutputOptions {
  std::filesystem::path output;
  bool force = false, json = false, quiet = false;

  void register_output(CommandLine& options, const std::string& group);
};

struct ImportCommand : OutputOptions {
  std::filesystem::path folder;
  int size = 224, jobs = 0, gzip = 0;
  std::string fit = "squash", splits, group_regex;
  std::uint64_t seed = 1;
  bool strict = false, keep_val = false;

  void register_options(CommandLine& options);
  int run() const;
};

struct SynthCommand : OutputOptions {
  std::int64_t images = 2000;
  int size = 128, jobs = 0, gzip = 0;
  std::string splits = "train=0.7,val=0.15,test=0.15";
  std::uint64_t seed = 1;

  void register_options(CommandLine& options);
  int run() const;
};

struct InfoCommand {
  std::filesystem::path file, contact_sheet;
  LayoutOptions layout;
  bool json = false, quiet = false;

  void register_options(CommandLine& options);
  int run() const;
};

struct RepackCommand : OutputOptions {
  std::filesystem::path input;
  std::string chunk_rows = "auto", gzip = "none";

  void register_options(CommandLine& options);
  int run() const;
};

struct HoldOutCommand : OutputOptions {
  std::filesystem::path input;
  std::string family, statistic, third = "high";

  void register_options(CommandLine& options);
  int run() const;
};

/// "xrai 0.1.0 (commit)", kept in the files that are written.
std::string creator_text();
/// The check of an option that takes splits.
std::string splits_complaint(const std::string& text);

}  // namespace xrai
