#include "loaders/stress/thirds.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "loaders/stress/picture_statistics.h"
#include "runtime/core/error.h"

namespace xrai {

void take_thirds_as_families(std::vector<HoldOutPicture>& pictures, DatasetReader& data, const std::string& statistic) {
  constexpr const char* kThirds[] = {"low", "middle", "high"};
  std::map<std::string, std::vector<double>> values;  // by split
  for (const std::string& split : data.splits()) {
    if (split == "test") continue;
    std::vector<std::string> names;
    for (StatisticColumn& column : split_statistics(data, split)) {
      names.push_back(column.name);
      if (column.name == statistic) values[split] = std::move(column.values);
    }
    if (values.contains(split)) continue;
    throw Error(ExitCode::kUsage, fmt::format("of the pictures of {} there is no statistic {}, but {}",
                                              data.path().string(), statistic, fmt::join(names, ", ")));
  }
  for (std::size_t label = 0; label < data.classes().size(); ++label) {
    std::vector<HoldOutPicture*> of_class;
    std::vector<double> their_values;
    for (HoldOutPicture& picture : pictures) {
      if (picture.label != static_cast<std::int32_t>(label)) continue;
      of_class.push_back(&picture);
      their_values.push_back(values[picture.split][static_cast<std::size_t>(picture.row)]);
    }
    const std::vector<std::size_t> thirds = thirds_of(their_values);
    if (std::ranges::adjacent_find(their_values, std::not_equal_to<>()) == their_values.end())
      throw Error(ExitCode::kUsage,
                  fmt::format("{} is the same for all pictures of the class {} in {}, so there are no thirds; take "
                              "another --statistic",
                              statistic, data.classes()[label], data.path().string()));
    for (std::size_t i = 0; i < thirds.size(); ++i) {
      of_class[i]->family = fmt::format("{} {}", kThirds[thirds[i]], statistic);
    }
  }
}

}  // namespace xrai
