// The named networks. Each could be written in TOML as well; models/ holds plain5 and lenet in that form.
#include <map>

#include "runtime/core/error.h"
#include "runtime/nn/model_spec.h"

namespace xrai {
namespace {

Window square(std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  return {kernel, kernel, stride, stride, pad, pad, pad, pad};
}

// Adds layers one behind the other and remembers indices for the residual connections.
class Builder {
 public:
  explicit Builder(const std::string& name) { spec_.name = name; }

  int add(const std::string& name, LayerKind kind, int input) {
    spec_.layers.push_back({name, input, kind});
    return static_cast<int>(spec_.layers.size()) - 1;
  }
  int add(const std::string& name, LayerKind kind) { return add(name, kind, last()); }
  [[nodiscard]] int last() const { return static_cast<int>(spec_.layers.size()) - 1; }

  // 3x3 (or other) convolution without bias and batch normalisation behind it.
  int convolution_norm(const std::string& suffix, std::int64_t filters, const Window& window, int input) {
    add("conv" + suffix, ConvolutionLayer{filters, window, 1, false}, input);
    return add("norm" + suffix, BatchNormLayer{});
  }
  ModelSpec take() { return std::move(spec_); }

 private:
  ModelSpec spec_;
};

ModelSpec plain5() {
  Builder b("plain5");
  const std::int64_t filters[] = {16, 32, 64, 128, 128};
  for (int block = 1; block <= 5; ++block) {
    const std::string suffix = std::to_string(block);
    b.convolution_norm(suffix, filters[block - 1], square(3, 1, 1), b.last());
    b.add("relu" + suffix, ReluLayer{});
    b.add("pool" + suffix, PoolingLayer{PoolingKind::kMax, square(2, 2, 0)});
  }
  b.add("average", GlobalAveragePoolLayer{});
  b.add("dense", DenseLayer{});
  return b.take();
}

// After LeCun et al., "Gradient-based learning applied to document recognition", 1998, with ReLU and max pooling:
// convolutions and pooling, then dense layers on the flattened maps.
ModelSpec lenet() {
  Builder b("lenet");
  const std::int64_t filters[] = {8, 16, 32};
  for (int block = 1; block <= 3; ++block) {
    const std::string suffix = std::to_string(block);
    b.add("conv" + suffix, ConvolutionLayer{filters[block - 1], square(5, 1, 2), 1, true});
    b.add("relu" + suffix, ReluLayer{});
    b.add("pool" + suffix, PoolingLayer{PoolingKind::kMax, square(2, 2, 0)});
  }
  b.add("flatten", FlattenLayer{});
  b.add("dense1", DenseLayer{64, true});
  b.add("relu4", ReluLayer{});
  b.add("dropout", DropoutLayer{0.5f});
  b.add("dense2", DenseLayer{});
  return b.take();
}

// He et al., "Deep residual learning for image recognition", CVPR 2016, table 1, 18 layers; one input channel.
ModelSpec resnet18() {
  Builder b("resnet18");
  b.convolution_norm("1", 64, square(7, 2, 3), kPicture);
  b.add("relu1", ReluLayer{});
  b.add("pool1", PoolingLayer{PoolingKind::kMax, square(3, 2, 1)});
  const std::int64_t filters[] = {64, 128, 256, 512};
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < 2; ++block) {
      const std::string suffix = std::to_string(stage + 2) + static_cast<char>('a' + block);
      const int input = b.last();
      const bool shrink = stage > 0 && block == 0;
      b.convolution_norm(suffix + "1", filters[stage], square(3, shrink ? 2 : 1, 1), input);
      b.add("relu" + suffix + "1", ReluLayer{});
      const int body = b.convolution_norm(suffix + "2", filters[stage], square(3, 1, 1), b.last());
      const int shortcut =
          shrink ? b.convolution_norm(suffix + "_shortcut", filters[stage], square(1, 2, 0), input) : input;
      b.add("add" + suffix, AddLayer{shortcut}, body);
      b.add("relu" + suffix + "2", ReluLayer{});
    }
  b.add("average", GlobalAveragePoolLayer{});
  b.add("dense", DenseLayer{});
  return b.take();
}

const std::map<std::string, ModelSpec (*)()>& makers() {
  static const std::map<std::string, ModelSpec (*)()> known{
      {"plain5", plain5}, {"lenet", lenet}, {"resnet18", resnet18}};
  return known;
}

}  // namespace

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

ModelSpec architecture(const std::string& name) {
  const auto found = makers().find(name);
  if (found == makers().end())
    throw Error(ExitCode::kUsage, fmt::format("there is no model '{}': known are {}; a file's name must end in .toml",
                                              name, fmt::join(architecture_names(), ", ")));
  return found->second();
}

ModelSpec find_model(const std::string& name_or_file) {
  if (name_or_file.ends_with(".toml")) return read_model_toml(name_or_file);
  return architecture(name_or_file);
}

}  // namespace xrai
