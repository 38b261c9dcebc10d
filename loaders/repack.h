// The same data set in chunks that suit shuffled reading. Values, labels, names, attributes and links stay as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace xrai {

struct RepackOptions {
  std::uint64_t chunk_rows = 0;  // 0: about 1 MB a chunk; compressed, about 64 kB but a row at least
  int gzip = 0;                  // level; 0: not compressed
};

struct Repacked {
  std::string object;
  std::vector<std::uint64_t> shape, chunks_before, chunks_after;  // no chunks: contiguous
};

/// Hears of a data set, its rows done and its rows in all.
using RepackProgress = std::function<void(const std::string& object, std::int64_t done, std::int64_t total)>;

/// Writes `output`, which must not be there, and says which data sets were cut anew: those of numbers with three axes
/// or more. Throws Error (kBadData, kUsage, kStorage, kInterrupted).
std::vector<Repacked> repack(const std::filesystem::path& input, const std::filesystem::path& output,
                             const RepackOptions& options, const RepackProgress& progress);

}  // namespace xrai
