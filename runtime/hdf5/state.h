// What an open File holds, and the few places where objects of a file are opened. Callers hold a LibraryLock.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <set>

#include "runtime/hdf5/library.h"

namespace xrai::hdf5 {

class ChunkCheck;
class FileBytes;
struct Storage;
class VirtualSources;

/// A file as the system described it when it was opened for reading.
struct WatchedFile {
  std::filesystem::path path;
  struct stat opened_as;
};
/// Throws Error when the file was truncated, written to or replaced since. The library alone would not tell: it reads
/// zeros past the end of a file that has become shorter.
void require_as_opened(const WatchedFile& file, const Task& task);

/// A data set that stays open between calls: opening one costs more than reading a radiograph from it.
struct OpenDataset {
  std::shared_ptr<VirtualSources> sources;  // of a virtual data set, which is closed before them
  Handle id;
  Handle type;                 // in the file
  std::vector<hsize_t> shape;  // outermost first; empty: a scalar
  std::vector<hsize_t> chunk;  // empty: contiguous
  bool filtered = false;
  std::string missing_filter;       // one that the library does not have: "blosc (32001)"; empty: it has all
  bool external = false;            // values lie in files without any form
  std::vector<WatchedFile> others;  // without any form, or led to by a link: files that values come from, besides
  bool elsewhere = false;           // values lie in other files (virtual or external), so this file's size says nothing
  std::shared_ptr<const Storage> chunks;             // where they lie, once somebody asked; of files that are read
  std::optional<std::uint64_t> chunks_stored_bytes;  // of all of them together, the same
  std::shared_ptr<ChunkCheck> checked;               // of chunks, made when they are first read

  [[nodiscard]] std::uint64_t row_elements() const;  // product of all axes but the first; shape was checked
};

/// Space of `count` rows in memory. It has the axes of the data set, because a flat one makes the library map a chunk
/// element by element: 60 ms instead of 0.4 ms for 32 pictures of 128 x 128 (measured).
Handle rows_in_memory(const OpenDataset& dataset, std::uint64_t count, const Task& task);

/// Says which filter it is that the library does not have, and what to do.
[[noreturn]] void fail_without_filter(const OpenDataset& dataset, const Task& task);

/// The file that a link in `from` means by `target`; there may be none. (The library looks in more places.)
std::filesystem::path linked_file(const std::filesystem::path& from, const std::string& target);
/// Opens a file to which a link leads, looked at before as the first one; nothing in it when it is not there. Throws
/// Error when its first block is damaged.
Handle open_linked(const std::filesystem::path& path, const Task& task);
/// The same for a source of a virtual data set; nothing when the file is open in another way than the library wants.
Handle open_as_source(const std::filesystem::path& path, const Task& task);
/// The file that an object is in, to which a link may have led.
std::filesystem::path file_that_holds(hid_t object, const Task& task);
/// The library would look for files where the variable of the environment says, and nobody looks at those before.
void require_unset(const char* variable, const Task& task);
/// Whether `target`, as it is written in `from`, is a file in `file`'s folder or below.
bool is_in_folder(const std::filesystem::path& file, const std::filesystem::path& from, const std::string& target);
[[noreturn]] void fail_outside(const std::string& target, const Task& task);

/// Whether it is a file at all, that may be read. Throws Error when its first block is damaged.
bool is_sound_file(const std::filesystem::path& path, const Task& task);
/// How files are opened and made: without locks, readable by libraries since 1.8.
Handle file_access(const Task& task);

struct File::State {
  std::filesystem::path path;
  std::filesystem::path led_from;  // the file that was opened first, when a link led from there to this one
  Links links = Links::kInFolder;
  Handle file;
  std::optional<struct stat> opened_as;  // what the system says of a file that was opened for reading
  std::optional<int> written;            // descriptor of a file that was made, for writing around the library
  std::map<std::string, OpenDataset, std::less<>> datasets;
  mutable std::set<std::string, std::less<>> sound;  // objects that were looked at, with all on the way to them
  mutable std::set<haddr_t> sound_headers;
  mutable std::shared_ptr<const FileBytes> bytes;  // of a file that was opened for reading, once they are needed

  [[nodiscard]] Task reading(std::string_view object) const { return {"reading", object, path, ExitCode::kBadData}; }
  [[nodiscard]] Task writing(std::string_view object) const { return {"writing", object, path, ExitCode::kStorage}; }

  [[nodiscard]] const std::filesystem::path& opened_first() const { return led_from.empty() ? path : led_from; }
  /// Follows links; all that is met on the way and what is at its end is looked at. Throws when a link leads to a file
  /// that is not allowed, or a header is not one to be given to the library (header_check.h).
  [[nodiscard]] bool has(std::string_view object) const;
  [[nodiscard]] bool has(const std::string& name, int& steps_left) const;
  /// Whether the symbolic link `name` in `place`, which is called `group`, leads to where `rest` ("", "/images") leads
  /// to something.
  [[nodiscard]] bool leads_somewhere(hid_t place, const std::string& name, const H5L_info_t& link,
                                     const std::string& group, const std::string& rest, int& steps_left) const;
  /// The same as `has`, but throws when there is nothing; once for each name.
  void require_sound(std::string_view object, const Task& task) const;
  [[nodiscard]] haddr_t root_address() const;
  /// Throws when the header there is not one to be given to the library; once for each.
  void require_sound_header_of(haddr_t address, const Task& task) const;
  /// A group, data set or type, looked at before it is opened.
  [[nodiscard]] Handle open_object(std::string_view object, const Task& task) const;
  /// Refuses what is not there, is not a data set, or has axes whose product overflows.
  [[nodiscard]] OpenDataset open_dataset(std::string_view name, const Task& task) const;
  /// The same, kept open from the first call on.
  OpenDataset& dataset(std::string_view name, const Task& task);
  /// Elements of the data set; refuses more than the file can hold, so that a damaged header allocates nothing.
  std::uint64_t elements_that_fit(OpenDataset& dataset, const Task& task) const;
  /// Bytes that its values take in the file. Of chunks the library would go through the index to tell, which nobody
  /// looked at; so they are summed here: 0 where the index is of a kind that is not read here. Throws Error when it is
  /// damaged.
  std::uint64_t stored_bytes(OpenDataset& dataset, const Task& task) const;
  /// The only way to the library's H5Dread: the index of chunks and filtered chunks are looked at before, and the file
  /// after.
  void read_values(OpenDataset& dataset, hid_t type, hid_t memory_space, hid_t file_space, void* out,
                   const Task& task) const;
  /// Reads `n` elements of a selection (or all: H5S_ALL twice) converted to `type`.
  void read(OpenDataset& dataset, hid_t memory_space, hid_t file_space, std::uint64_t n, Type type, void* out,
            const Task& task) const;
  /// The same of the file itself, when it was opened for reading.
  void check_unchanged(const Task& task) const;
  OpenDataset& make_dataset(std::string_view name, hid_t type, const std::vector<std::uint64_t>& shape,
                            const CreateOptions& options);
  /// Selection of rows in the file; throws with the numbers when they are not in the data set.
  [[nodiscard]] Handle select_rows(const OpenDataset& dataset, std::uint64_t first, std::uint64_t count,
                                   const Task& task) const;
};

}  // namespace xrai::hdf5
