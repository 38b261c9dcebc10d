#include "tests/cuda/device/doubled_card.h"

namespace xrai::testing {

std::unique_ptr<Device> new_cuda(const std::string& precision) {
  return fresh_cuda(precision);
}

std::string findings() {
  std::string text;
  for (const fake::Finding& finding : fake::report().findings) text += finding.text + "\n";
  return text;
}

}  // namespace xrai::testing
