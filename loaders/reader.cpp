// Which layout a file has.
#include "loaders/reader.h"

#include "loaders/native_reader.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::string_view kWhatXraiReads =
    "xrai reads what 'xrai_dataset import' writes: /train/images (N, height, width) uint8 with /train/labels (N), and "
    "the same under /val and /test";

}  // namespace

std::unique_ptr<DatasetReader> open_dataset(const std::filesystem::path& path) {
  hdf5::File file = hdf5::File::open(path);
  if (NativeReader::recognises(file)) return std::make_unique<NativeReader>(std::move(file));
  if (file.has("/model_weights") || file.attribute("/", "keras_version")) {
    throw Error(ExitCode::kBadData,
                fmt::format("{} holds the weights of a Keras model, not pictures; give a data set. {}", path.string(),
                            kWhatXraiReads));
  }
  const auto names = file.names_in("/");
  throw Error(ExitCode::kBadData,
              fmt::format("{} has no /train/images, /val/images or /test/images; it holds {}. {}", path.string(),
                          names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", ")), kWhatXraiReads));
}

}  // namespace xrai
