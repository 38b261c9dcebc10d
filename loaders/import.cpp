#include "loaders/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>

#include "loaders/dataset_writer.h"
#include "loaders/mat_pictures.h"
#include "loaders/ordered_pool.h"
#include "loaders/pixel_hash.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

struct Decoded {
  GreyImage square;
  Extent source;  // size in the file
  std::uint64_t hash = 0;
  bool faint = false;
  std::string failure;  // why it is unreadable; empty when it is not
};

struct Decoder {
  std::string name;  // kept with the data set
  /// A file's picture in a square. Throws Error(kBadData, reason).
  std::function<DecodedPicture(const std::filesystem::path&)> load;
};

Decoded decode(const std::filesystem::path& path, const Decoder& decoder) {
  Decoded decoded;
  try {
    DecodedPicture picture = decoder.load(path);
    decoded.hash = content_hash(picture.image.pixels);
    decoded.faint = picture.faint_16_bit;
    decoded.source = picture.source;
    decoded.square = std::move(picture.image);
  } catch (const Error& error) {
    decoded.failure = error.what();
  }
  return decoded;
}

int threads_of(const ImportOptions& options) {
  return options.n_threads > 0 ? options.n_threads : available_cores();
}

/// Takes the decoded pictures in order, writes them and keeps the books.
class Importer {
 public:
  Importer(const ImportOptions& options, const ImportPlan& plan, std::filesystem::path root, Decoder decoder,
           ImportReport& report)
      : options_(options), plan_(plan), root_(std::move(root)), decoder_(std::move(decoder)), report_(report) {}

  void write(const std::filesystem::path& file, const ImportProgress& progress) {
    const DecodeTarget& target = options_.target;
    DatasetWriter writer(file,
                         {.classes = report_.classes,
                          .size = target.size,
                          .decoder = decoder_.name,
                          .resize = std::string(kResizeName),
                          .fit = fit_name(target.fit),
                          .creator = options_.creator},
                         options_.deflate_level);
    const auto n = static_cast<std::int64_t>(plan_.pictures.size());
    const auto path_of = [&](std::int64_t i) { return root_ / plan_.pictures[static_cast<std::size_t>(i)].path; };
    writer.expect(n);
    produce_in_parallel(
        n, threads_of(options_), [&](std::int64_t i) { return decode(path_of(i), decoder_); },
        [&](std::int64_t i, Decoded decoded) {
          if (interrupt_requested() != 0)
            throw Error(ExitCode::kInterrupted, fmt::format("stopped after {} of {} pictures; {} was not written", i, n,
                                                            options_.output.string()));
          take(static_cast<std::size_t>(i), std::move(decoded), writer);
          progress(i + 1, n);
        });
    if (report_.n_pictures == 0)
      throw Error(ExitCode::kBadData,
                  fmt::format("none of the {} pictures in {} can be read; the first, {}: {}", n, root_.string(),
                              report_.unreadable.front().path, report_.unreadable.front().reason));
    writer.close();
  }

  void finish() {
    for (auto& [name, split] : report_.splits) split.n_groups = static_cast<std::int64_t>(groups_[name].size());
    for (const auto& [hash, members] : of_pixels_)
      if (members.size() > 1) report_duplicates(members);
    std::sort(report_.duplicates.begin(), report_.duplicates.end(),
              [](const DuplicateSet& a, const DuplicateSet& b) { return a.paths < b.paths; });
    warn();
  }

 private:
  void take(std::size_t index, Decoded decoded, DatasetWriter& writer) {
    const PlannedPicture& picture = plan_.pictures[index];
    if (!decoded.failure.empty()) {
      if (options_.strict)
        throw Error(ExitCode::kBadData, fmt::format("cannot read {}: {} (without --strict it would be left out)",
                                                    (root_ / picture.path).string(), decoded.failure));
      report_.unreadable.push_back({picture.path, decoded.failure});
      return;
    }
    writer.append(picture.split, {std::move(decoded.square.pixels), picture.label, picture.group, picture.path},
                  OriginalSize{decoded.source.height, decoded.source.width});
    SplitCount& count = report_.splits[picture.split];
    count.of_class.resize(report_.classes.size());
    ++count.of_class[picture.label];
    ++count.n_pictures;
    ++report_.n_pictures;
    groups_[picture.split].insert(picture.group);
    of_pixels_[decoded.hash].push_back(index);
    if (decoded.faint) ++n_faint_;
  }

  void report_duplicates(const std::vector<std::size_t>& members) {
    DuplicateSet set;
    const PlannedPicture& first = plan_.pictures[members.front()];
    for (const std::size_t member : members) {
      const PlannedPicture& picture = plan_.pictures[member];
      set.paths.push_back(picture.path);
      set.across_splits |= picture.split != first.split;
      set.across_classes |= picture.label != first.label;
    }
    report_.duplicates.push_back(std::move(set));
  }

  void warn() {
    const auto n_sets = [&](auto condition) {
      return std::count_if(report_.duplicates.begin(), report_.duplicates.end(), condition);
    };
    if (const auto n = n_sets([](const DuplicateSet& set) { return set.across_splits; }); n > 0)
      report_.warnings.push_back(
          fmt::format("{} pictures occur in more than one split; results on them are too good", n));
    if (const auto n = n_sets([](const DuplicateSet& set) { return set.across_classes; }); n > 0)
      report_.warnings.push_back(
          fmt::format("{} pictures occur in more than one class; one of the labels is wrong", n));
    if (n_faint_ > 0)
      report_.warnings.push_back(
          fmt::format("{} pictures of 16 bits use only the lower 12 and are nearly black; scale "
                      "them to the full range before the import",
                      n_faint_));
    if (plan_.n_without_known_group > 0 && options_.plan.group_expression.empty())
      report_.notes.push_back(
          fmt::format("the names of {} pictures do not say whose they are: each counts as a patient "
                      "of its own (--group-regex finds the patient in other names)",
                      plan_.n_without_known_group));
    for (const auto& [name, split] : report_.splits)
      for (std::size_t i = 0; i < split.of_class.size(); ++i)
        if (split.of_class[i] == 0)
          report_.warnings.push_back(fmt::format("{} has no picture of class {}", name, report_.classes[i]));
  }

  const ImportOptions& options_;
  const ImportPlan& plan_;
  std::filesystem::path root_;  // the paths of the plan are relative to it
  const Decoder decoder_;
  ImportReport& report_;
  std::map<std::string, std::set<std::string>> groups_;
  std::map<std::uint64_t, std::vector<std::size_t>> of_pixels_;
  std::int64_t n_faint_ = 0;
};

}  // namespace

void check_output(const std::filesystem::path& output, bool force, const std::filesystem::path& input) {
  std::error_code ignored;
  if (std::filesystem::is_directory(output, ignored))
    throw Error(ExitCode::kStorage, fmt::format("{} is a folder; give the name of a file such as {}", output.string(),
                                                (output / "data.h5").string()));
  if (!force && std::filesystem::exists(output, ignored))
    throw Error(ExitCode::kStorage, fmt::format("{} is there already; --force replaces it", output.string()));
  if (std::filesystem::equivalent(input, output, ignored))
    throw Error(ExitCode::kUsage,
                fmt::format("{} cannot be written while it is read; give OUT.h5 another name", output.string()));
  require_writable(output);
}

namespace {

using Clock = std::chrono::steady_clock;

ImportReport import_scan(const ImportOptions& options, const FolderScan& scan, const Decoder& decoder,
                         const ImportProgress& progress, Clock::time_point start) {
  const ImportPlan plan = plan_import(scan, options.plan, threads_of(options));
  ImportReport report;
  report.classes = scan.classes;
  report.skipped = scan.skipped;
  report.notes = plan.notes;
  Importer importer(options, plan, scan.root, decoder, report);
  write_aside_and_rename(options.output, [&](const std::filesystem::path& aside) { importer.write(aside, progress); });
  importer.finish();
  report.elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

}  // namespace

ImportReport import_folder(const ImportOptions& options, const ImportProgress& progress) {
  const auto start = Clock::now();
  check_output(options.output, options.force);
  const FolderScan scan = scan_folder(options.folder);
  const auto load = [&](const std::filesystem::path& path) { return load_square_picture(path, options.target); };
  return import_scan(options, scan, {std::string(kDecoderName), load}, progress, start);
}

ImportReport import_mat_files(const ImportOptions& options, const ImportProgress& progress) {
  const auto start = Clock::now();
  check_output(options.output, options.force);
  const FolderScan scan = scan_mat_files(options.folder);
  const PixelFormat format = format_of_mat_pictures(scan);
  const auto load = [&](const std::filesystem::path& path) { return load_mat_picture(path, options.target, format); };
  return import_scan(options, scan, {"HDF5 (MATLAB)", load}, progress, start);
}

}  // namespace xrai
