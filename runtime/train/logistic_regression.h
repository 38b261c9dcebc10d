// Logistic regression on a handful of figures per picture: the model that a network must be compared with before one
// believes that it looks at lungs. Double precision, for thousands of rows; not for pixels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace xrai {

/// A row a picture, a column a figure.
struct FeatureTable {
  std::int64_t n_columns = 0;
  std::vector<double> values;  // (n, n_columns)
  [[nodiscard]] std::int64_t n_rows() const {
    return n_columns == 0 ? 0 : static_cast<std::int64_t>(values.size()) / n_columns;
  }
};

class LogisticRegression {
 public:
  /// Maximum of the log-likelihood less `ridge` / 2 times the squared weights of the standardised columns (the
  /// intercept is free), by Newton's method (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning,
  /// section 4.4.1) with halved steps where a whole one would make it worse. The small ridge keeps the weights finite
  /// when the classes can be told apart perfectly. A constant column gets weight 0. positive: (n), not zero where the
  /// row is of the positive class. Throws std::invalid_argument when the lengths differ or there are no rows.
  LogisticRegression(const FeatureTable& features, std::span<const std::uint8_t> positive, double ridge = 1.0);

  /// Of the standardised columns: the change of the log odds by one standard deviation. (n_columns)
  [[nodiscard]] const std::vector<double>& weights() const { return weights_; }
  [[nodiscard]] double intercept() const { return intercept_; }
  /// Probability of the positive class, (n). Throws std::invalid_argument for another number of columns.
  [[nodiscard]] std::vector<float> probabilities(const FeatureTable& features) const;

 private:
  [[nodiscard]] std::vector<double> standardised(const FeatureTable& features) const;
  [[nodiscard]] double objective(const std::vector<double>& x, std::span<const std::uint8_t> positive, double ridge,
                                 const std::vector<double>& candidate) const;

  std::vector<double> means_, deviations_, weights_;
  double intercept_ = 0;
};

}  // namespace xrai
