// Contract under test: report/sensitivity_report.hpp.
#include "report/sensitivity_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "report/sensitivity_text.hpp"

namespace halfstep::report {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Not a matcher: a failure would print the whole page.
bool holds(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

OutputScore figures(double sqnr_db, double top1) { return {sqnr_db, 90.0, top1, 95.0, std::nullopt}; }

GroupSensitivity layer(const std::string& name, double only, double all_but) {
  GroupSensitivity group;
  group.name = name;
  group.op = "Conv";
  group.activations = {name + "_out"};
  group.weights = {name + ".w"};
  group.num_weights = 12'345;
  group.num_activations = 64;
  group.macs = 10'840'000;
  group.only = {figures(only, 70.0), figures(only + 1.0, 70.0), figures(only + 2.0, 70.0)};
  group.all_but = {figures(all_but, 60.5), figures(all_but - 0.5, 60.0), figures(all_but - 0.25, 60.0)};
  return group;
}

/// 20 dB in all; an input, then "a" (gain 1), "b" (gain 3), "c" (gain -0.5).
SensitivityReport sample() {
  SensitivityReport report;
  report.tool_version = "1.2.3";
  report.model = "models/net.onnx";
  report.quantized = "out/net.quantized.onnx";
  report.input_list = "eval.txt";
  report.arithmetic = "q31_single";
  report.num_samples = 4;
  report.float_figures = figures(200.0, 71.25);
  report.whole = {figures(20.0, 60.0), figures(25.0, 65.0), figures(22.0, 62.0)};
  GroupSensitivity input;
  input.name = "input 'x'";
  input.activations = {"x"};
  input.num_activations = 100;
  input.only.both = input.only.activations = figures(48.0, 71.0);
  input.all_but.both = input.all_but.activations = figures(20.0, 60.0);
  report.groups = {input, layer("a", 40.0, 21.0), layer("b", 30.0, 23.0), layer("c", 35.0, 19.5)};
  report.warnings = {"something is odd"};
  return report;
}

std::vector<std::string> names_by_cost(const SensitivityReport& report) {
  std::vector<std::string> names;
  for (const std::size_t g : by_cost(report)) names.push_back(report.groups[g].name);
  return names;
}

TEST(SensitivityReport, LayersStandByWhatLeavingThemOutWins) {
  SensitivityReport report = sample();
  EXPECT_THAT(names_by_cost(report), ElementsAre("b", "a", "input 'x'", "c"));
  report.groups[1].all_but.both->sqnr_db = 23.0;
  EXPECT_THAT(names_by_cost(report), ElementsAre("a", "b", "input 'x'", "c")) << "ties: the order of the network";
}

TEST(SensitivityReport, ElseByHowBadTheyAreAlone) {
  SensitivityReport report = sample();
  for (GroupSensitivity& group : report.groups) group.all_but = {};
  EXPECT_THAT(names_by_cost(report), ElementsAre("b", "c", "a", "input 'x'"));
  report.groups[2].only = {};
  EXPECT_THAT(names_by_cost(report), ElementsAre("c", "a", "input 'x'")) << "without figures";
}

TEST(SensitivityReport, JsonHasEveryKey) {
  const Json json = Json::parse(to_json(sample()));
  EXPECT_EQ(json["kind"], "sensitivity");
  EXPECT_EQ(json["model"], "models/net.onnx");
  EXPECT_EQ(json["quantized"], "out/net.quantized.onnx");
  EXPECT_EQ(json["input_list"], "eval.txt");
  EXPECT_EQ(json["arithmetic"], "q31_single");
  EXPECT_EQ(json["num_samples"], 4);
  EXPECT_EQ(json["float"], Json({{"top1", 71.25}, {"top5", 95.0}}));
  EXPECT_EQ(json["whole"]["both"], Json({{"sqnr_db", 20.0}, {"top1", 60.0}, {"top5", 95.0}, {"top1_agreement", 90.0}}));
  EXPECT_EQ(json["whole"]["weights"]["sqnr_db"], 25.0);
  EXPECT_EQ(json["whole"]["activations"]["sqnr_db"], 22.0);
  ASSERT_EQ(json["groups"].size(), 4U);
  const Json& b = json["groups"][2];
  EXPECT_EQ(b["name"], "b");
  EXPECT_EQ(b["op"], "Conv");
  EXPECT_EQ(b["activations"], Json({"b_out"}));
  EXPECT_EQ(b["weights"], Json({"b.w"}));
  EXPECT_EQ(b["num_weights"], 12'345);
  EXPECT_EQ(b["num_activations"], 64);
  EXPECT_EQ(b["macs"], 10'840'000);
  EXPECT_EQ(b["enable_one"]["both"]["sqnr_db"], 30.0);
  EXPECT_EQ(b["enable_one"]["weights"]["sqnr_db"], 31.0);
  EXPECT_EQ(b["disable_one"]["activations"]["sqnr_db"], 22.75);
  EXPECT_EQ(b["gain_db"], 3.0);
  EXPECT_FALSE(json["groups"][0]["enable_one"].contains("weights")) << "an input has none";
  EXPECT_EQ(json["by_cost"], Json({"b", "a", "input 'x'", "c"}));
  EXPECT_EQ(json["warnings"], Json({"something is odd"}));
}

TEST(SensitivityReport, JsonLeavesOutWhatWasNotMeasured) {
  SensitivityReport report = sample();
  report.float_figures = {200.0, 100.0, {}, {}, {}};
  report.whole = {OutputScore{20.0, {}, {}, {}, {}}, {}, {}};
  report.groups[1].all_but = {};
  const Json json = Json::parse(to_json(report));
  EXPECT_FALSE(json.contains("float")) << "nothing but full marks";
  EXPECT_EQ(json["whole"], Json({{"both", {{"sqnr_db", 20.0}}}}));
  EXPECT_FALSE(json["groups"][1].contains("disable_one"));
  EXPECT_FALSE(json["groups"][1].contains("gain_db"));
}

TEST(SensitivityTable, TheDearestAndTheWholeModel) {
  const std::string table = to_table(sample(), 2);
  EXPECT_THAT(table, HasSubstr("float                                  71.2"));
  EXPECT_THAT(table, HasSubstr("everything                   20.0      60.0"));
  EXPECT_THAT(table, HasSubstr("The 2 layers of 4 whose quantization costs most"));
  EXPECT_LT(table.find("\nb "), table.find("\na "));
  EXPECT_THAT(table, Not(HasSubstr("\nc ")));
}

TEST(SensitivityMarkdown, IsATableForAPullRequest) {
  const std::string text = to_markdown(sample());
  EXPECT_THAT(text, HasSubstr("## Sensitivity of `net.onnx`\n"));
  EXPECT_THAT(text, HasSubstr("| | SQNR dB | top-1 % |\n|---|---:|---:|\n| float |  | 71.2 |\n"));
  EXPECT_THAT(text, HasSubstr("| everything quantized | 20.0 | 60.0 |\n"));
  EXPECT_THAT(text, HasSubstr("### The 4 layers of 4 whose quantization costs most\n"));
  EXPECT_THAT(text, HasSubstr("| `b` | Conv | 3.00 | 23.0 | 60.5 | 30.0 | 31.0 | 32.0 |\n"));
  EXPECT_THAT(text, HasSubstr("| `input 'x'` |  | 0.00 | 20.0 | 60.0 | 48.0 |  | 48.0 |\n"));
  EXPECT_THAT(text, HasSubstr("<details><summary>1 warning</summary>\n\n- something is odd\n\n</details>\n"));
  EXPECT_TRUE(text.ends_with("</details>\n"));
  SensitivityReport report = sample();
  report.groups.assign(150, layer("l", 30.0, 21.0));
  EXPECT_THAT(to_markdown(report), HasSubstr("### The 20 layers of 150"));
  EXPECT_EQ(count_of(to_markdown(report), "| `l` |"), 20U);
}

TEST(SensitivityMarkdown, EveryLineOfATableHasItsColumns) {
  SensitivityReport report = sample();
  for (int form = 0; form < 3; ++form) {
    for (GroupSensitivity& group : report.groups) {
      if (form == 1) group.all_but = {};
      if (form == 2) group.only.weights = group.only.activations = {};
    }
    std::size_t columns = 0;
    std::istringstream lines(to_markdown(report));
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("|")) {
        columns = 0;
        continue;
      }
      const auto bars = static_cast<std::size_t>(std::ranges::count(line, '|'));
      if (columns == 0) columns = bars;
      EXPECT_EQ(bars, columns) << line;
    }
  }
}

TEST(SensitivityMarkdown, NamesCannotBecomeMarkup) {
  SensitivityReport report = sample();
  report.groups[2].name = report.groups[2].op = report.warnings[0] = "|a|<b>`c`\n";
  const std::string text = to_markdown(report);
  EXPECT_THAT(text, Not(HasSubstr("<b>")));
  EXPECT_THAT(text, Not(HasSubstr("|a|")));
}

TEST(SensitivityHtml, HoldsEverySection) {
  const std::string page = to_html(sample());
  for (const char* part : {"<h1>Sensitivity of net.onnx</h1>", "id=\"layers\"", "id=\"warnings\"", "id=\"run\"",
                           "Gain without this layer", "Only this layer quantized", "name=\"viewport\"",
                           ">71.25 %</b><span class=\"more\">top-1<", ">20.0 dB</b><span class=\"more\">top-1 60.00 %<",
                           ">3.00 dB</b><span class=\"more\">without <code>b</code>", "something is odd"}) {
    EXPECT_TRUE(holds(page, part)) << part;
  }
  for (const char* part : {"http:", "https:", "src=", "@import", "url("}) EXPECT_FALSE(holds(page, part)) << part;
}

TEST(SensitivityHtml, LayersStandDearestFirstWithTheirPlaceInTheNetwork) {
  const std::string page = to_html(sample());
  const std::string rows = page.substr(page.find("class=\"layers sortable\""));
  EXPECT_LT(rows.find("id=\"layer-3\""), rows.find("id=\"layer-2\""));
  EXPECT_LT(rows.find("id=\"layer-2\""), rows.find("id=\"layer-4\""));
  EXPECT_TRUE(holds(rows, "aria-sort=\"descending\">gain dB</th>"));
  EXPECT_TRUE(holds(rows, "data-v=\"-0.5\">-0.50</td>"));
  EXPECT_TRUE(holds(rows, "data-v=\"12345\">12.3 k</td><td class=\"n\" data-v=\"10840000\">10.84 M</td></tr>"));
  EXPECT_TRUE(holds(rows, "<td class=\"op\">(input)</td>"));
  // Every row has a cell for every column.
  const std::string head = rows.substr(0, rows.find("</thead>"));
  const std::string body = rows.substr(0, rows.find("</tbody>")).substr(head.size());
  EXPECT_EQ(count_of(body, "<td") + count_of(body, "<th "), 4 * count_of(head, "<th scope=\"col\""));
}

TEST(SensitivityHtml, ChartsShowEveryLayer) {
  const std::string page = to_html(sample());
  EXPECT_EQ(count_of(page, "<circle class=\"whole\""), 4U);
  EXPECT_EQ(count_of(page, "<circle class=\"weights\""), 3U);
  EXPECT_EQ(count_of(page, "<circle class=\"alone\""), 3U) << "an input is its activation";
  EXPECT_EQ(count_of(page, "<rect class=\"gain\""), 3U);
  EXPECT_EQ(count_of(page, "<rect class=\"loss\""), 1U);
  EXPECT_EQ(count_of(page, "<line class=\"level\""), 1U);
  EXPECT_EQ(count_of(page, "href=\"#layer-3\""), 2U);
}

TEST(SensitivityHtml, OneDirectionAlone) {
  SensitivityReport report = sample();
  for (GroupSensitivity& group : report.groups) group.all_but = {};
  std::string page = to_html(report);
  EXPECT_FALSE(holds(page, "Gain without this layer"));
  EXPECT_FALSE(holds(page, "gain dB"));
  EXPECT_TRUE(holds(page, "aria-sort=\"ascending\">only it dB</th>"));
  EXPECT_TRUE(holds(page, "worst layer alone"));
  report = sample();
  for (GroupSensitivity& group : report.groups) group.only = {};
  page = to_html(report);
  EXPECT_FALSE(holds(page, "Only this layer quantized"));
  EXPECT_FALSE(holds(page, "only it dB"));
  EXPECT_TRUE(holds(page, "aria-sort=\"descending\">gain dB</th>"));
}

// 200 dB stand for an exact output: they stay at the edge and do not set the scale.
TEST(SensitivityHtml, ExactOutputsDoNotSquashTheChart) {
  SensitivityReport report = sample();
  report.groups[0].only.both->sqnr_db = 200.0;
  report.groups[0].only.activations->sqnr_db = 200.0;
  const std::string page = to_html(report);
  const std::size_t chart = page.find("Only this layer quantized");
  const std::string drawing = page.substr(chart, page.find("</figure>", chart) - chart);
  EXPECT_FALSE(holds(drawing, ">200</text>"));
  EXPECT_FALSE(holds(drawing, ">100</text>"));
  EXPECT_TRUE(holds(drawing, "<circle class=\"whole\" cx=\"12.5%\" cy=\"0\"")) << "at the top";
}

TEST(SensitivityHtml, NamesCannotBecomeMarkup) {
  const std::string hostile = "</script><script>alert(1)</script>\"' onload=\xFF";
  SensitivityReport report = sample();
  report.model = report.quantized = report.input_list = report.arithmetic = report.tool_version = hostile;
  report.groups[2].name = report.groups[2].op = report.warnings[0] = hostile;
  const std::string page = to_html(report);
  EXPECT_FALSE(holds(page, "<script>alert"));
  EXPECT_FALSE(holds(page, "\"' onload"));
  EXPECT_EQ(page.find('\xFF'), std::string::npos);
}

TEST(SensitivityHtml, NothingToShow) {
  SensitivityReport report = sample();
  report.groups.clear();
  report.whole = {};
  report.warnings.clear();
  const std::string page = to_html(report);
  EXPECT_FALSE(holds(page, "id=\"layers\""));
  EXPECT_FALSE(holds(page, "id=\"warnings\""));
  EXPECT_TRUE(holds(page, "id=\"run\""));
  EXPECT_THAT(to_markdown(report), Not(HasSubstr("###")));
}

TEST(SensitivityHtml, ManyLayersStayBounded) {
  SensitivityReport report = sample();
  report.groups.assign(1000, layer(std::string(300, 'n'), 30.0, 21.0));
  EXPECT_LT(to_html(report).size(), 3'000'000U);
}

TEST(SensitivityText, Counts) {
  EXPECT_EQ(shown_count(864), "864");
  EXPECT_EQ(shown_count(9999), "9999");
  EXPECT_EQ(shown_count(12'345), "12.3 k");
  EXPECT_EQ(shown_count(3'500'000), "3.50 M");
  EXPECT_EQ(shown_count(1'250'000'000), "1.25 G");
}

}  // namespace
}  // namespace halfstep::report
