// The folder of one training run: made, locked against a second writer, never silently written over.
#pragma once

#include <filesystem>
#include <string>

namespace xrai {

/// Conditions under which a run's figures were made.
struct RunEnvironment {
  std::string device;  // Device::description()
  int threads = 0;     // of the CPU device
};

class RunFolder {
 public:
  /// Throws Error(kStorage) when another process trains in `path`. Touches nothing; to be asked before a checkpoint
  /// there is read, which that process may be replacing.
  static void refuse_second_writer(const std::filesystem::path& path);
  /// Throws Error(kStorage) when `path` holds a run (a checkpoint, or the figures of an epoch) or another process
  /// trains in it. Touches nothing.
  static void refuse_occupied(const std::filesystem::path& path);

  /// Makes the folder (with checkpoints/), locks it until destruction and removes checkpoints that a killed process
  /// left half written. `may_hold_run`: it is the run that is gone on with. Throws Error(kStorage) when it holds a run
  /// otherwise, when another process trains in it, or when it cannot be written.
  RunFolder(std::filesystem::path path, bool may_hold_run);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// env.json: program, commit, libraries, processor, threads, command line.
  void write_environment(const RunEnvironment& environment, int argc, const char* const* argv) const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

/// Threads that the run in this folder was trained with, from its env.json; 0 when it does not say.
int threads_of_run(const std::filesystem::path& run_folder);

}  // namespace xrai
