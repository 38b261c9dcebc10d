// The folder of one training run: made, locked against a second writer, never silently written over.
#pragma once

#include <filesystem>
#include <string>

namespace xrai {

class RunFolder {
 public:
  /// Makes the folder (with checkpoints/) and locks it until destruction. `resuming`: it may hold a run already.
  /// Throws Error(kStorage) when it holds a run and this is not resuming it, when another process trains in it, or
  /// when it cannot be written.
  RunFolder(std::filesystem::path path, bool resuming);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path last_checkpoint() const { return path_ / "checkpoints" / "last.h5"; }
  [[nodiscard]] std::filesystem::path best_checkpoint() const { return path_ / "checkpoints" / "best.h5"; }

  /// env.json: program, libraries, processor, threads, command line. Says under which conditions figures were made.
  void write_environment(const std::string& device, int argc, const char* const* argv) const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace xrai
