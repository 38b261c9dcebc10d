// A file mapped into memory for reading. That it became shorter, or that its disk fails, is an answer here and not the
// signal SIGBUS, which would end the program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xrai {

class MappedFile {
 public:
  /// Maps the first `n_bytes` of an open file; the descriptor may be closed afterwards. Where the system refuses,
  /// copy() never succeeds. Installs a handler for SIGBUS, once for the process.
  MappedFile(int descriptor, std::uint64_t n_bytes);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// False when the bytes cannot be read; part of `out` may then be written. May be called from several threads.
  [[nodiscard]] bool copy(std::uint64_t offset, std::size_t n_bytes, std::byte* out) const;

 private:
  const std::byte* bytes_ = nullptr;
  std::uint64_t n_bytes_;
};

}  // namespace xrai
