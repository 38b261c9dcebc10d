// A device that computes nothing: it stands in for a GPU behind the seam and notes what the CUDA device would launch,
// with the arithmetic and the bytes of each launch. tests/cuda/device holds its launches against those of the CUDA
// device. How long they take is not known here (speed_model.h).
#pragma once

#include <string>
#include <vector>

#include "runtime/core/device.h"

namespace xrai {

/// One launch of the CUDA device: a kernel of ours by its name, an operation of a library, or a copy on the device.
struct Launch {
  std::string name;
  double flops = 0;  // of products (convolutions, dense layers); other arithmetic is not counted
  double bytes = 0;  // each operand read once, each result written once
};

class ModelledDevice : public Device {
 public:
  /// What was queued since the last call.
  virtual std::vector<Launch> take_launches() = 0;
};

/// name: for descriptions. Its memory is only reserved: it may be read and written, and costs nothing until it is.
std::unique_ptr<ModelledDevice> make_modelled_device(const std::string& name, Precision precision);

}  // namespace xrai
