// How fast pictures come out of a data set: bench_loader FILE.h5 [batch size]. Checks the batches against rows that
// were read one by one, then times three epochs from the file and from memory, and prints JSON.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "loaders/batch_loader.h"
#include "loaders/cached_reader.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kEpochs = 3;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void check(BatchLoader& loader, DatasetReader& reader, const std::string& split) {
  const std::int64_t image_bytes = reader.height(split) * reader.width(split);
  std::vector<std::uint8_t> picture(static_cast<std::size_t>(image_bytes));
  Batch batch;
  for (int n = 0; n < 4 && loader.next(batch); ++n) {
    for (std::int64_t i = 0; i < batch.n_images; ++i) {
      reader.read_rows(split, batch.sample_ids.subspan(static_cast<std::size_t>(i), 1), picture.data());
      if (std::memcmp(picture.data(), batch.pixels + i * image_bytes, picture.size()) != 0) {
        throw Error(ExitCode::kFailure, fmt::format("row {} of the batch is not the row of the file",
                                                    batch.sample_ids[static_cast<std::size_t>(i)]));
      }
    }
    loader.release(batch);
  }
}

/// Images per second of each epoch; the pixels are only handed over, as to a device that copies them itself.
std::vector<double> time_epochs(BatchLoader& loader) {
  std::vector<double> rates;
  Batch batch;
  for (std::int64_t epoch = 1; epoch <= kEpochs; ++epoch) {
    const auto begin = Clock::now();
    loader.start_epoch({epoch, 0});
    while (loader.next(batch)) loader.release(batch);
    rates.push_back(static_cast<double>(loader.size()) / seconds_since(begin));
  }
  return rates;
}

void bench(const char* path, std::int64_t batch_size) {
  for (const bool in_memory : {false, true}) {
    std::shared_ptr<DatasetReader> reader = open_dataset(path);
    if (in_memory) reader = keep_in_memory(reader);
    const std::string split = reader->splits().front();
    BatchLoaderOptions options;
    options.batch_size = batch_size;
    BatchLoader loader(reader, split, {}, options);
    check(loader, *reader, split);
    const std::vector<double> rates = time_epochs(loader);
    const double best = *std::max_element(rates.begin(), rates.end());
    const auto image_bytes = static_cast<double>(reader->height(split) * reader->width(split));
    fmt::print(
        "{{\"bench\": \"loader\", \"memory\": {}, \"batch_size\": {}, \"images\": {}, \"height\": {}, \"width\": {}, "
        "\"images_per_second\": [{}], \"best_gigabytes_per_second\": {:.2f}}}\n",
        in_memory, batch_size, loader.size(), reader->height(split), reader->width(split),
        fmt::format("{:.0f}", fmt::join(rates, ", ")), best * image_bytes / 1e9);
  }
}

}  // namespace
}  // namespace xrai

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: bench_loader FILE.h5 [batch size, 32]\n");
    return 2;
  }
  try {
    xrai::bench(argv[1], argc == 3 ? std::atoll(argv[2]) : 32);
    return 0;
  } catch (const xrai::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
