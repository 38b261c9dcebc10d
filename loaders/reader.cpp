#include "loaders/reader.h"

#include "loaders/layout_reader.h"

namespace xrai {

std::unique_ptr<DatasetReader> open_dataset(const std::filesystem::path& path, const LayoutOptions& options,
                                            const RowOptions& row_options) {
  OpenFiles files;
  Layout layout = decide_layout(path, options, files);
  return std::make_unique<LayoutReader>(std::move(layout), std::move(files), options, row_options);
}

}  // namespace xrai
