// Which program this is and what it is linked with: for --version, env.json and xrai_info.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xrai {

std::string program_version();  // "0.1.0"
std::string program_commit();   // of the source tree when it was configured, "unknown" outside git
std::string build_type();       // "Release", with the compiler's name and version

/// Library name and version, asked of the library at run time where it can say.
std::vector<std::pair<std::string, std::string>> library_versions();

/// What `program --version` prints, lines ending in '\n'.
std::string version_text(std::string_view program);

}  // namespace xrai
