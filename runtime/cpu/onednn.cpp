// The one file that knows both generations of oneDNN's interface: 2.x builds a primitive from an operation descriptor,
// 3.x from the arguments directly (and names pooling's dilation as one less).
#include "runtime/cpu/onednn.h"

namespace xrai::cpu {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using Dims = memory::dims;
using Tag = memory::format_tag;
constexpr auto kFloat = memory::data_type::f32;

struct WindowDims {
  Dims stride, pad_before, pad_after, kernel;
};

WindowDims dims_of(const Window& w) {
  return {{w.stride_height, w.stride_width},
          {w.pad_top, w.pad_left},
          {w.pad_bottom, w.pad_right},
          {w.kernel_height, w.kernel_width}};
}

memory::desc activation(const Shape& s, Tag layout = Tag::nhwc, memory::data_type type = kFloat) {
  return {{s.n, s.channels, s.height, s.width}, type, layout};
}

prop_kind forward_kind(bool training) {
  return training ? prop_kind::forward_training : prop_kind::forward_inference;
}

// The scratchpad is part of the workspace that the caller passes: nothing allocates in a step.
dnnl::primitive_attr attributes(bool relu = false) {
  dnnl::primitive_attr attribute;
  attribute.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (relu) {
    dnnl::post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(algorithm::eltwise_relu, 0.0f, 0.0f);
#else
    ops.append_eltwise(1.0f, algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
    attribute.set_post_ops(ops);
  }
  return attribute;
}

algorithm pooling_algorithm(const PoolingSpec& spec) {
  return spec.kind == PoolingKind::kMax ? algorithm::pooling_max : algorithm::pooling_avg_exclude_padding;
}

struct DenseMemory {
  memory::desc x, weights, bias, y;
};

DenseMemory dense_memory(const DenseSpec& s) {
  return {{{s.n, s.inputs}, kFloat, Tag::nc},
          {{s.outputs, s.inputs}, kFloat, Tag::any},
          s.bias ? memory::desc({s.outputs}, kFloat, Tag::x) : memory::desc(),
          {{s.n, s.outputs}, kFloat, Tag::nc}};
}

}  // namespace

ConvolutionMemory convolution_memory(const ConvolutionSpec& spec, Tag layout) {
  const Window& w = spec.window;
  ConvolutionMemory m;
  m.x = activation(spec.input, layout);
  m.y = activation(spec.output(), layout);
  if (spec.bias) m.bias = {{spec.filters}, kFloat, Tag::x};
  if (spec.groups == 1) {
    const Dims dims{spec.filters, spec.input.channels, w.kernel_height, w.kernel_width};
    m.weights_any = {dims, kFloat, Tag::any};
    m.weights_stored = {dims, kFloat, Tag::ohwi};
  } else {
    const Dims dims{spec.groups, spec.filters / spec.groups, spec.channels_per_group(), w.kernel_height,
                    w.kernel_width};
    m.weights_any = {dims, kFloat, Tag::any};
    // (g, o / g, kh, kw, c / g): the arena's (o, kh, kw, c / g) with the filters cut into groups.
    m.weights_stored = {dims, kFloat, Tag::gohwi};
  }
  return m;
}

ConvolutionMemory byte_convolution_memory(const ByteConvolutionSpec& spec) {
  ConvolutionMemory m = convolution_memory(spec.convolution());
  const Window& w = spec.window;
  const Dims weights{spec.filters, spec.input.channels, w.kernel_height, w.kernel_width};
  m.x = activation(spec.input, Tag::nhwc, memory::data_type::u8);
  m.y = activation(spec.convolution().output(), Tag::nhwc, spec.bytes_out ? memory::data_type::u8 : kFloat);
  m.bias = {{spec.filters}, kFloat, Tag::x};
  m.weights_any = {weights, memory::data_type::s8, Tag::any};
  m.weights_stored = {weights, memory::data_type::s8, Tag::ohwi};
  return m;
}

bool multiplies_bytes() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto has = [&](dnnl::cpu_isa wanted) {
    return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
  };
  return has(dnnl::cpu_isa::avx512_core_vnni) || has(dnnl::cpu_isa::avx2_vnni);
}

#if DNNL_VERSION_MAJOR >= 3

const int kByteScales = DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS;

// The bias is added to what was scaled.
std::vector<float> byte_bias(const std::vector<float>&, const std::vector<float>& shifts) {
  return shifts;
}

static void set_byte_scales(dnnl::primitive_attr& attribute, const std::vector<float>&) {
  attribute.set_scales_mask(DNNL_ARG_WEIGHTS, 1);
}

static dnnl::convolution_forward::primitive_desc direct_convolution(const dnnl::engine& engine, const Window& window,
                                                                    bool training, const ConvolutionMemory& m,
                                                                    const dnnl::primitive_attr& attribute) {
  const WindowDims d = dims_of(window);
  return {engine,
          forward_kind(training),
          algorithm::convolution_direct,
          m.x,
          m.weights_any,
          m.bias,
          m.y,
          d.stride,
          d.pad_before,
          d.pad_after,
          attribute};
}

dnnl::convolution_backward_data::primitive_desc convolution_backward_data(
    const dnnl::engine& engine, const ConvolutionSpec& spec, const ConvolutionMemory& m,
    const dnnl::convolution_forward::primitive_desc& forward) {
  const WindowDims d = dims_of(spec.window);
  return {
      engine,      algorithm::convolution_direct, m.x, m.weights_any, m.y, d.stride, d.pad_before, d.pad_after, forward,
      attributes()};
}

dnnl::convolution_backward_weights::primitive_desc convolution_backward_weights(
    const dnnl::engine& engine, const ConvolutionSpec& spec, const ConvolutionMemory& m,
    const dnnl::convolution_forward::primitive_desc& forward) {
  const WindowDims d = dims_of(spec.window);
  return {engine,      algorithm::convolution_direct,
          m.x,         m.weights_any,
          m.bias,      m.y,
          d.stride,    d.pad_before,
          d.pad_after, forward,
          attributes()};
}

dnnl::pooling_forward::primitive_desc pooling_forward(const dnnl::engine& engine, const PoolingSpec& spec) {
  const WindowDims d = dims_of(spec.window);
  return {engine,
          forward_kind(spec.training),
          pooling_algorithm(spec),
          activation(spec.input),
          activation(spec.output()),
          d.stride,
          d.kernel,
          Dims{0, 0},
          d.pad_before,
          d.pad_after,
          attributes()};
}

dnnl::pooling_backward::primitive_desc pooling_backward(const dnnl::engine& engine, const PoolingSpec& spec,
                                                        const dnnl::pooling_forward::primitive_desc& forward) {
  const WindowDims d = dims_of(spec.window);
  return {engine,
          pooling_algorithm(spec),
          activation(spec.input),
          activation(spec.output()),
          d.stride,
          d.kernel,
          Dims{0, 0},
          d.pad_before,
          d.pad_after,
          forward,
          attributes()};
}

dnnl::inner_product_forward::primitive_desc dense_forward(const dnnl::engine& engine, const DenseSpec& spec) {
  const DenseMemory m = dense_memory(spec);
  return {engine, forward_kind(spec.training), m.x, m.weights, m.bias, m.y, attributes(spec.relu)};
}

dnnl::inner_product_backward_data::primitive_desc dense_backward_data(
    const dnnl::engine& engine, const DenseSpec& spec, const dnnl::inner_product_forward::primitive_desc& forward) {
  const DenseMemory m = dense_memory(spec);
  return {engine, m.x, m.weights, m.y, forward, attributes()};
}

dnnl::inner_product_backward_weights::primitive_desc dense_backward_weights(
    const dnnl::engine& engine, const DenseSpec& spec, const dnnl::inner_product_forward::primitive_desc& forward) {
  const DenseMemory m = dense_memory(spec);
  return {engine, m.x, m.weights, m.bias, m.y, forward, attributes()};
}

#else

const int kByteScales = 0;

// The bias is added to the sum, and scaled with it.
std::vector<float> byte_bias(const std::vector<float>& scales, const std::vector<float>& shifts) {
  std::vector<float> bias(shifts.size());
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = shifts[i] / scales[i];
  return bias;
}

static void set_byte_scales(dnnl::primitive_attr& attribute, const std::vector<float>& scales) {
  attribute.set_output_scales(1 << 1, scales);
}

static dnnl::convolution_forward::primitive_desc direct_convolution(const dnnl::engine& engine, const Window& window,
                                                                    bool training, const ConvolutionMemory& m,
                                                                    const dnnl::primitive_attr& attribute) {
  const WindowDims d = dims_of(window);
  const dnnl::convolution_forward::desc operation(forward_kind(training), algorithm::convolution_direct, m.x,
                                                  m.weights_any, m.bias, m.y, d.stride, d.pad_before, d.pad_after);
  return {operation, attribute, engine};
}

dnnl::convolution_backward_data::primitive_desc convolution_backward_data(
    const dnnl::engine& engine, const ConvolutionSpec& spec, const ConvolutionMemory& m,
    const dnnl::convolution_forward::primitive_desc& forward) {
  const WindowDims d = dims_of(spec.window);
  const dnnl::convolution_backward_data::desc operation(algorithm::convolution_direct, m.x, m.weights_any, m.y,
                                                        d.stride, d.pad_before, d.pad_after);
  return {operation, attributes(), engine, forward};
}

dnnl::convolution_backward_weights::primitive_desc convolution_backward_weights(
    const dnnl::engine& engine, const ConvolutionSpec& spec, const ConvolutionMemory& m,
    const dnnl::convolution_forward::primitive_desc& forward) {
  const WindowDims d = dims_of(spec.window);
  const dnnl::convolution_backward_weights::desc operation(algorithm::convolution_direct, m.x, m.weights_any, m.bias,
                                                           m.y, d.stride, d.pad_before, d.pad_after);
  return {operation, attributes(), engine, forward};
}

dnnl::pooling_forward::primitive_desc pooling_forward(const dnnl::engine& engine, const PoolingSpec& spec) {
  const WindowDims d = dims_of(spec.window);
  const dnnl::pooling_forward::desc operation(forward_kind(spec.training), pooling_algorithm(spec),
                                              activation(spec.input), activation(spec.output()), d.stride, d.kernel,
                                              d.pad_before, d.pad_after);
  return {operation, attributes(), engine};
}

dnnl::pooling_backward::primitive_desc pooling_backward(const dnnl::engine& engine, const PoolingSpec& spec,
                                                        const dnnl::pooling_forward::primitive_desc& forward) {
  const WindowDims d = dims_of(spec.window);
  const dnnl::pooling_backward::desc operation(pooling_algorithm(spec), activation(spec.input),
                                               activation(spec.output()), d.stride, d.kernel, d.pad_before,
                                               d.pad_after);
  return {operation, attributes(), engine, forward};
}

dnnl::inner_product_forward::primitive_desc dense_forward(const dnnl::engine& engine, const DenseSpec& spec) {
  const DenseMemory m = dense_memory(spec);
  const dnnl::inner_product_forward::desc operation(forward_kind(spec.training), m.x, m.weights, m.bias, m.y);
  return {operation, attributes(spec.relu), engine};
}

dnnl::inner_product_backward_data::primitive_desc dense_backward_data(
    const dnnl::engine& engine, const DenseSpec& spec, const dnnl::inner_product_forward::primitive_desc& forward) {
  const DenseMemory m = dense_memory(spec);
  return {dnnl::inner_product_backward_data::desc(m.x, m.weights, m.y), attributes(), engine, forward};
}

dnnl::inner_product_backward_weights::primitive_desc dense_backward_weights(
    const dnnl::engine& engine, const DenseSpec& spec, const dnnl::inner_product_forward::primitive_desc& forward) {
  const DenseMemory m = dense_memory(spec);
  return {dnnl::inner_product_backward_weights::desc(m.x, m.weights, m.bias, m.y), attributes(), engine, forward};
}

#endif

dnnl::convolution_forward::primitive_desc convolution_forward(const dnnl::engine& engine, const ConvolutionSpec& spec,
                                                              const ConvolutionMemory& m) {
  return direct_convolution(engine, spec.window, spec.training, m, attributes(spec.relu));
}

dnnl::convolution_forward::primitive_desc byte_convolution(const dnnl::engine& engine, const ByteConvolutionSpec& spec,
                                                           const ConvolutionMemory& m,
                                                           const std::vector<float>& scales) {
  dnnl::primitive_attr attribute = attributes(true);
  set_byte_scales(attribute, scales);
  return direct_convolution(engine, spec.window, false, m, attribute);
}

}  // namespace xrai::cpu
