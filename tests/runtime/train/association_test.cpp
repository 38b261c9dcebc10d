// Rank correlation, tests of independence and logistic regression against SciPy and scikit-learn, and their edges.
#include "runtime/train/association.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "runtime/train/logistic_regression.h"

namespace xrai {
namespace association_test {

/// Recorded by tests/goldens/make_association_goldens.py.
const nlohmann::json& goldens() {
  static const auto read =
      nlohmann::json::parse(std::ifstream(std::string(XRAI_SOURCE) + "/tests/goldens/association.json"));
  return read;
}

TEST(SpearmanCorrelation, AgreesWithSciPyTiesIncluded) {
  for (const auto& golden : goldens()["correlations"]) {
    const auto x = golden["x"].get<std::vector<double>>(), y = golden["y"].get<std::vector<double>>();
    const auto found = spearman_correlation(x, y);
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->value, golden["value"].get<double>(), 1e-12);
    const double r = found->value, n = static_cast<double>(x.size());
    const double reach = kZ95 * std::sqrt((1 + r * r / 2) / (n - 3));
    EXPECT_NEAR(std::atanh(found->ci95.low), std::atanh(r) - reach, 1e-9);
    EXPECT_NEAR(std::atanh(found->ci95.high), std::atanh(r) + reach, 1e-9);
  }
}

TEST(SpearmanCorrelation, IsAbsentWhereItSaysNothingAndOneWhereRanksAgree) {
  EXPECT_FALSE(spearman_correlation(std::vector<double>{1, 2, 3}, std::vector<double>{1, 2, 3}));
  EXPECT_FALSE(spearman_correlation(std::vector<double>{5, 5, 5, 5}, std::vector<double>{1, 2, 3, 4}));
  const auto perfect = spearman_correlation(std::vector<double>{1, 2, 3, 4, 9}, std::vector<double>{1, 4, 9, 16, 17});
  ASSERT_TRUE(perfect);
  EXPECT_DOUBLE_EQ(perfect->value, 1.0);
  EXPECT_DOUBLE_EQ(perfect->ci95.low, 1.0);
  EXPECT_THROW((void)spearman_correlation(std::vector<double>{1}, std::vector<double>{}), std::invalid_argument);
}

TEST(RatesDiffer, AgreesWithSciPy) {
  for (const auto& golden : goldens()["tables"]) {
    std::vector<Rate> groups{{0, 0}};  // a group without pictures changes nothing
    for (const auto& row : golden["counts"])
      groups.push_back({row[0].get<std::int64_t>(), row[0].get<std::int64_t>() + row[1].get<std::int64_t>()});
    const auto found = rates_differ(groups);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->method, golden["method"].get<std::string>());
    EXPECT_NEAR(found->p_value, golden["p_value"].get<double>(), 1e-9) << golden["counts"];
  }
}

TEST(RatesDiffer, NeedsTwoGroupsWithHitsAndMisses) {
  EXPECT_FALSE(rates_differ(std::vector<Rate>{{3, 10}, {0, 0}}));
  EXPECT_FALSE(rates_differ(std::vector<Rate>{{0, 10}, {0, 20}}));
  EXPECT_FALSE(rates_differ(std::vector<Rate>{{10, 10}, {20, 20}}));
}

TEST(ChiSquareTail, AgreesWithSciPy) {
  for (const auto& golden : goldens()["tails"]) {
    const double expected = golden["tail"].get<double>();
    EXPECT_NEAR(chi_square_tail(golden["value"], golden["degrees"]), expected, 1e-12 + 1e-10 * expected) << golden;
  }
  EXPECT_EQ(chi_square_tail(0.0, 3), 1.0);
}

struct Rows {
  FeatureTable table;
  std::vector<std::uint8_t> positive;
};
Rows rows_of(const nlohmann::json& golden) {
  Rows rows{{3, {}}, golden["y"].get<std::vector<std::uint8_t>>()};
  for (const auto& row : golden["x"])
    for (const auto& value : row) rows.table.values.push_back(value);
  return rows;
}

TEST(LogisticRegression, AgreesWithScikitLearn) {
  for (const auto& golden : goldens()["regressions"]) {
    const Rows rows = rows_of(golden);
    const LogisticRegression model(rows.table, rows.positive, 1.0);
    // What scikit-learn stops at is about 1e-6 from the optimum.
    for (std::size_t j = 0; j < 3; ++j)
      EXPECT_NEAR(model.weights()[j], golden["weights"][j].get<double>(), 2e-4) << golden["name"];
    EXPECT_NEAR(model.intercept(), golden["intercept"].get<double>(), 2e-4) << golden["name"];
    const auto probabilities = model.probabilities(rows.table);
    for (std::size_t i = 0; i < probabilities.size(); ++i)
      EXPECT_NEAR(probabilities[i], golden["probabilities"][i].get<double>(), 1e-4);
  }
}

TEST(LogisticRegression, IsAtAPlaceWhereTheLossIsFlat) {
  const Rows rows = rows_of(goldens()["regressions"][0]);
  const LogisticRegression model(rows.table, rows.positive, 0.5);
  double gradient = 0;  // of the intercept, which nothing holds back: mean probability equals the observed share
  const auto probabilities = model.probabilities(rows.table);
  for (std::size_t i = 0; i < probabilities.size(); ++i)
    gradient += static_cast<double>(probabilities[i]) - rows.positive[i];
  EXPECT_NEAR(gradient, 0.0, 1e-4);
}

TEST(LogisticRegression, StaysFiniteForConstantColumnsAndOneClass) {
  FeatureTable table{2, {}};
  for (int i = 0; i < 20; ++i) table.values.insert(table.values.end(), {0.1, static_cast<double>(i)});
  std::vector<std::uint8_t> positive(20, 0);
  for (std::size_t i = 10; i < 20; ++i) positive[i] = 1;
  const LogisticRegression model(table, positive);
  EXPECT_EQ(model.weights()[0], 0.0);
  EXPECT_GT(model.weights()[1], 1.0);
  EXPECT_TRUE(std::isfinite(model.weights()[1])) << "classes that can be told apart perfectly";
  const LogisticRegression all(table, std::vector<std::uint8_t>(20, 1));
  EXPECT_TRUE(std::isfinite(all.intercept()));
  EXPECT_GT(all.probabilities(table)[0], 0.99f);
  EXPECT_THROW(LogisticRegression(table, std::vector<std::uint8_t>(3)), std::invalid_argument);
  EXPECT_THROW((void)model.probabilities({1, {1.0}}), std::invalid_argument);
}

}  // namespace association_test
}  // namespace xrai
