// What was set on the backend descriptors, remembered beside the real ones, which cannot be read back in full. A record
// lives as long as another refers to it: the library copies what it is given, and descriptors may be destroyed early.
// Internal to the fake.
#pragma once

#include <cudnn.h>

#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

namespace xrai::fake {

struct CudnnRecord {
  struct Attribute {
    std::int64_t count = 0;
    std::vector<std::byte> bytes;
    std::vector<std::shared_ptr<CudnnRecord>> records;  // where the values are descriptors
  };

  cudnnBackendDescriptorType_t type{};
  std::map<int, Attribute> attributes;
  std::shared_ptr<CudnnRecord> graph;  // of an engine configuration: what it was proposed for
  cudnnBackendDescriptor_t real = nullptr;
  bool in_any_order = false;  // of a plan: its engine adds in an order that changes from run to run

  [[nodiscard]] bool has(int name) const { return attributes.contains(name); }
  template <class T>
  [[nodiscard]] std::vector<T> values(int name) const {
    std::vector<T> found;
    const auto place = attributes.find(name);
    if (place == attributes.end()) return found;
    found.resize(static_cast<std::size_t>(place->second.count));
    if (place->second.bytes.size() != found.size() * sizeof(T)) throw std::logic_error("an attribute of another type");
    std::memcpy(found.data(), place->second.bytes.data(), place->second.bytes.size());
    return found;
  }
  template <class T>
  [[nodiscard]] T value(int name, T otherwise) const {
    const auto found = values<T>(name);
    return found.empty() ? otherwise : found.front();
  }
  /// Throws std::out_of_range where there is none.
  [[nodiscard]] const CudnnRecord& record(int name) const { return *attributes.at(name).records.at(0); }
};

/// Bytes of one value of an attribute type.
std::size_t size_of(cudnnBackendAttributeType_t type);

}  // namespace xrai::fake
