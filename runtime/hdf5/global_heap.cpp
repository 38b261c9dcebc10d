#include "runtime/hdf5/global_heap.h"

namespace xrai::hdf5 {
namespace {

constexpr std::size_t kHeapHeaderBytes = 16;           // of a collection, and of each object in it
constexpr std::uint64_t kLeastCollectionBytes = 4096;  // that the library reads

}  // namespace

std::span<const unsigned char> GlobalHeap::object(std::uint64_t address, std::uint64_t index) {
  const auto& objects = collection(address).objects;
  const auto found = objects.find(index);
  if (found == objects.end()) throw Damaged{};
  return found->second;
}

void GlobalHeap::require_sound_for_library(std::uint64_t address) {
  const Collection& looked_at = collection(address);
  require(looked_at.ends_well && looked_at.bytes.size() >= kLeastCollectionBytes);
}

const GlobalHeap::Collection& GlobalHeap::collection(std::uint64_t address) {
  const auto known = collections_.find(address);
  if (known != collections_.end()) return known->second;
  const auto start = file_.read(address, kHeapHeaderBytes);
  Fields header(start);
  header.expect("GCOL\1");
  header.take(3);
  const std::uint64_t n_bytes = header.number(8);
  require(n_bytes >= kHeapHeaderBytes);
  Collection& made = collections_[address];
  made.bytes = file_.read(address, n_bytes);
  // An object: index (2), references to it (2), nothing (4), bytes (8), then its bytes, padded to 8. Index 0 is the
  // free space at the end; its bytes count from its own header.
  Fields rest(std::span<const unsigned char>(made.bytes).subspan(kHeapHeaderBytes));
  while (rest.left() >= kHeapHeaderBytes) {
    const std::size_t left = rest.left();
    const std::uint64_t index = rest.number(2);
    rest.take(6);
    const std::uint64_t object_bytes = rest.number(8);
    if (index == 0) {
      made.ends_well = object_bytes == left;
      break;
    }
    require(made.objects.emplace(index, rest.take(object_bytes)).second);  // of two the library would take the other
    const std::uint64_t padding = (8 - object_bytes % 8) % 8;
    if (padding > rest.left()) made.ends_well = false;
    rest.take(std::min<std::uint64_t>(padding, rest.left()));
  }
  return made;
}

}  // namespace xrai::hdf5
