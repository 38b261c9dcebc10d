#include "symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "execution.h"

namespace xrai::emulation {
namespace {

/// The program or shared library that holds an address.
struct Module {
  std::string file;
  std::uintptr_t offset = 0;  // of the address, as the file counts
};

Module module_of(const void* address) {
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0 || map == nullptr) return {};
  const bool is_program = map->l_name == nullptr || *map->l_name == '\0';
  return {is_program ? "/proc/self/exe" : map->l_name, reinterpret_cast<std::uintptr_t>(address) - map->l_addr};
}

template <class T>
std::vector<T> read_table(std::ifstream& file, const Elf64_Shdr& section) {
  std::vector<T> table(section.sh_size / sizeof(T));
  file.seekg(static_cast<std::streamoff>(section.sh_offset));
  file.read(reinterpret_cast<char*>(table.data()), static_cast<std::streamsize>(table.size() * sizeof(T)));
  return table;
}

/// The functions of a file's symbol table (the full one: kernels are local, and not exported), by offset.
std::map<std::uintptr_t, std::string> functions_of(const std::string& path) {
  std::map<std::uintptr_t, std::string> functions;
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr header{};
  file.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!file || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return functions;
  Elf64_Shdr whole{};
  whole.sh_offset = header.e_shoff;
  whole.sh_size = std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  const auto sections = read_table<Elf64_Shdr>(file, whole);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB) continue;
    std::vector<char> names = read_table<char>(file, sections.at(section.sh_link));
    names.push_back('\0');
    for (const Elf64_Sym& symbol : read_table<Elf64_Sym>(file, section)) {
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value != 0) {
        functions.emplace(symbol.st_value, names.data() + symbol.st_name);
      }
    }
  }
  return functions;
}

/// "void xrai::(anonymous namespace)::kernel<float>(float*, int)" -> "kernel<float>"
std::string short_name(const std::string& mangled) {
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, nullptr),
                                                    &std::free);
  std::string name = text ? text.get() : mangled;
  std::size_t begin = 0, end = name.size();
  int depth = 0;
  for (std::size_t i = 0; i < end; ++i) {
    const std::string_view rest = std::string_view(name).substr(i);
    if (rest.starts_with("(anonymous namespace)")) {
      i += std::strlen("(anonymous namespace)") - 1;
    } else if (depth == 0 && name[i] == '(') {
      end = i;
    } else if (depth == 0 && (name[i] == ' ' || name[i] == ':')) {
      begin = i + 1;
    } else {
      depth += name[i] == '<' ? 1 : name[i] == '>' ? -1 : 0;
    }
  }
  return name.substr(begin, end - begin);
}

std::string first_line_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::array<char, 512> line{};
  if (!pipe || std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return "";
  const std::string text = line.data();
  return text.substr(0, text.find_first_of(" \n"));
}

}  // namespace

std::string kernel_name(const void* kernel) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  static std::map<const void*, std::string> known;
  static std::map<std::string, std::map<std::uintptr_t, std::string>> files;
  if (const auto name = known.find(kernel); name != known.end()) return name->second;
  const Module module = module_of(kernel);
  auto file = files.find(module.file);
  if (file == files.end()) file = files.emplace(module.file, functions_of(module.file)).first;
  const auto function = file->second.find(module.offset);
  const bool found = function != file->second.end();
  return known[kernel] = found ? short_name(function->second) : "(unnamed)";
}

std::string source_line(const void* return_address) {
  const Module module = module_of(return_address);
  std::array<char, 32> address{};
  std::snprintf(address.data(), address.size(), "%#zx", module.offset - 1);
  // The shell's own /proc/self would be another program's.
  const std::string file = module.file == "/proc/self/exe" ? "/proc/" + std::to_string(getpid()) + "/exe" : module.file;
  const std::string line = first_line_of("addr2line -s -e '" + file + "' " + address.data() + " 2>/dev/null");
  return line.empty() || line.front() == '?' ? address.data() : line;
}

}  // namespace xrai::emulation
