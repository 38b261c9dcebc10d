// A trained network made ready to score radiographs: what xrai_evaluate and xrai_predict share, so that both see a
// picture exactly as validation during training saw it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace xrai {

class Device;
class Explainer;
class LayerViewer;
struct CheckpointFacts;

/// How the training pictures were brought into their file; xrai_predict does the same to a new picture.
struct Preprocessing {
  std::int64_t stored_size = 0;  // side of the square stored picture in pixels
  std::string fit;               // "squash", "pad" or "crop"
  std::string decoder;           // decoder and resize, named by the importer, e.g. "turbojpeg-dct+area"
};

class Predictor {
 public:
  /// `run_or_checkpoint`: a run folder (its best checkpoint, and those of RUN/members) or a checkpoint file. Throws
  /// Error(kBadData).
  static Predictor load(const std::filesystem::path& run_or_checkpoint, Device& device, std::int64_t batch_size = 64);
  Predictor(Predictor&&) noexcept;
  ~Predictor();

  [[nodiscard]] const std::filesystem::path& checkpoint_path() const;
  [[nodiscard]] const std::vector<std::string>& classes() const;
  [[nodiscard]] const std::string& model_name() const;
  [[nodiscard]] std::int64_t epoch() const;  // epochs that the network was trained for
  [[nodiscard]] const Preprocessing& preprocessing() const;
  [[nodiscard]] const std::string& config_toml() const;  // resolved configuration of the training run
  [[nodiscard]] std::int64_t n_members() const;          // networks whose probabilities are averaged
  /// Probability of class 1 from which a binary network says class 1.
  [[nodiscard]] double threshold() const;
  /// That predict() applies; absent: probabilities are as the network gives them.
  [[nodiscard]] std::optional<double> temperature() const;
  /// All that the checkpoint says about itself.
  [[nodiscard]] const CheckpointFacts& facts() const;
  /// The network learnt from drawings: what it says of a real radiograph means nothing.
  [[nodiscard]] bool trained_on_synthetic() const;

  /// pixels: (n, height, width) uint8 grey; returns (n, classes) probabilities, rows summing to 1: of an ensemble the
  /// mean over its networks (Lakshminarayanan et al., NeurIPS 2017, section 2.4), calibrated by the run's temperature.
  [[nodiscard]] std::vector<float> predict(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                           std::int64_t width);
  /// The same as the network gives them.
  [[nodiscard]] std::vector<float> predict_uncalibrated(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                                        std::int64_t width);

  /// Heat maps of this network, or of all of an ensemble, which must outlive the explainer. `layer`: whose maps; empty
  /// for the last convolution's. Throws Error(kUsage) for a layer that the network does not have.
  [[nodiscard]] Explainer make_explainer(const std::string& layer = {}) const;
  /// What every layer of this network (of an ensemble the first) makes of a picture; the predictor must outlive it.
  [[nodiscard]] LayerViewer make_layer_viewer() const;

 private:
  struct State;
  explicit Predictor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace xrai
