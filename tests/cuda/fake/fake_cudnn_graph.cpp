// From records to plain data. The loops are in fake_cudnn_loops.cpp.
#include "fake_cudnn_graph.h"

#include <algorithm>
#include <stdexcept>

namespace xrai::fake {
namespace {

template <std::size_t kCount>
std::array<std::int64_t, kCount> numbers(const CudnnRecord& record, int name) {
  const auto values = record.values<std::int64_t>(name);
  if (values.size() != kCount)
    throw std::runtime_error("attribute " + std::to_string(name) + " has " + std::to_string(values.size()) + " values");
  std::array<std::int64_t, kCount> found{};
  std::copy(values.begin(), values.end(), found.begin());
  return found;
}

CudnnTensorView tensor(const CudnnRecord& record) {
  CudnnTensorView view;
  view.uid = record.value<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, 0);
  view.alignment = record.value<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1);
  view.type = record.value(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_FLOAT);
  view.size = numbers<4>(record, CUDNN_ATTR_TENSOR_DIMENSIONS);
  view.stride = numbers<4>(record, CUDNN_ATTR_TENSOR_STRIDES);
  view.is_virtual = record.value<char>(CUDNN_ATTR_TENSOR_IS_VIRTUAL, 0) != 0;
  return view;
}

/// Which attributes hold the parts of one of the three convolutions.
struct ConvolutionNames {
  CudnnStep::Kind kind;
  int part, a, b, result, alpha, beta;
};
constexpr ConvolutionNames kForwardNames{CudnnStep::kForward,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
constexpr ConvolutionNames kDataGradientNames{CudnnStep::kDataGradient,
                                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
constexpr ConvolutionNames kFilterGradientNames{CudnnStep::kFilterGradient,
                                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};

/// The output must be as large as the padded input gives; the library itself looks at this for some engines only.
void check_size(const CudnnTensorView& in, const CudnnTensorView& out, const std::array<std::int64_t, 2>& kernel,
                const CudnnStep& step, const std::array<std::int64_t, 2>& post_padding) {
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = step.dilation[i] * (kernel[i] - 1) + 1;
    const std::int64_t room = in.size[i + 2] + step.pad[i] + post_padding[i] - reach;
    if (room < 0 || room / step.stride[i] + 1 != out.size[i + 2])
      throw std::runtime_error("a window and an output whose sizes do not fit");
  }
}

CudnnStep convolution(const CudnnRecord& operation, const ConvolutionNames& names) {
  CudnnStep step;
  step.kind = names.kind;
  const CudnnRecord& part = operation.record(names.part);
  if (part.value(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CONVOLUTION) != CUDNN_CROSS_CORRELATION)
    throw std::runtime_error("a convolution with its kernel turned round");
  if (operation.value(names.alpha, 1.0F) != 1.0F || operation.value(names.beta, 0.0F) != 0.0F)
    throw std::runtime_error("a convolution that scales, or adds to its result");
  step.stride = numbers<2>(part, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  step.pad = numbers<2>(part, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  step.dilation = numbers<2>(part, CUDNN_ATTR_CONVOLUTION_DILATIONS);
  step.a = tensor(operation.record(names.a));
  step.b = tensor(operation.record(names.b));
  step.result = tensor(operation.record(names.result));
  const CudnnTensorView& x = step.kind == CudnnStep::kDataGradient ? step.result : step.a;
  const CudnnTensorView& weights = step.kind == CudnnStep::kFilterGradient ? step.result : step.b;
  const CudnnTensorView& y = step.kind == CudnnStep::kForward        ? step.result
                             : step.kind == CudnnStep::kDataGradient ? step.a
                                                                     : step.b;
  check_size(x, y, {weights.size[2], weights.size[3]}, step, numbers<2>(part, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS));
  return step;
}

CudnnStep pointwise(const CudnnRecord& operation) {
  CudnnStep step;
  const auto mode = operation.record(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
                        .value(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_IDENTITY);
  step.a = tensor(operation.record(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  step.result = tensor(operation.record(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  if (mode == CUDNN_POINTWISE_ADD) {
    step.kind = CudnnStep::kAdd;
    step.b = tensor(operation.record(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
  } else if (mode == CUDNN_POINTWISE_RELU_FWD) {
    step.kind = CudnnStep::kRelu;
  } else {
    throw std::runtime_error("a pointwise function of mode " + std::to_string(mode));
  }
  return step;
}

CudnnStep pooling(const CudnnRecord& operation, bool forward) {
  CudnnStep step;
  step.kind = forward ? CudnnStep::kPool : CudnnStep::kPoolGradient;
  const CudnnRecord& part =
      operation.record(forward ? CUDNN_ATTR_OPERATION_RESAMPLE_FWD_DESC : CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DESC);
  const auto mode = part.value(CUDNN_ATTR_RESAMPLE_MODE, CUDNN_RESAMPLE_NEAREST);
  if (mode != CUDNN_RESAMPLE_MAXPOOL && mode != CUDNN_RESAMPLE_AVGPOOL_EXCLUDE_PADDING)
    throw std::runtime_error("a resampling of mode " + std::to_string(mode));
  step.average = mode != CUDNN_RESAMPLE_MAXPOOL;
  step.keeps_nan = part.value(CUDNN_ATTR_RESAMPLE_NAN_PROPAGATION, CUDNN_NOT_PROPAGATE_NAN) == CUDNN_PROPAGATE_NAN;
  step.kernel = numbers<2>(part, CUDNN_ATTR_RESAMPLE_WINDOW_DIMS);
  step.stride = numbers<2>(part, CUDNN_ATTR_RESAMPLE_STRIDES);
  step.pad = numbers<2>(part, CUDNN_ATTR_RESAMPLE_PRE_PADDINGS);
  step.a = tensor(
      operation.record(forward ? CUDNN_ATTR_OPERATION_RESAMPLE_FWD_XDESC : CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DYDESC));
  step.result = tensor(
      operation.record(forward ? CUDNN_ATTR_OPERATION_RESAMPLE_FWD_YDESC : CUDNN_ATTR_OPERATION_RESAMPLE_BWD_DXDESC));
  const int places = forward ? CUDNN_ATTR_OPERATION_RESAMPLE_FWD_IDXDESC : CUDNN_ATTR_OPERATION_RESAMPLE_BWD_IDXDESC;
  step.has_places = operation.has(places);
  if (step.has_places) step.places = tensor(operation.record(places));
  check_size(forward ? step.a : step.result, forward ? step.result : step.a, step.kernel, step,
             numbers<2>(part, CUDNN_ATTR_RESAMPLE_POST_PADDINGS));
  if (!forward && !step.average && !step.has_places) throw std::runtime_error("max pooling backward without places");
  return step;
}

CudnnStep read_step(const CudnnRecord& operation) {
  switch (operation.type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
      return convolution(operation, kForwardNames);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
      return convolution(operation, kDataGradientNames);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
      return convolution(operation, kFilterGradientNames);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
      return pointwise(operation);
    case CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_RESAMPLE_BWD_DESCRIPTOR:
      return pooling(operation, operation.type == CUDNN_BACKEND_OPERATION_RESAMPLE_FWD_DESCRIPTOR);
    default:
      throw std::runtime_error("an operation of type " + std::to_string(operation.type));
  }
}

}  // namespace

std::size_t CudnnTensorView::bytes() const {
  return (offset(size[0] - 1, size[1] - 1, size[2] - 1, size[3] - 1) + 1) * element_bytes();
}

std::size_t CudnnTensorView::offset(std::int64_t n, std::int64_t channel, std::int64_t row, std::int64_t column) const {
  return static_cast<std::size_t>(n * stride[0] + channel * stride[1] + row * stride[2] + column * stride[3]);
}

std::vector<CudnnTensorView> CudnnStep::inputs() const {
  std::vector<CudnnTensorView> tensors{a};
  if (kind <= kAdd) tensors.push_back(b);
  if (kind == kPoolGradient && has_places) tensors.push_back(places);
  return tensors;
}

std::vector<CudnnTensorView> CudnnStep::outputs() const {
  std::vector<CudnnTensorView> tensors{result};
  if (kind == kPool && has_places) tensors.push_back(places);
  return tensors;
}

CudnnProgram read_program(const CudnnRecord& graph) {
  constexpr const char* kNames[] = {
      "convolution forward", "convolution data gradient", "convolution filter gradient", "add", "relu", "pooling",
      "pooling gradient"};
  CudnnProgram program;
  for (const auto& operation : graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).records) {
    program.steps.push_back(read_step(*operation));
    program.name += std::string(program.name.empty() ? "cuDNN " : " + ") + kNames[program.steps.back().kind];
  }
  return program;
}

}  // namespace xrai::fake
