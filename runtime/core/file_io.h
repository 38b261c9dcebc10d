// Files that are whole or not there: written aside, flushed to the disk, renamed, the folder flushed too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace xrai {

/// Calls `write` with the name of a new file beside `path`, fsyncs what it wrote, renames it to `path` and fsyncs the
/// folder. What was at `path` stays until the rename; a link stays a link, and the file it names is replaced. On any
/// exception the new file is removed and it is rethrown. Throws Error(kStorage) with the system's reason, and where a
/// device or a pipe is at `path`, which must not become a file.
void write_aside_and_rename(const std::filesystem::path& path,
                            const std::function<void(const std::filesystem::path&)>& write);
/// Asks the system to start writing to the disk what was written to the file so far, without waiting: the fsync at the
/// end of a large file is short then. A hint; nothing is promised and nothing fails.
void start_flushing(const std::filesystem::path& path);
/// Asks the system to set room on the disk aside for a file that will have about `n_bytes`; its size stays what it is.
/// Writing into it takes a quarter less of the system's time. A hint as above. `return_spare_room` gives back what was
/// set aside beyond the file's size.
void set_room_aside(const std::filesystem::path& path, std::uint64_t n_bytes);
void return_spare_room(const std::filesystem::path& path);
/// write_aside_and_rename for a text; into a device or a pipe (/dev/stdout, /dev/null) it is written as it is.
void write_text_file(const std::filesystem::path& path, std::string_view text);
/// Throws Error(kStorage) where no file could be made at `path`: no such folder, one that may not be written to, or a
/// folder of that name. For asking before the work whose result goes there.
void require_writable(const std::filesystem::path& path);

}  // namespace xrai
