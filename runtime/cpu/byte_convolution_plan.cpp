// Convolution of bytes by oneDNN, for scoring in whole numbers, and the 2x2 max pooling behind it, some pictures at a
// time: as many as leave the convolution's output in a core's cache until it is pooled.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "kernels/batch_norm.h"
#include "kernels/byte_pooling.h"
#include "kernels/parallel.h"
#include "runtime/cpu/plans.h"
#include "runtime/cpu/primitive.h"

namespace xrai::cpu {
namespace {

constexpr float kLargestWeight = 127;
constexpr float kNothing = 1e-30f;  // filters of weights below are 0: their steps would not be numbers any more

// Weights as signed bytes, and what one of them stands for, a filter.
struct ByteWeights {
  std::vector<std::int8_t> values;
  std::vector<float> steps;
};

ByteWeights rounded(const std::vector<float>& weights, std::int64_t filters) {
  ByteWeights bytes{std::vector<std::int8_t>(weights.size()), {}};
  const std::size_t count = weights.size() / static_cast<std::size_t>(filters);
  for (std::size_t first = 0; first < weights.size(); first += count) {
    float largest = 0;
    for (std::size_t i = first; i < first + count; ++i) largest = std::max(largest, std::abs(weights[i]));
    const float step = largest > kNothing ? largest / kLargestWeight : 1;
    for (std::size_t i = first; i < first + count; ++i)
      bytes.values[i] = static_cast<std::int8_t>(std::lrint(weights[i] / step));
    bytes.steps.push_back(step);
  }
  return bytes;
}

constexpr std::int64_t kCacheBytes = 1 << 20;

/// Of so many pictures a group; the last group begins earlier, where they are no multiple of it, and computes some
/// again.
std::int64_t pictures_at_once(const ByteConvolutionSpec& spec) {
  const std::int64_t n = spec.input.n, bytes = spec.convolution().output().per_image();
  if (!spec.pool) return n;
  const std::int64_t most = kernels::thread_count() * std::max<std::int64_t>(1, kCacheBytes / bytes);
  const std::int64_t groups = (n + most - 1) / most;
  return (n + groups - 1) / groups;
}

ByteConvolutionSpec with_pictures(ByteConvolutionSpec spec, std::int64_t n) {
  spec.input.n = n;
  return spec;
}

PoolingSpec halving(const ByteConvolutionSpec& spec) {
  return {spec.convolution().output(), PoolingKind::kMax, {2, 2, 2, 2}};
}

// Workspace: the convolution's output where it is pooled, then scratch space.
class OneDnnByteConvolution final : public ByteConvolutionPlan {
 public:
  OneDnnByteConvolution(OneDnn& onednn, const ByteConvolutionSpec& spec)
      : onednn_(onednn),
        n_(spec.input.n),
        spec_(with_pictures(spec, pictures_at_once(spec))),
        memory_(byte_convolution_memory(spec_)) {
    const auto convolution = described(std::vector<float>(static_cast<std::size_t>(spec.filters), 1));
    implementation_ = convolution.impl_info_str();
    scratchpad_bytes_ = aligned(convolution.scratchpad_desc().get_size());
    if (!spec.pool) return;
    between_bytes_ = aligned(memory_.y.get_size());
    if (spec.bytes_out) return;
    const auto pooling = pooling_forward(onednn.engine, halving(spec_));
    scratchpad_bytes_ = std::max(scratchpad_bytes_, aligned(pooling.scratchpad_desc().get_size()));
    pooling_ = Primitive(dnnl::pooling_forward(pooling));
    pooling_.bind(DNNL_ARG_SRC, pooling.src_desc(), onednn.engine);
    pooling_.bind(DNNL_ARG_DST, pooling.dst_desc(), onednn.engine);
    pooling_.bind(DNNL_ARG_SCRATCHPAD, pooling.scratchpad_desc(), onednn.engine);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override { return between_bytes_ + scratchpad_bytes_; }
  [[nodiscard]] std::string implementation() const override { return implementation_; }

  void prepare(const float* weights, const kernels::BatchNormArguments& normalisation, float input_step,
               float output_step) override {
    const std::int64_t count = spec_.convolution().weight_count();
    std::vector<float> folded(static_cast<std::size_t>(count)), shifts(static_cast<std::size_t>(spec_.filters));
    kernels::cpu::fold_batch_norm(normalisation, weights, count / spec_.filters, folded.data(), shifts.data());
    const ByteWeights bytes = rounded(folded, spec_.filters);
    if (!spec_.bytes_out) output_step = 1;
    scales_ = bytes.steps;
    for (float& scale : scales_) scale *= input_step / output_step;
    for (float& shift : shifts) shift /= output_step;
    bias_ = byte_bias(scales_, shifts);
    make_primitive(bytes.values);
  }

  void forward(const std::uint8_t* x, void* y, void* workspace) override {
    for (std::int64_t done = 0; done < n_; done += spec_.input.n) {
      const std::int64_t first = std::min(done, n_ - spec_.input.n);
      forward_group(x + first * spec_.input.per_image(), static_cast<std::byte*>(y) + first * output_bytes(),
                    workspace);
    }
  }

 private:
  /// Of one picture.
  [[nodiscard]] std::int64_t output_bytes() const {
    const Shape whole = spec_.convolution().output();
    const std::int64_t count = spec_.pool ? whole.height / 2 * (whole.width / 2) * whole.channels : whole.per_image();
    return spec_.bytes_out ? count : count * static_cast<std::int64_t>(sizeof(float));
  }

  void forward_group(const std::uint8_t* x, void* y, void* workspace) {
    std::byte* scratchpad = static_cast<std::byte*>(workspace) + between_bytes_;
    convolution_.set(DNNL_ARG_SRC, x);
    convolution_.set(DNNL_ARG_DST, spec_.pool ? workspace : y);
    convolution_.set(DNNL_ARG_SCRATCHPAD, scratchpad);
    convolution_.run(onednn_.stream);
    if (!spec_.pool) return;
    const Shape whole = spec_.convolution().output();
    if (spec_.bytes_out)
      return kernels::cpu::max_pool_bytes(static_cast<const std::uint8_t*>(workspace), static_cast<std::uint8_t*>(y),
                                          whole.n, whole.height, whole.width, whole.channels);
    pooling_.set(DNNL_ARG_SRC, workspace);
    pooling_.set(DNNL_ARG_DST, y);
    pooling_.set(DNNL_ARG_SCRATCHPAD, scratchpad);
    pooling_.run(onednn_.stream);
  }

  [[nodiscard]] dnnl::convolution_forward::primitive_desc described(const std::vector<float>& scales) const {
    return byte_convolution(onednn_.engine, spec_, memory_, scales);
  }

  // oneDNN 2.x has the scales inside of its primitive.
  void make_primitive(const std::vector<std::int8_t>& weights) {
    const auto convolution = described(scales_);
    if (aligned(convolution.scratchpad_desc().get_size()) > scratchpad_bytes_)
      throw std::logic_error("a convolution's scratch space depends on its scales");
    weights_.resize(convolution.weights_desc().get_size());
    Reorder reorder(memory_.weights_stored, convolution.weights_desc(), onednn_.engine);
    if (reorder.needed())
      reorder.run(weights.data(), weights_.data(), onednn_.stream);
    else
      std::copy(weights.begin(), weights.end(), weights_.begin());
    convolution_ = Primitive(dnnl::convolution_forward(convolution));
    convolution_.bind(DNNL_ARG_SRC, convolution.src_desc(), onednn_.engine);
    convolution_.bind(DNNL_ARG_WEIGHTS, convolution.weights_desc(), onednn_.engine);
    convolution_.bind(DNNL_ARG_BIAS, memory_.bias, onednn_.engine);
    convolution_.bind(DNNL_ARG_DST, convolution.dst_desc(), onednn_.engine);
    convolution_.bind(DNNL_ARG_SCRATCHPAD, convolution.scratchpad_desc(), onednn_.engine);
    if (kByteScales != 0) convolution_.bind(kByteScales, memory_.bias, onednn_.engine);  // as many floats
    convolution_.set(DNNL_ARG_WEIGHTS, weights_.data());
    convolution_.set(DNNL_ARG_BIAS, bias_.data());
    convolution_.set(kByteScales, scales_.data());
  }

  OneDnn& onednn_;
  std::int64_t n_;
  ByteConvolutionSpec spec_;  // of one group
  ConvolutionMemory memory_;
  std::string implementation_;
  Primitive convolution_, pooling_;
  std::vector<std::int8_t> weights_;  // as the primitive likes them
  std::vector<float> scales_, bias_;
  std::size_t between_bytes_ = 0, scratchpad_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ByteConvolutionPlan> make_byte_convolution_plan(OneDnn& onednn, const ByteConvolutionSpec& spec) {
  return std::make_unique<OneDnnByteConvolution>(onednn, spec);
}

}  // namespace xrai::cpu
