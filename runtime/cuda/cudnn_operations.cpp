#include "runtime/cuda/cudnn_operations.h"

#include <array>

namespace xrai::cuda {
namespace {

using Numbers = std::array<std::int64_t, 2>;

// Uids of tensors inside a fused kernel, away from those of Operand.
constexpr std::int64_t kSum = 101, kSumAndBias = 102;

cudnnDataType_t cudnn_type(DataType type) {
  return type == DataType::kFloat32    ? CUDNN_DATA_FLOAT
         : type == DataType::kBfloat16 ? CUDNN_DATA_BFLOAT16
                                       : CUDNN_DATA_HALF;
}

CudnnTensor activation(Operand operand, const Shape& shape, cudnnDataType_t type) {
  return {static_cast<std::int64_t>(operand), type, {shape.n, shape.channels, shape.height, shape.width}};
}

CudnnTensor weights(Operand operand, const ConvolutionSpec& spec, cudnnDataType_t type) {
  return {static_cast<std::int64_t>(operand),
          type,
          {spec.filters, spec.channels_per_group(), spec.window.kernel_height, spec.window.kernel_width}};
}

/// The groups are not named: the library finds them from the channels of x and of the weights.
CudnnDescriptor& convolution_part(CudnnGraph& graph, const Window& window) {
  CudnnDescriptor& part = graph.part(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  part.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  part.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  part.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  part.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, Numbers{window.pad_top, window.pad_left});
  part.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, Numbers{window.pad_bottom, window.pad_right});
  part.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, Numbers{1, 1});
  part.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, Numbers{window.stride_height, window.stride_width});
  part.finalize();
  return part;
}

void add_pointwise(CudnnGraph& graph, cudnnPointwiseMode_t mode, const CudnnDescriptor& x, const CudnnDescriptor* b,
                   const CudnnDescriptor& y) {
  CudnnDescriptor& part = graph.part(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  part.set(CUDNN_ATTR_POINTWISE_MODE, mode);
  part.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  part.finalize();
  CudnnDescriptor& operation = graph.operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, part);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  operation.finalize();
}

CudnnDescriptor& resample_part(CudnnGraph& graph, const PoolingSpec& spec) {
  const Window& window = spec.window;
  const bool max = spec.kind == PoolingKind::kMax;
  CudnnDescriptor& part = graph.part(CUDNN_BACKEND_RESAMPLE_DESCRIPTOR);
  part.set(CUDNN_ATTR_RESAMPLE_MODE, max ? CUDNN_RESAMPLE_MAXPOOL : CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING);
  part.set(CUDNN_ATTR_RESAMPLE_COMP_TYPE, CUDNN_DATA_FLOAT);
  part.set(CUDNN_ATTR_RESAMPLE_SPATIAL_DIMS, std::int64_t{2});
  // A NaN must reach the loss, where it ends the run.
  part.set(CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_PROPAGATE_NAN);
  part.set(CUDNN_ATTR_RESAMPLE_PADDING_MODE, max ? CUDNN_NEG_INF_PAD : CUDNN_ZERO_PAD);
  part.set(CUDNN_ATTR_RESAMPLE_WINDOW_DIMS, Numbers{window.kernel_height, window.kernel_width});
  part.set(CUDNN_ATTR_RESAMPLE_STRIDES, Numbers{window.stride_height, window.stride_width});
  part.set(CUDNN_ATTR_RESAMPLE_PRE_PADDINGS, Numbers{window.pad_top, window.pad_left});
  part.set(CUDNN_ATTR_RESAMPLE_POST_PADDINGS, Numbers{window.pad_bottom, window.pad_right});
  part.finalize();
  return part;
}

std::string window_words(const Window& w) {
  return fmt::format("stride {}x{}, padding {} {} {} {}", w.stride_height, w.stride_width, w.pad_top, w.pad_bottom,
                     w.pad_left, w.pad_right);
}

template <class Spec>
CudnnGraph graph_of(const char* pass, const Spec& spec, std::string_view type) {
  return CudnnGraph(fmt::format("{} of {} in {}", pass, to_words(spec), type));
}

/// Attribute names of the three convolutions, which the library numbers apart.
struct ConvolutionNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t convolution, x, weights, y, alpha, beta;
};
constexpr ConvolutionNames kForward{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                    CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
constexpr ConvolutionNames kDataGradient{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
constexpr ConvolutionNames kFilterGradient{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};

/// The tensors are x, weights and y or their gradients; which of them is the result lies in the names.
void add_convolution(CudnnGraph& graph, const ConvolutionNames& names, const Window& window, const CudnnDescriptor& x,
                     const CudnnDescriptor& weights, const CudnnDescriptor& y) {
  CudnnDescriptor& part = convolution_part(graph, window);
  CudnnDescriptor& operation = graph.operation(names.operation);
  operation.set(names.convolution, part);
  operation.set(names.x, x);
  operation.set(names.weights, weights);
  operation.set(names.y, y);
  operation.set(names.alpha, 1.0f);
  operation.set(names.beta, 0.0f);
  operation.finalize();
}

}  // namespace

CudnnPolicy policy_for(Precision mode) {
  CudnnPolicy policy;
  policy.true_float32 = mode == Precision::kFloat32;
  return policy;
}

CudnnPolicy pooling_policy() {
  return {.workspace_cap = 0};
}

Epilogue epilogue_of(const ConvolutionSpec& spec) {
  return spec.bias ? (spec.relu ? Epilogue::kBiasRelu : Epilogue::kBias)
                   : (spec.relu ? Epilogue::kRelu : Epilogue::kNone);
}

CudnnGraph convolution_forward(const ConvolutionSpec& spec, Precision mode, Epilogue epilogue,
                               const CudnnTarget& target) {
  const cudnnDataType_t type = cudnn_type(activation_type_of(mode));
  CudnnGraph graph = graph_of("the forward pass", spec, precision_name(mode));
  const CudnnDescriptor& x = graph.tensor(activation(Operand::kX, spec.input, type));
  const CudnnDescriptor& w = graph.tensor(weights(Operand::kWeights, spec, type));
  const CudnnDescriptor& y = graph.tensor(activation(Operand::kY, spec.output(), type));
  const auto inside = [&](std::int64_t uid) -> const CudnnDescriptor& {
    CudnnTensor tensor = activation(Operand::kY, spec.output(), CUDNN_DATA_FLOAT);
    tensor.uid = uid;
    tensor.is_virtual = true;
    return graph.tensor(tensor);
  };
  const bool bias = epilogue == Epilogue::kBias || epilogue == Epilogue::kBiasRelu;
  const bool relu = epilogue == Epilogue::kRelu || epilogue == Epilogue::kBiasRelu;
  const CudnnDescriptor& sum = bias || relu ? inside(kSum) : y;
  add_convolution(graph, kForward, spec.window, x, w, sum);
  const CudnnDescriptor& biased = bias && relu ? inside(kSumAndBias) : bias ? y : sum;
  if (bias) {
    const CudnnDescriptor& b = graph.tensor({static_cast<std::int64_t>(Operand::kBias), type, {1, spec.filters, 1, 1}});
    add_pointwise(graph, CUDNN_POINTWISE_ADD, sum, &b, biased);
  }
  if (relu) add_pointwise(graph, CUDNN_POINTWISE_RELU_FWD, biased, nullptr, y);
  graph.finalize(target);
  return graph;
}

CudnnGraph convolution_data_gradient(const ConvolutionSpec& spec, Precision mode, const CudnnTarget& target) {
  const cudnnDataType_t type = cudnn_type(activation_type_of(mode));
  CudnnGraph graph = graph_of("the data gradient", spec, precision_name(mode));
  const CudnnDescriptor& dx = graph.tensor(activation(Operand::kDx, spec.input, type));
  const CudnnDescriptor& w = graph.tensor(weights(Operand::kWeights, spec, type));
  const CudnnDescriptor& dy = graph.tensor(activation(Operand::kDy, spec.output(), type));
  add_convolution(graph, kDataGradient, spec.window, dx, w, dy);
  graph.finalize(target);
  return graph;
}

CudnnGraph convolution_filter_gradient(const ConvolutionSpec& spec, Precision mode, const CudnnTarget& target) {
  const cudnnDataType_t type = cudnn_type(activation_type_of(mode));
  CudnnGraph graph = graph_of("the filter gradient", spec, precision_name(mode));
  const CudnnDescriptor& x = graph.tensor(activation(Operand::kX, spec.input, type));
  const CudnnDescriptor& dw = graph.tensor(weights(Operand::kDweights, spec, type));
  const CudnnDescriptor& dy = graph.tensor(activation(Operand::kDy, spec.output(), type));
  add_convolution(graph, kFilterGradient, spec.window, x, dw, dy);
  graph.finalize(target);
  return graph;
}

CudnnGraph pooling_forward(const PoolingSpec& spec, DataType type, const CudnnTarget& target) {
  CudnnGraph graph = graph_of("the forward pass", spec, data_type_name(type));
  CudnnDescriptor& part = resample_part(graph, spec);
  const CudnnDescriptor& x = graph.tensor(activation(Operand::kX, spec.input, cudnn_type(type)));
  const CudnnDescriptor& y = graph.tensor(activation(Operand::kY, spec.output(), cudnn_type(type)));
  CudnnDescriptor& operation = graph.operation(CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC, part);
  operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC, x);
  operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC, y);
  if (spec.kind == PoolingKind::kMax && spec.training)
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC,
                  graph.tensor(activation(Operand::kPlaces, spec.output(), CUDNN_DATA_INT8)));
  operation.finalize();
  graph.finalize(target);
  return graph;
}

// The other way that the library describes, from x and y without places, ends cuDNN 9.19 with a segmentation fault for
// channels last, on every GPU and for every type.
CudnnGraph pooling_backward(const PoolingSpec& spec, DataType type, const CudnnTarget& target) {
  CudnnGraph graph = graph_of("the gradient", spec, data_type_name(type));
  CudnnDescriptor& part = resample_part(graph, spec);
  const CudnnDescriptor& dx = graph.tensor(activation(Operand::kDx, spec.input, cudnn_type(type)));
  const CudnnDescriptor& dy = graph.tensor(activation(Operand::kDy, spec.output(), cudnn_type(type)));
  CudnnDescriptor& operation = graph.operation(CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC, part);
  operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC, dx);
  operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC, dy);
  if (spec.kind == PoolingKind::kMax)
    operation.set(CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC,
                  graph.tensor(activation(Operand::kPlaces, spec.output(), CUDNN_DATA_INT8)));
  operation.finalize();
  graph.finalize(target);
  return graph;
}

std::string to_words(const ConvolutionSpec& spec) {
  return fmt::format("a {}x{} convolution ({}, groups {}) of {} to {} filters", spec.window.kernel_height,
                     spec.window.kernel_width, window_words(spec.window), spec.groups, to_string(spec.input),
                     spec.filters);
}

std::string to_words(const PoolingSpec& spec) {
  return fmt::format("{}x{} {} pooling ({}) of {}", spec.window.kernel_height, spec.window.kernel_width,
                     spec.kind == PoolingKind::kMax ? "max" : "average", window_words(spec.window),
                     to_string(spec.input));
}

}  // namespace xrai::cuda
