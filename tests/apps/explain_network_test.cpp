// xrai_explain network: the page of a small trained network, as a user makes it and as a browser shows it.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "apps/explain/network_page.h"
#include "tests/apps/browser.h"
#include "tests/apps/page_checks.h"
#include "tests/apps/training_runs.h"

namespace xrai {
namespace explain_network_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::quoted;
using testing::run_command;

class ExplainNetwork : public testing::TrainingRuns {
 protected:
  void SetUp() override {
    TrainingRuns::SetUp();
    const auto trained = run_command(new_run("r", "--max-steps 2"));
    ASSERT_EQ(trained.exit_code, 0) << trained.errors;
    const testing::Bytes picture = testing::smooth_grey(70, 60, 3);
    testing::write_bytes(scan(), testing::png_bytes(picture, 70, 60));
  }
  [[nodiscard]] fs::path scan() const { return folder_ / "a<b>&.png"; }
  [[nodiscard]] std::string explain(const std::string& more) const {
    return "xrai_explain network " + quoted(run("r")) + " " + more + " --device cpu";
  }
};

TEST_F(ExplainNetwork, ShowsEveryLayerAndTheProbabilityThatPredictGives) {
  const std::string out = " --out " + quoted(folder_ / "seen");
  const auto done = run_command(explain(quoted(scan()) + out + " --json"));
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_THAT(done.errors, HasSubstr("synthetic drawings"));
  const json answer = json::parse(done.output);
  const auto predicted =
      run_command("xrai_predict --device cpu --json --checkpoint " + quoted(run("r")) + " " + quoted(scan()));
  const json expected = json::parse(predicted.output)["predictions"][0];
  EXPECT_EQ(answer["verdict"], expected["verdict"]);
  for (const auto& [name, probability] : expected["probabilities"].items())
    EXPECT_NEAR(answer["probabilities"][name].get<double>(), probability.get<double>(), 1e-5) << name;

  const fs::path file = folder_ / "seen/a<b>&-network.html";
  EXPECT_EQ(answer["output"], file.string());
  const std::string page = testing::text_of(file);
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_EQ(reaches_out(page), "");
  EXPECT_THAT(page, Not(HasSubstr("a<b>")));
  for (const char* layer : {"conv1", "norm1", "relu1", "pool1", "average", "dropout", "dense"})
    EXPECT_THAT(page, HasSubstr("<h3>" + std::string(layer) + " ")) << layer;
  EXPECT_THAT(page, HasSubstr("Learnt from synthetic pictures"));
  EXPECT_THAT(page, HasSubstr("Where it looked"));
  EXPECT_LT(page.size(), 2'000'000U);

  const auto refused = run_command(explain(quoted(scan()) + " --out " + quoted(folder_ / "page.html")));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("give the folder"));
  EXPECT_FALSE(fs::exists(folder_ / "page.html"));
  const auto again = run_command(explain(quoted(scan()) + out));
  EXPECT_EQ(again.exit_code, 7);
  EXPECT_THAT(again.errors, HasSubstr("--force"));
}

TEST_F(ExplainNetwork, TakesAPictureOutOfADataSet) {
  const auto done = run_command(explain(quoted(data()) + " --split val --row 2 --out " + quoted(folder_ / "seen")));
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_TRUE(fs::exists(folder_ / "seen/d-val-2-network.html")) << done.output;
  const auto beyond = run_command(explain(quoted(data()) + " --row 900 --out " + quoted(folder_ / "seen")));
  EXPECT_EQ(beyond.exit_code, 2);
  EXPECT_THAT(beyond.errors, HasSubstr("has no row 900 in train"));
  EXPECT_EQ(run_command(explain(quoted(data()) + " --split dev")).exit_code, 2);
  EXPECT_EQ(run_command(explain(quoted(scan()) + " --row 1")).exit_code, 2);
}

// A page without running anything: names that would like to be HTML.
NetworkPage hostile_page() {
  NetworkPage page;
  page.picture_name = "\"><img src=http://xrai.invalid/leak.png onerror=alert(1)>";
  page.model_name = page.run_name = page.heat_layer = "<script>alert(1)</script>";
  page.picture = {8, 8, std::vector<std::uint8_t>(64, 90)};
  page.layers = {{"picture", "picture", {1, 8, 8, 1}, std::vector<float>(64, 0.5F)},
                 {"<b>conv", "convolution", {1, 8, 8, 2}, std::vector<float>(128, -1.0F)},
                 {"dense", "dense", {1, 1, 1, 1}, {0.25F}}};
  page.filters = {"<b>conv", {2, 3, 3, 1}, std::vector<float>(18, 1.0F)};
  page.heat_map = HeatMap{2, 2, 1.0, {0, 1, 2, 3}};
  page.classes = {{"NORMAL", 0.25}, {"PNEUMONIA<script>alert(2)</script>", 0.75}};
  page.verdict = page.classes[1].name;
  return page;
}

TEST(NetworkPageText, EscapesNamesAndIsWellFormedInBothLanguages) {
  NetworkPage page = hostile_page();
  page.n_members = 5;
  for (const char* language : {"en", "fr"}) {
    page.language = language;
    const std::string html = network_page_html(page);
    EXPECT_EQ(not_well_formed(html), "") << language;
    EXPECT_THAT(html, HasSubstr("<html lang=\"" + std::string(language) + "\">"));
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, Not(HasSubstr("<b>conv")));
    EXPECT_THAT(html, HasSubstr(" 5 "));
  }
}

TEST(NetworkPageText, HasASentenceForEveryKindOfLayer) {
  const LayerMaps before{"x", "relu", {1, 8, 8, 4}, {}};
  for (const char* kind : {"convolution", "batch_norm", "relu", "max_pool", "average_pool", "global_average_pool",
                           "dense", "dropout", "add"})
    for (const bool first : {true, false}) {
      const LayerMaps layer{"y", kind, {1, 4, 4, 4}, {}};
      EXPECT_NE(layer_sentence(layer, before, first, "en"), "") << kind;
      EXPECT_NE(layer_sentence(layer, before, first, "fr"), layer_sentence(layer, before, first, "en")) << kind;
    }
}

using testing::Browser;

TEST_F(Browser, NetworkPageLoadsWithoutMessageAndWithoutRequest) {
  const std::string document = open(write("network.html", network_page_html(hostile_page())));
  EXPECT_NE(document.find("How sure it is"), std::string::npos) << "the page was not loaded";
  EXPECT_NE(document.find("</footer>"), std::string::npos) << "the page ends early";
  EXPECT_EQ(console(), "");
  EXPECT_EQ(proxy.hosts_of_pages(), std::set<std::string>());
}

}  // namespace explain_network_test
}  // namespace xrai
