// The checks of our own layout, and rows of pixels in as few reads as their order allows.
#include "loaders/native_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::array kSplits{"train", "val", "test"};
constexpr std::int64_t kNewestSchema = 1;
constexpr std::uint64_t kLargestSide = 32768;  // pixels; a film digitised at 50 micrometres has 8,600
constexpr std::int64_t kLargestClassCount = 65536;

bool is_integer(hdf5::Type type) {
  return type != hdf5::Type::kFloat32 && type != hdf5::Type::kFloat64 && type != hdf5::Type::kString &&
         type != hdf5::Type::kOther;
}

/// (N), or (N, 1) as other tools write it.
bool is_column(const std::vector<std::uint64_t>& shape) {
  return shape.size() == 1 || (shape.size() == 2 && shape[1] == 1);
}

[[noreturn]] void refuse(const hdf5::File& file, const std::string& object, const std::string& why) {
  throw Error(ExitCode::kBadData, fmt::format("{} of {} cannot be used: {}", object, file.path().string(), why));
}

void check_images(const hdf5::File& file, const std::string& object, const hdf5::DatasetInfo& info) {
  const auto& shape = info.shape;
  const std::string shape_text = fmt::format("({})", fmt::join(shape, ", "));
  if (info.type != hdf5::Type::kUint8) refuse(file, object, "its pixels are not uint8; import the pictures again");
  if (shape.size() != 3 && !(shape.size() == 4 && shape[3] == 1)) {
    refuse(file, object, fmt::format("its shape is {}, not (pictures, height, width)", shape_text));
  }
  if (shape[0] == 0) refuse(file, object, "it holds no pictures; import them again or remove the split");
  if (shape[1] == 0 || shape[2] == 0 || shape[1] > kLargestSide || shape[2] > kLargestSide) {
    refuse(file, object, fmt::format("pictures of {} x {} pixels cannot be true", shape[1], shape[2]));
  }
  const bool all_written =
      info.filters.empty() ? info.stored_bytes / (shape[1] * shape[2]) >= shape[0] : info.stored_bytes > 0;
  if (!info.values_elsewhere && !all_written) {
    refuse(file, object,
           fmt::format("its shape is {}, but only {} bytes were written; was the import interrupted?", shape_text,
                       info.stored_bytes));
  }
}

std::vector<std::int32_t> read_labels(const hdf5::File& file, const std::string& object, std::int64_t n_images) {
  if (!file.is_dataset(object)) refuse(file, object, "it is missing; each picture needs a label");
  const hdf5::DatasetInfo info = file.info(object);
  if (!is_integer(info.type) || !is_column(info.shape)) {
    refuse(file, object,
           fmt::format("labels must be whole numbers, one a picture, but its shape is ({}){}",
                       fmt::join(info.shape, ", "), is_integer(info.type) ? "" : " of another type"));
  }
  if (info.shape[0] != static_cast<std::uint64_t>(n_images)) {
    refuse(file, object, fmt::format("there are {} labels for {} pictures", info.shape[0], n_images));
  }
  std::vector<std::int32_t> labels;
  labels.reserve(static_cast<std::size_t>(n_images));
  for (const std::int64_t label : file.read<std::int64_t>(object)) {
    if (label < 0 || label >= kLargestClassCount) {
      refuse(file, object, fmt::format("label {} of picture {} is not a class number", label, labels.size()));
    }
    labels.push_back(static_cast<std::int32_t>(label));
  }
  return labels;
}

}  // namespace

bool NativeReader::recognises(const hdf5::File& file) {
  return std::any_of(kSplits.begin(), kSplits.end(),
                     [&](const char* name) { return file.is_dataset(fmt::format("/{}/images", name)); });
}

NativeReader::NativeReader(hdf5::File file) : file_(std::move(file)) {
  const auto schema = file_.attribute("/", "xrai_schema");
  const auto* version = schema ? std::get_if<std::int64_t>(&*schema) : nullptr;
  if (version != nullptr && *version > kNewestSchema) {
    throw Error(ExitCode::kBadData, fmt::format("{} has schema {}, this program reads up to {}; use a newer xrai",
                                                path().string(), *version, kNewestSchema));
  }
  for (const char* name : kSplits) {
    if (file_.has(fmt::format("/{}", name))) splits_.emplace(name, read_split(name));
  }
  name_classes();
}

NativeReader::Split NativeReader::read_split(const std::string& name) const {
  Split split;
  split.images = fmt::format("/{}/images", name);
  if (!file_.is_dataset(split.images)) refuse(file_, split.images, "the split is there, but it has no pictures");
  const hdf5::DatasetInfo info = file_.info(split.images);
  check_images(file_, split.images, info);
  split.n_images = static_cast<std::int64_t>(info.shape[0]);
  split.height = static_cast<std::int64_t>(info.shape[1]);
  split.width = static_cast<std::int64_t>(info.shape[2]);
  if (!info.chunk_shape.empty()) split.rows_per_chunk = static_cast<std::int64_t>(info.chunk_shape[0]);
  split.labels = read_labels(file_, fmt::format("/{}/labels", name), split.n_images);
  return split;
}

// Files of others often lack the names; then the label is its own name.
void NativeReader::name_classes() {
  std::int32_t largest = 1;
  for (const auto& [name, split] : splits_) {
    largest = std::max(largest, *std::max_element(split.labels.begin(), split.labels.end()));
  }
  const auto names = file_.attribute("/", "classes");
  if (!names) {
    for (std::int32_t label = 0; label <= largest; ++label) classes_.push_back(fmt::format("{}", label));
    return;
  }
  const auto* list = std::get_if<std::vector<std::string>>(&*names);
  if (list == nullptr || list->size() < 2) refuse(file_, "attribute 'classes'", "it must list two or more class names");
  classes_ = *list;
  for (const auto& [name, split] : splits_) {
    const auto wrong = std::find_if(split.labels.begin(), split.labels.end(), [this](std::int32_t label) {
      return static_cast<std::size_t>(label) >= classes_.size();
    });
    if (wrong == split.labels.end()) continue;
    refuse(file_, fmt::format("/{}/labels", name),
           fmt::format("label {} of picture {} is not one of the {} classes ({})", *wrong, wrong - split.labels.begin(),
                       classes_.size(), fmt::join(classes_, ", ")));
  }
}

std::vector<std::string> NativeReader::splits() const {
  std::vector<std::string> names;
  for (const char* name : kSplits) {
    if (splits_.contains(name)) names.emplace_back(name);
  }
  return names;
}

const NativeReader::Split& NativeReader::split(std::string_view name) const {
  const auto found = splits_.find(name);
  if (found != splits_.end()) return found->second;
  throw Error(ExitCode::kBadData,
              fmt::format("{} has no split '{}'; it has {}", path().string(), name, fmt::join(splits(), ", ")));
}

std::vector<std::string> NativeReader::names(std::string_view split_name, const char* data_set) const {
  const std::string object = fmt::format("/{}/{}", split_name, data_set);
  const std::int64_t n_images = split(split_name).n_images;
  if (!file_.is_dataset(object)) return {};
  const hdf5::DatasetInfo info = file_.info(object);
  if (!is_column(info.shape) || info.shape[0] != static_cast<std::uint64_t>(n_images)) {
    refuse(file_, object, fmt::format("its shape is ({}) for {} pictures", fmt::join(info.shape, ", "), n_images));
  }
  if (info.type == hdf5::Type::kString) return file_.read_strings(object);
  if (!is_integer(info.type)) refuse(file_, object, "it holds neither strings nor whole numbers");
  std::vector<std::string> texts;
  for (const std::int64_t number : file_.read<std::int64_t>(object)) texts.push_back(fmt::format("{}", number));
  return texts;
}

std::vector<std::string> NativeReader::groups(std::string_view name) const {
  return names(name, "group");
}
std::vector<std::string> NativeReader::sources(std::string_view name) const {
  return names(name, "source");
}

std::optional<hdf5::Attribute> NativeReader::attribute(const std::string& name) const {
  return file_.attribute("/", name);
}

// Rows are visited in the order in which they lie in the file; a run of neighbours that also are neighbours in
// `pixels` is one read.
void NativeReader::read_rows(std::string_view name, std::span<const std::int64_t> rows, std::uint8_t* pixels) {
  const Split& from = split(name);
  const std::int64_t image_bytes = from.height * from.width;
  std::vector<std::size_t> visit(rows.size());
  std::iota(visit.begin(), visit.end(), std::size_t{0});
  std::stable_sort(visit.begin(), visit.end(), [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  for (std::size_t begin = 0, end = 0; begin < visit.size(); begin = end) {
    const std::int64_t first = rows[visit[begin]];
    for (end = begin + 1; end < visit.size(); ++end) {
      const auto run = static_cast<std::int64_t>(end - begin);
      if (rows[visit[end]] != first + run || visit[end] != visit[begin] + static_cast<std::size_t>(run)) break;
    }
    const auto count = static_cast<std::uint64_t>(end - begin);
    std::uint8_t* const to = pixels + static_cast<std::int64_t>(visit[begin]) * image_bytes;
    try {
      file_.read_rows(from.images, static_cast<std::uint64_t>(first), count, to);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("{} (pictures {} to {} of split '{}')", error.what(), first,
                                            first + static_cast<std::int64_t>(count) - 1, name));
    }
  }
}

}  // namespace xrai
