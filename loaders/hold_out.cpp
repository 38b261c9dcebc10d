// See hold_out.h.
#include "loaders/hold_out.h"

#include <algorithm>
#include <map>
#include <set>

#include "loaders/dataset_writer.h"
#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"

namespace xrai {
namespace {

using Pictures = std::vector<HoldOutPicture>;

void check_classes(const Pictures& part, std::string_view part_name, std::string_view family,
                   const std::vector<std::string>& classes, const std::string& where) {
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const auto is_of_class = [&](const HoldOutPicture& p) { return p.label == static_cast<std::int32_t>(label); };
    if (std::any_of(part.begin(), part.end(), is_of_class)) continue;
    throw Error(ExitCode::kBadData,
                fmt::format("with {} of {} held out there is no picture of class {} left for {}; hold out "
                            "something else, or import with a val split (--splits train=0.85,val=0.15)",
                            family, where, classes[label], part_name));
  }
}

std::string families_text(const Pictures& pictures) {
  std::map<std::string, std::int64_t> counts;
  for (const HoldOutPicture& picture : pictures) ++counts[picture.family];
  std::string text;
  for (const auto& [family, n] : counts) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", family, n);
  return text;
}

std::string text_of(const DatasetReader& data, const std::string& name, const std::string& otherwise) {
  const auto value = data.attribute(name);
  const auto* const text = value ? std::get_if<std::string>(&*value) : nullptr;
  return text != nullptr ? *text : otherwise;
}

DatasetDescription description_of(const DatasetReader& data, const std::string& creator) {
  const auto synthetic = data.attribute("synthetic");
  const auto* const flag = synthetic ? std::get_if<std::int64_t>(&*synthetic) : nullptr;
  return {.classes = data.classes(),
          .size = static_cast<int>(data.height("train")),
          .decoder = text_of(data, "decoder", "unknown"),
          .resize = text_of(data, "resize", "unknown"),
          .fit = text_of(data, "fit", "squash"),
          .creator = creator,
          .synthetic = flag != nullptr && *flag != 0};
}

}  // namespace

HoldOutPlan plan_hold_out(const Pictures& pictures, std::string_view family, const std::vector<std::string>& classes,
                          const std::string& where) {
  std::set<std::int32_t> held_classes;
  for (const HoldOutPicture& picture : pictures)
    if (picture.family == family) held_classes.insert(picture.label);
  if (held_classes.empty())
    throw Error(ExitCode::kUsage,
                fmt::format("{} has no family {}; it has {}", where, family, families_text(pictures)));
  HoldOutPlan plan;
  Pictures others;
  std::set<std::string> patients;  // of validation
  for (const HoldOutPicture& picture : pictures) {
    const bool validates =
        picture.family == family || (picture.split == "val" && !held_classes.contains(picture.label));
    (validates ? plan.val : others).push_back(picture);
    if (validates && !picture.group.empty()) patients.insert(picture.group);
  }
  for (HoldOutPicture& picture : others) {
    if (patients.contains(picture.group)) {
      ++plan.n_dropped;
    } else {
      plan.train.push_back(std::move(picture));
    }
  }
  check_classes(plan.train, "training", family, classes, where);
  check_classes(plan.val, "validation", family, classes, where);
  return plan;
}

Pictures hold_out_pictures(const DatasetReader& data, const std::function<std::string(std::string_view)>& family_of) {
  Pictures pictures;
  for (const std::string& split : data.splits()) {
    if (split == "test") continue;
    const auto sources = data.sources(split), groups = data.groups(split);
    if (sources.empty())
      throw Error(ExitCode::kBadData, fmt::format("{} does not say which files its pictures came from, so there are no "
                                                  "families; import the pictures with xrai_dataset import",
                                                  data.path().string()));
    for (std::size_t i = 0; i < sources.size(); ++i)
      pictures.push_back({split, static_cast<std::int64_t>(i), data.labels(split)[i], family_of(sources[i]),
                          groups.empty() ? std::string() : groups[i]});
  }
  return pictures;
}

void write_hold_out(DatasetReader& data, const HoldOutPlan& plan, const std::filesystem::path& output,
                    const std::string& creator, const std::function<void(std::int64_t)>& on_images) {
  for (const std::string& split : data.splits())
    if (data.height(split) != data.width(split) || data.height(split) != data.height("train"))
      throw Error(ExitCode::kBadData, fmt::format("the pictures of {} are not squares of one size ({} x {} in {}); "
                                                  "import them with xrai_dataset import --size",
                                                  data.path().string(), data.height(split), data.width(split), split));
  constexpr std::size_t kMostClasses = 256;  // a label is written as a byte
  if (data.classes().size() > kMostClasses)
    throw Error(ExitCode::kBadData, fmt::format("{} has {} classes; a data set of xrai's has {} at most",
                                                data.path().string(), data.classes().size(), kMostClasses));
  DatasetWriter writer(output, description_of(data, creator));
  std::map<std::string, std::vector<std::string>> sources;
  std::map<std::string, std::vector<OriginalSize>> sizes;
  for (const std::string& split : data.splits()) {
    sources[split] = data.sources(split);
    sizes[split] = data.original_sizes(split);
  }
  const bool sized = !sizes["train"].empty() && (sizes["val"].empty() == sources["val"].empty());
  const auto n_pixels = static_cast<std::size_t>(data.height("train") * data.width("train"));
  std::int64_t done = 0;
  const auto write = [&](const Pictures& part, std::string_view name) {
    for (const HoldOutPicture& picture : part) {
      if (interrupt_requested() != 0)
        throw Error(ExitCode::kInterrupted, fmt::format("stopped after {} pictures; nothing was written", done));
      const auto i = static_cast<std::size_t>(picture.row);
      std::vector<std::uint8_t> pixels(n_pixels);
      data.read_rows(picture.split, std::span(&picture.row, 1), pixels.data());
      DatasetRow row{std::move(pixels), static_cast<std::uint8_t>(picture.label), picture.group,
                     sources[picture.split][i]};
      if (sized) {
        writer.append(name, std::move(row), sizes[picture.split][i]);
      } else {
        writer.append(name, std::move(row));
      }
      on_images(++done);
    }
  };
  write(plan.train, "train");
  write(plan.val, "val");
  writer.close();
}

}  // namespace xrai
