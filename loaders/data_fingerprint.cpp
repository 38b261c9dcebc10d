#include "loaders/data_fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "loaders/pixel_hash.h"

namespace xrai {

std::string data_fingerprint(DatasetReader& data) {
  const std::vector<std::string> splits = data.splits();
  const auto has = [&](const char* name) { return std::find(splits.begin(), splits.end(), name) != splits.end(); };
  if (!has("train")) return {};
  std::string text = fmt::format("{}\n", fmt::join(data.classes(), "\n"));
  for (const char* split : {"train", "val"})
    if (has(split)) text += fmt::format("{} {}\n", split, fmt::join(data.labels(split), " "));
  const std::array<std::int64_t, 2> rows{0, data.n_images("train") - 1};
  std::vector<std::uint8_t> bytes(rows.size() * static_cast<std::size_t>(data.height("train") * data.width("train")));
  data.read_rows("train", rows, bytes.data());
  bytes.insert(bytes.end(), text.begin(), text.end());
  return fmt::format("{:016x}", content_hash(bytes));
}

}  // namespace xrai
