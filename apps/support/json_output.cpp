#include "apps/support/json_output.h"

#include <cmath>
#include <cstdio>

namespace xrai {

nlohmann::ordered_json finite_json(nlohmann::ordered_json value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) return nullptr;
  if (value.is_structured())
    for (auto& element : value) element = finite_json(std::move(element));
  return value;
}

std::string json_text(const nlohmann::ordered_json& value) {
  return finite_json(value).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void print_json(const nlohmann::ordered_json& value) {
  const std::string text = json_text(value) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace xrai
