// Pieces that the plans share: a primitive with its arguments bound once, and weights brought into the layout that a
// primitive prefers. Steps set pointers and run; nothing is looked up or allocated.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "runtime/cpu/onednn.h"

namespace xrai::cpu {

/// Workspace sizes are summed in whole cache lines, so that every part starts aligned.
constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// A primitive and its argument memories, whose pointers are set before each run.
class Primitive {
 public:
  Primitive() = default;
  explicit Primitive(const dnnl::primitive& primitive) : primitive_(primitive) {}

  void bind(int argument, const dnnl::memory::desc& desc, const dnnl::engine& engine) {
    if (desc.get_size() != 0) arguments_.emplace(argument, dnnl::memory(desc, engine, nullptr));
  }
  void set(int argument, const void* data) {
    const auto found = arguments_.find(argument);
    // oneDNN takes sources and results by the same type; it does not write to sources.
    if (found != arguments_.end()) found->second.set_data_handle(const_cast<void*>(data));
  }
  void run(dnnl::stream& stream) {
    primitive_.execute(stream, arguments_);
    stream.wait();
  }

 private:
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

/// Copies between two layouts of one tensor; nothing to do where they are the same.
class Reorder {
 public:
  Reorder() = default;
  Reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to, const dnnl::engine& engine)
      : needed_(from != to) {
    if (!needed_) return;
    const dnnl::reorder::primitive_desc description(engine, from, engine, to);
    reorder_ = Primitive(dnnl::reorder(description));
    reorder_.bind(DNNL_ARG_FROM, from, engine);
    reorder_.bind(DNNL_ARG_TO, to, engine);
  }
  [[nodiscard]] bool needed() const { return needed_; }
  void run(const void* from, void* to, dnnl::stream& stream) {
    reorder_.set(DNNL_ARG_FROM, from);
    reorder_.set(DNNL_ARG_TO, to);
    reorder_.run(stream);
  }

 private:
  bool needed_ = false;
  Primitive reorder_;
};

}  // namespace xrai::cpu
