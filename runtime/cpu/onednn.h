// oneDNN 2.x (Debian 12) and 3.x (Ubuntu 24.04, Debian 13) differ in how a primitive is described; everything that
// differs is in onednn.cpp. Only runtime/cpu includes this.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "runtime/core/specs.h"

namespace xrai::cpu {

/// Engine and stream of the process's CPU; oneDNN's primitives run in the calling thread's OpenMP region.
struct OneDnn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

/// Memory descriptors of one convolution: activations channels last or, with `any`, like the weights as the primitive
/// likes them.
struct ConvolutionMemory {
  dnnl::memory::desc x, weights_any, bias, y;
  dnnl::memory::desc weights_stored;  // (o, kh, kw, c / groups) as the arena holds them
};
ConvolutionMemory convolution_memory(const ConvolutionSpec& spec,
                                     dnnl::memory::format_tag layout = dnnl::memory::format_tag::nhwc);

dnnl::convolution_forward::primitive_desc convolution_forward(const dnnl::engine&, const ConvolutionSpec&,
                                                              const ConvolutionMemory&);
dnnl::convolution_backward_data::primitive_desc convolution_backward_data(
    const dnnl::engine&, const ConvolutionSpec&, const ConvolutionMemory&,
    const dnnl::convolution_forward::primitive_desc& forward);
dnnl::convolution_backward_weights::primitive_desc convolution_backward_weights(
    const dnnl::engine&, const ConvolutionSpec&, const ConvolutionMemory&,
    const dnnl::convolution_forward::primitive_desc& forward);

/// The same of a convolution of bytes: x in unsigned, weights in signed bytes, a bias in any case, y in bytes or float.
ConvolutionMemory byte_convolution_memory(const ByteConvolutionSpec& spec);
/// y = relu(scale * sum + shift), a scale and a shift a filter, with the bias that byte_bias() makes of the latter.
dnnl::convolution_forward::primitive_desc byte_convolution(const dnnl::engine&, const ByteConvolutionSpec&,
                                                           const ConvolutionMemory&, const std::vector<float>& scales);
std::vector<float> byte_bias(const std::vector<float>& scales, const std::vector<float>& shifts);
/// The argument that the scales have to be passed as; 0: the primitive knows them.
extern const int kByteScales;
/// Whether oneDNN has instructions here that multiply bytes without running over in 16 bits.
bool multiplies_bytes();

dnnl::pooling_forward::primitive_desc pooling_forward(const dnnl::engine&, const PoolingSpec&);
dnnl::pooling_backward::primitive_desc pooling_backward(const dnnl::engine&, const PoolingSpec&,
                                                        const dnnl::pooling_forward::primitive_desc& forward);

dnnl::inner_product_forward::primitive_desc dense_forward(const dnnl::engine&, const DenseSpec&);
dnnl::inner_product_backward_data::primitive_desc dense_backward_data(
    const dnnl::engine&, const DenseSpec&, const dnnl::inner_product_forward::primitive_desc& forward);
dnnl::inner_product_backward_weights::primitive_desc dense_backward_weights(
    const dnnl::engine&, const DenseSpec&, const dnnl::inner_product_forward::primitive_desc& forward);

}  // namespace xrai::cpu
