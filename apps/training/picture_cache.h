// Where a run keeps its pictures once they were read, so that later epochs touch no file: in host memory, in the
// device's, or nowhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/training/training_data.h"
#include "loaders/batch_loader.h"
#include "runtime/core/device.h"

namespace xrai {

enum class CachePlace { kNone, kHost, kDevice };

struct CacheChoice {
  CachePlace place = CachePlace::kNone;
  std::string remark;  // a line for people: where, how much, why
};

/// Free memory in bytes. 0: unknown, and then nothing is known to fit; for the device also that it has none but the
/// host's.
struct FreeMemory {
  std::uint64_t host = 0, device = 0;
};

/// `wanted`: auto, none, host or device. auto: the device, if it has memory of its own, else the host, wherever the
/// pictures take at most a quarter of what is free.
CacheChoice choose_cache(const std::string& wanted, std::uint64_t picture_bytes, const FreeMemory& free);

/// The pictures of a run at their place.
class PictureStore {
 public:
  /// Chooses the place. For the device's memory the file is read here, from beginning to end; for the host's,
  /// data.reader keeps what it reads (from now on, or since before). Throws Error (kBadData, kOutOfMemory).
  PictureStore(TrainingData& data, Device& device, const std::string& wanted, bool quiet);

  [[nodiscard]] const std::string& remark() const { return remark_; }
  /// In every epoch, not in the first alone.
  [[nodiscard]] bool reads_the_file() const { return reads_the_file_; }
  /// Batches of these rows of a split, from wherever its pictures are.
  [[nodiscard]] std::unique_ptr<BatchLoader> loader(const std::string& split, const std::vector<std::int64_t>& rows,
                                                    BatchLoaderOptions options) const;

 private:
  const TrainingData& data_;
  std::string remark_;
  bool reads_the_file_ = false;
  std::map<std::string, Buffer> resident_;  // by split; empty unless they are in the device's memory
};

}  // namespace xrai
