// xrai_info: what this machine offers to the programs of xrai, and what they are linked with.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "apps/support/command_line.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/version.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

struct Machine {
  std::string cpu, features;
  int cores_allowed = 0, cores = 0;
  std::uint64_t memory_bytes = 0, free_bytes = 0;  // 0: unknown
};

Machine this_machine() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page_bytes = ::sysconf(_SC_PAGESIZE);
  Machine machine{
      cpu_name(), cpu_features(),          available_cores(), static_cast<int>(std::thread::hardware_concurrency()),
      0,          available_memory_bytes()};
  if (pages > 0 && page_bytes > 0)
    machine.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  return machine;
}

nlohmann::ordered_json info_json(const Machine& machine) {
  nlohmann::ordered_json json;
  json["xrai"] = program_version();
  json["commit"] = program_commit();
  json["build"] = build_type();
  json["devices"] = nlohmann::ordered_json::array();
  for (const DeviceStatus& status : device_statuses()) {
    nlohmann::ordered_json device;
    device["name"] = status.name;
    device["usable"] = status.usable;
    device[status.usable ? "description" : "reason"] = status.description;
    if (!status.libraries.empty()) device["libraries"] = status.libraries;
    json["devices"].push_back(device);
  }
  json["cpu"] = {{"name", machine.cpu},
                 {"features", machine.features},
                 {"cores_allowed", machine.cores_allowed},
                 {"cores", machine.cores}};
  json["memory"] = {{"total_bytes", machine.memory_bytes}, {"free_bytes", machine.free_bytes}};
  for (const auto& [name, version] : library_versions()) json["libraries"][name] = version;
  return json;
}

std::string info_text(const Machine& machine) {
  constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
  std::string text = fmt::format("xrai {} ({}), {}\n\nDevices:\n", program_version(), program_commit(), build_type());
  for (const DeviceStatus& status : device_statuses()) {
    text += fmt::format("  {:<6} {}: {}\n", status.name, status.usable ? "usable" : "not usable", status.description);
    for (const std::string& library : status.libraries) text += fmt::format("         {}\n", library);
  }
  text += fmt::format(
      "\nMachine:\n  cpu    {}, {}\n  cores  {} of {} may be used\n  memory {:.1f} GiB, {:.1f} GiB "
      "free\n\nLibraries:\n",
      machine.cpu, machine.features, machine.cores_allowed, machine.cores,
      static_cast<double>(machine.memory_bytes) / kGibibyte, static_cast<double>(machine.free_bytes) / kGibibyte);
  for (const auto& [name, version] : library_versions()) text += fmt::format("  {:<14} {}\n", name, version);
  return text;
}

}  // namespace
}  // namespace xrai

int main(int argc, char** argv) {
  return xrai::run_program("xrai_info", [&] {
    bool json = false;
    xrai::CommandLine line(
        "xrai_info",
        "Shows the devices that could be used or why not, the processor, the memory and the versions "
        "of the libraries.");
    line.add({.group = "Output", .name = "json", .target = &json, .help = "print it as JSON", .in_config = false});
    line.set_examples("  xrai_info\n  xrai_info --json | python3 -m json.tool\n");
    if (!line.parse(argc, argv)) return 0;
    const xrai::Machine machine = xrai::this_machine();
    if (json)
      xrai::print_json(xrai::info_json(machine));
    else
      std::fputs(xrai::info_text(machine).c_str(), stdout);
    return 0;
  });
}
