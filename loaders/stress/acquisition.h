// How pictures differ between places without the chests being different: framing, shape of the detector, exposure,
// sharpness. Each is a change of one amount in one direction, so that it can be asked what happens when the pictures of
// one class alone come from such a place. The pixel arithmetic is pixel_changes.h's.
#pragma once

#include <span>
#include <string_view>

#include "loaders/stress/corruption.h"
#include "loaders/stress/pixel_changes.h"

namespace xrai {

struct Acquisition {
  std::string_view name;   // in JSON: "narrower"
  std::string_view label;  // for people: "narrower by a sixth"
  void (*change)(const pixels::Picture&);
};

/// All of them, in the order of tables. None is stronger than what differs within the public paediatric set.
std::span<const Acquisition> acquisitions();

/// Changes each picture of the block. Works in parallel.
void change_acquisition(const Acquisition& acquisition, const PictureBlock& block);

}  // namespace xrai
