#include "loaders/import_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "loaders/file_reading.h"
#include "loaders/pixel_hash.h"
#include "loaders/workers.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

/// Sets of group names that must stay together.
class JoinedGroups {
 public:
  std::string find(const std::string& group) {
    const auto parent = parent_.find(group);
    return parent == parent_.end() ? group : find(parent->second);
  }
  /// The alphabetically first name stands for both afterwards.
  void join(const std::string& a, const std::string& b) {
    const std::string root_a = find(a), root_b = find(b);
    if (root_a != root_b) parent_[std::max(root_a, root_b)] = std::min(root_a, root_b);
  }

 private:
  std::map<std::string, std::string> parent_;
};

using PictureLists = std::vector<std::vector<std::size_t>>;

/// Divides each list into lists of the pictures for which `trait` is the same, on the given threads. Those that it is
/// true of alone, and those that have none, are in no list.
template <class Trait>
PictureLists divided_by(const PictureLists& lists, Workers& workers, int n_threads, const Trait& trait) {
  struct Place {
    std::size_t list, picture;
    std::optional<std::uint64_t> trait;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < lists.size(); ++i)
    for (const std::size_t picture : lists[i]) places.push_back({i, picture, std::nullopt});
  constexpr std::int64_t kAtOnce = 64;  // a picture takes microseconds, less than handing it to a thread
  const auto n = static_cast<std::int64_t>(places.size());
  workers.run((n + kAtOnce - 1) / kAtOnce, n_threads, [&](std::int64_t portion) {
    for (std::int64_t i = portion * kAtOnce; i < std::min(n, (portion + 1) * kAtOnce); ++i) {
      Place& place = places[static_cast<std::size_t>(i)];
      place.trait = trait(place.picture);
    }
  });
  const auto key = [](const Place& place) { return std::pair(place.list, *place.trait); };
  std::erase_if(places, [](const Place& place) { return !place.trait; });
  std::stable_sort(places.begin(), places.end(), [&](const Place& a, const Place& b) { return key(a) < key(b); });
  PictureLists divided;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const bool same_as_last = i > 0 && key(places[i]) == key(places[i - 1]);
    if (!same_as_last && (i + 1 == places.size() || key(places[i]) != key(places[i + 1]))) continue;  // alone
    if (!same_as_last) divided.emplace_back();
    divided.back().push_back(places[i].picture);
  }
  return divided;
}

/// Lists of pictures whose files are the same. Small pictures often share a size by chance, so a stretch in the middle,
/// where compressed data differ, says whether whole files need to be read.
PictureLists identical_files(const FolderScan& scan, int n_threads) {
  const auto path_of = [&](std::size_t picture) { return scan.root / scan.pictures[picture].path; };
  const auto size_of = [&](std::size_t picture) -> std::optional<std::uint64_t> {
    std::error_code failure;
    const std::uintmax_t size = std::filesystem::file_size(path_of(picture), failure);
    return failure || size == 0 ? std::nullopt : std::optional<std::uint64_t>(size);
  };
  const auto middle_of = [&](std::size_t picture) { return middle_hash(path_of(picture)); };
  const auto content_of = [&](std::size_t picture) -> std::optional<std::uint64_t> {
    try {
      return content_hash(read_file_bytes(path_of(picture)));
    } catch (const Error&) {  // it will be listed as unreadable when its turn to be decoded comes
      return std::nullopt;
    }
  };
  std::vector<std::size_t> all(scan.pictures.size());
  std::iota(all.begin(), all.end(), 0);
  Workers workers(n_threads);
  const PictureLists of_size = divided_by({all}, workers, n_threads, size_of);
  const PictureLists of_middle = divided_by(of_size, workers, n_threads, middle_of);
  return divided_by(of_middle, workers, n_threads, content_of);
}

std::vector<std::string> groups_of(const FolderScan& scan, const GroupRule& rule, int n_threads,
                                   std::int64_t& n_unknown) {
  std::vector<std::string> groups;
  for (const FoundPicture& picture : scan.pictures) {
    groups.push_back(picture.group.empty() ? rule.group_of(picture.path) : picture.group);
    if (picture.group.empty() && !rule.knows(picture.path)) ++n_unknown;
  }
  JoinedGroups joined;
  for (const std::vector<std::size_t>& same : identical_files(scan, n_threads))
    for (const std::size_t i : same) joined.join(groups[same.front()], groups[i]);
  for (std::string& group : groups) group = joined.find(group);
  return groups;
}

std::int64_t count(const FolderScan& scan, OwnSplit split) {
  return std::count_if(scan.pictures.begin(), scan.pictures.end(),
                       [&](const FoundPicture& picture) { return picture.own_split == split; });
}

bool val_is_kept(const FolderScan& scan, const PlanOptions& options, std::vector<std::string>& notes) {
  const std::int64_t n_val = count(scan, OwnSplit::kVal);
  if (n_val == 0) return false;
  if (n_val >= kFewestUsefulValidation || options.keep_val || count(scan, OwnSplit::kTrain) == 0) return true;
  notes.push_back(
      fmt::format("the val folder has only {} pictures, too few to choose anything by; they were added to "
                  "train, and validation is split off by patient group (--keep-val keeps the folder)",
                  n_val));
  return false;
}

std::vector<SplitFraction> fractions_for(const PlanOptions& options, bool own_val, bool own_test,
                                         std::vector<std::string>& notes) {
  if (options.fractions.empty())
    return own_val ? std::vector<SplitFraction>{{"train", 1.0}}
                   : std::vector<SplitFraction>{{"train", 0.85}, {"val", 0.15}};
  for (const SplitFraction& split : options.fractions)
    if ((own_val && split.name == "val") || (own_test && split.name == "test"))
      notes.push_back(
          fmt::format("there is a {0} folder of its own; the pictures that --splits gives to {0} were added "
                      "to it",
                      split.name));
  return options.fractions;
}

void warn_of_straddling(const ImportPlan& plan, std::vector<std::string>& notes) {
  std::map<std::string_view, std::set<std::string_view>> splits_of_group;
  for (const PlannedPicture& picture : plan.pictures) splits_of_group[picture.group].insert(picture.split);
  std::vector<std::string_view> straddling;
  for (const auto& [group, splits] : splits_of_group)
    if (splits.size() > 1) straddling.push_back(group);
  if (!straddling.empty())
    notes.push_back(
        fmt::format("{} groups (for example {}) have pictures in several of the split folders that were "
                    "given; if these are the same patients, results on them are too good",
                    straddling.size(), straddling.front()));
}

}  // namespace

ImportPlan plan_import(const FolderScan& scan, const PlanOptions& options, int n_threads) {
  const GroupRule rule = options.group_expression.empty() ? GroupRule() : GroupRule(options.group_expression);
  ImportPlan plan;
  const std::vector<std::string> groups = groups_of(scan, rule, n_threads, plan.n_without_known_group);
  const bool own_val = val_is_kept(scan, options, plan.notes), own_test = count(scan, OwnSplit::kTest) > 0;

  std::vector<std::size_t> pool;
  std::vector<std::string> pool_groups, pool_strata;
  for (std::size_t i = 0; i < scan.pictures.size(); ++i) {
    const FoundPicture& picture = scan.pictures[i];
    PlannedPicture planned{picture.path, picture.label, groups[i], ""};
    if (picture.own_split == OwnSplit::kTest) planned.split = "test";
    if (picture.own_split == OwnSplit::kVal && own_val) planned.split = "val";
    if (planned.split.empty()) {
      pool.push_back(i);
      pool_groups.push_back(groups[i]);
      pool_strata.push_back(fmt::format("{} {}", picture.label, name_family(picture.path)));
    }
    plan.pictures.push_back(std::move(planned));
  }
  if (!pool.empty()) {
    const std::vector<SplitFraction> fractions = fractions_for(options, own_val, own_test, plan.notes);
    const std::vector<int> split_of = grouped_stratified_split(pool_groups, pool_strata, fractions, options.seed);
    for (std::size_t i = 0; i < pool.size(); ++i)
      plan.pictures[pool[i]].split = fractions[static_cast<std::size_t>(split_of[i])].name;
  }
  warn_of_straddling(plan, plan.notes);
  return plan;
}

}  // namespace xrai
