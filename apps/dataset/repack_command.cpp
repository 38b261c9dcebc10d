#include <fmt/format.h>

#include <charconv>

#include "apps/dataset/commands.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "loaders/import.h"
#include "loaders/repack.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

/// `word`, or a whole number in [least, most].
std::string number_complaint(const std::string& text, std::string_view word, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (text == word || (whole && number >= least && number <= most)) return "";
  return fmt::format("give '{}' or a whole number from {} to {}", word, least, most);
}

std::uint64_t number_or_0(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string chunks_text(const std::vector<std::uint64_t>& chunks) {
  return chunks.empty() ? "contiguous" : fmt::format("chunks ({})", fmt::join(chunks, ", "));
}

void print_result(const std::filesystem::path& output, const std::vector<Repacked>& repacked, bool as_json) {
  const auto file_bytes = std::filesystem::file_size(output);
  if (as_json) {
    nlohmann::ordered_json json{
        {"file", output.string()}, {"file_bytes", file_bytes}, {"datasets", nlohmann::ordered_json::array()}};
    for (const Repacked& one : repacked) {
      json["datasets"].push_back({{"name", one.object},
                                  {"shape", one.shape},
                                  {"chunks_before", one.chunks_before},
                                  {"chunks", one.chunks_after}});
    }
    return print_json(json);
  }
  for (const Repacked& one : repacked) {
    fmt::print("{} ({}): {}, before {}\n", one.object, fmt::join(one.shape, ", "), chunks_text(one.chunks_after),
               chunks_text(one.chunks_before));
  }
  fmt::print("{}: {:.1f} MB\n", output.string(), static_cast<double>(file_bytes) / 1e6);
}

}  // namespace

void RepackCommand::register_options(CommandLine& options) {
  const std::string io = "Input and output", chunks = "Chunks";
  options.add({.group = io,
               .name = "input",
               .target = &input,
               .help = "any HDF5 file with pictures",
               .value_name = "IN.h5",
               .positional = true,
               .required = true});
  register_output(options, io);
  options.add({.group = chunks,
               .name = "chunk-rows",
               .target = &chunk_rows,
               .help = "pictures a chunk; auto makes chunks of about 1 MB, compressed ones of about 64 kB",
               .value_name = "N|auto",
               .check = [](const std::string& text) { return number_complaint(text, "auto", 1, 1'000'000'000); }});
  options.add({.group = chunks,
               .name = "gzip",
               .target = &gzip,
               .help = "compress the pictures; none reads fastest",
               .value_name = "LEVEL|none",
               .check = [](const std::string& text) { return number_complaint(text, "none", 1, 9); }});
  options.set_examples("  xrai_dataset repack chest_1000_rows_a_chunk.h5 chest.h5\n");
}

int RepackCommand::run() const {
  install_interrupt_handlers();
  check_output(output, force, input);
  const RepackOptions options{number_or_0(chunk_rows), static_cast<int>(number_or_0(gzip))};
  std::vector<Repacked> repacked;
  write_aside_and_rename(output, [&](const std::filesystem::path& aside) {
    std::unique_ptr<Progress> bar;
    std::string at;
    repacked = repack(input, aside, options, [&](const std::string& object, std::int64_t done, std::int64_t total) {
      if (object != at) {
        bar.reset();
        bar = std::make_unique<Progress>(object, total, "rows", quiet);
      }
      at = object;
      bar->update(done);
    });
  });
  print_result(output, repacked, json);
  return 0;
}

}  // namespace xrai
