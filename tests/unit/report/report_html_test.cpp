#include <gtest/gtest.h>

#include <limits>

#include "sample_report.hpp"

namespace halfstep::report {
namespace {

/// Not a matcher: a failure would print the whole page.
bool holds(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }

/// Text between two marks, from the first occurrence of the first.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find(to, begin) - begin);
}

TEST(ReportHtml, HoldsEverySection) {
  const std::string page = to_html(sample_report());
  for (const char* part :
       {"1 of 2 gates failed", "id=\"gates\"", "id=\"metrics\"", "id=\"outputs\"", "id=\"layers\"", "SQNR by layer",
        "Codes that differ", "Activation ranges by layer", "Weight ranges by channel",
        "Histograms of the worst tensors", "id=\"run\"", "name=\"viewport\""}) {
    EXPECT_TRUE(holds(page, part));
  }
}

TEST(ReportHtml, AsksForNothingFromOutside) {
  const std::string page = to_html(sample_report());
  for (const char* part : {"http:", "https:", "src=", "@import", "url("}) EXPECT_FALSE(holds(page, part)) << part;
}

TEST(ReportHtml, LayersStandWorstFirstWithTheirPlaceInTheNetwork) {
  const std::string rows = between(to_html(sample_report()), "class=\"layers sortable\"", "</table>");
  const std::size_t worst = rows.find("<tr id=\"layer-2\">");
  const std::size_t best = rows.find("<tr id=\"layer-1\">");
  ASSERT_NE(worst, std::string::npos);
  EXPECT_LT(worst, best);
  // 10 dB in the network, 20 dB alone: a tenth of the error is its own.
  EXPECT_TRUE(holds(rows,
                    "<td class=\"n\" data-v=\"10\">10.0</td><td class=\"n\" data-v=\"20\">20.0</td>"
                    "<td class=\"n\" data-v=\"10\">10</td>"));
  EXPECT_TRUE(holds(rows, ">6.000</td><td class=\"n\" data-v=\"4\">4.000</td>"));
}

TEST(ReportHtml, ThresholdIsDrawnWhereThereIsOne) {
  Report report = sample_report();
  EXPECT_TRUE(holds(to_html(report), "<line class=\"gate\""));
  report.gates.clear();
  EXPECT_FALSE(holds(to_html(report), "<line class=\"gate\"")) << "<line class=\"gate\"";
}

// b goes down to -100, its grid to -50 only.
TEST(ReportHtml, ValuesOutsideTheGridAreMarked) {
  Report report = sample_report();
  EXPECT_TRUE(holds(to_html(report), "<rect class=\"outside\""));
  report.charts->activation_ranges[1].min = -50.0;
  EXPECT_FALSE(holds(to_html(report), "<rect class=\"outside\"")) << "<rect class=\"outside\"";
}

// Bins [-2,-1) [-1,0) [0,1) hold 1, 10 and 10 values: 1 of 21 is outside of -1 ... 1.
TEST(ReportHtml, HistogramSaysWhatIsOutside) { EXPECT_TRUE(holds(to_html(sample_report()), "4.76\xC2\xA0% outside")); }

TEST(ReportHtml, NamesCannotBecomeMarkup) {
  const std::string hostile = "</script><script>alert(1)</script>\"' onload=\xFF";
  Report report = sample_report();
  report.model = report.quantized = report.input_list = report.mode = report.arithmetic = hostile;
  report.options = {{hostile, hostile}};
  report.warnings = {hostile};
  report.float_islands = {{hostile, hostile, hostile}};
  report.extra_metrics = {{hostile, {1.0, 2.0}}};
  report.gates[0].subject = report.gates[0].option = hostile;
  report.comparison->outputs[0].name = report.comparison->layers[0].name = report.comparison->layers[0].op = hostile;
  report.charts->activation_ranges[0].name = report.charts->weights[0].name = report.charts->weights[0].node = hostile;
  report.charts->histograms[0].name = hostile;
  report.ranges = quantize_report().ranges;
  report.ranges[0].name = report.ranges[0].by = hostile;
  report.tuning = tuned_report().tuning;
  report.tuning[0].algorithms = report.tuning[0].did = report.tuning[0].notes[0] = hostile;
  report.weight_ranges = {{hostile, hostile, {1.0, 2.0}, {1.0, 1.0}}};
  const std::string page = to_html(report);
  EXPECT_FALSE(holds(page, "<script>alert")) << "<script>alert";
  EXPECT_FALSE(holds(page, "\"' onload")) << "\"' onload";
  EXPECT_EQ(page.find('\xFF'), std::string::npos);
}

TEST(ReportHtml, FiguresThatAreNotFiniteDoNotReachTheDrawing) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Report report = sample_report();
  report.comparison->layers[0].sums.error_squared = kNaN;
  report.comparison->layers[1].sums.error_squared = 0.0;  // +infinity dB.
  report.charts->activation_ranges[0] = {"a", -kInfinity, kInfinity, 0.0, 0.0};
  report.charts->weights[0].channels[0] = {kNaN, kNaN, kNaN, kNaN, kInfinity};
  report.charts->histograms[0].grid_max = kInfinity;
  report.charts->histograms[0].step = kInfinity;
  report.charts->histograms.push_back({"empty", 0.0, 1.0, {}, 0.0, 1.0, 0.1});
  const std::string page = to_html(report);
  for (const char* bad : {"=\"nan", "=\"NaN", "=\"inf", "=\"-inf", "nan%", "NaN%", "inf%"}) {
    EXPECT_FALSE(holds(page, bad)) << bad;
  }
  EXPECT_TRUE(holds(page, ">exact<"));
}

TEST(ReportHtml, ManyChannelsAndLayersStayBounded) {
  Report report = sample_report();
  report.charts->weights.assign(60, {"w", "n", std::vector<ChannelBox>(4096, {-1.0, -0.5, 0.0, 0.5, 1.0})});
  EXPECT_LT(to_html(report).size(), 1500000u);
}

TEST(ReportHtml, RangesWithWeightsBehindAFold) {
  EXPECT_FALSE(holds(to_html(sample_report()), "id=\"ranges\"")) << "without ranges";
  const std::string section = between(to_html(quantize_report()), "id=\"ranges\"", "</section>");
  const std::size_t fold = section.find("<details>");
  ASSERT_NE(fold, std::string::npos);
  EXPECT_LT(section.find("calibrated (mse, by channel)"), fold);
  EXPECT_GT(section.find("from its values"), fold);
  EXPECT_TRUE(holds(section, "data-v=\"\"></td>")) << "clipped is not known of a";
  EXPECT_TRUE(holds(section, "data-v=\"0.125\">0.125</td>"));
  EXPECT_TRUE(holds(section, "Histograms of the worst tensors"));
  EXPECT_TRUE(holds(section, "that calibration saw"));
  EXPECT_TRUE(holds(section, "0.125\xC2\xA0% clipped"));
}

TEST(ReportHtml, AlgorithmsWithTheirNotesBehindAFold) {
  EXPECT_FALSE(holds(to_html(quantize_report()), "id=\"algorithms\"")) << "without algorithms";
  const std::string rows = between(to_html(tuned_report()), "class=\"tuning\"", "</table>");
  EXPECT_TRUE(
      holds(rows,
            "<code>equalize</code></th><td class=\"text\">1 group scaled<details><summary>1 note</summary><ul>\n"
            "<li>tensor &#39;b&#39; is left: an output</li>\n</ul></details></td>"
            "<td class=\"n\" data-v=\"13.375\">13.38</td><td class=\"n\" data-v=\"18\">18.00</td>"
            "<td class=\"n\" data-v=\"50\">50.0</td><td class=\"n\" data-v=\"75\">75.0</td>"
            "<td class=\"pass\">kept</td>"))
      << rows;
  EXPECT_TRUE(holds(rows, "<td class=\"text\">3 layers rounded</td>"));
  EXPECT_TRUE(holds(rows, "<td class=\"fail\">undone</td>"));
}

// Of 0.01 and 20 on an axis from 0.01 to 20: the bottom (y = 110) and the top of the drawing.
TEST(ReportHtml, WeightRangesBeforeAndAfter) {
  const std::string section =
      between(to_html(tuned_report()), "Weight ranges by channel, before and after", "</section>");
  EXPECT_TRUE(holds(section, "2 channels, the widest 2e+03 times the narrowest before, 2 after")) << section;
  EXPECT_TRUE(holds(section, "class=\"before\" d=\"M0 110L0 110L500 110L500 0L1000 0L1000 110Z\""));
  EXPECT_TRUE(holds(section, "<path class=\"after\""));
}

TEST(ReportHtml, OfManyWeightRangesThoseThatDifferMostAreDrawn) {
  Report report = tuned_report();
  report.weight_ranges.clear();
  for (int i = 0; i < 40; ++i) {
    std::vector<double> before(4096, 1.0);
    before[7] = 1.0 + i;
    report.weight_ranges.push_back({"w" + std::to_string(i), "n", before, before});
  }
  const std::string page = to_html(report);
  const std::string section = between(page, "Weight ranges by channel, before and after", "</section>");
  EXPECT_TRUE(holds(section, "of 40 weights the 10 whose channels differed most"));
  EXPECT_LT(section.find("title=\"w39\""), section.find("title=\"w30\""));
  EXPECT_FALSE(holds(section, "title=\"w29\"")) << "w29";
  EXPECT_LT(page.size(), 150000u);
}

TEST(ReportHtml, WeightRangesOfDeadOrImpossibleChannelsAreDrawn) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Report report = tuned_report();
  report.weight_ranges = {{"dead", "n", {0.0, 0.0}, {0.0, 0.0}},
                          {"tiny", "n", {1e-30, 1.0}, {1e-320, 2.0}},
                          {"wild", "n", {kInfinity, 1.0}, {std::numeric_limits<double>::quiet_NaN(), 1.0}}};
  const std::string page = to_html(report);
  for (const char* bad : {"nan", "NaN%", "inf%", "inf times", "L0 inf"}) {
    EXPECT_FALSE(holds(between(page, "Weight ranges by channel, before", "</section>"), bad)) << bad;
  }
}

TEST(ReportHtml, LayersStandInNetworkOrderWithoutCharts) {
  const std::string page = to_html(quantize_report());
  EXPECT_TRUE(holds(page, "<tr id=\"layer-1\"><td class=\"n\" data-v=\"1\">1</td><th scope=\"row\" class=\"name\">a<"));
  EXPECT_TRUE(holds(page, "<tr id=\"layer-3\"><td class=\"n\" data-v=\"3\">3</td><th scope=\"row\" class=\"name\">b<"));
}

TEST(ReportHtml, BareReportIsStillAPage) {
  Report report;
  report.mode = "simulated";
  const std::string page = to_html(report);
  EXPECT_TRUE(holds(page, "</html>\n"));
  EXPECT_FALSE(holds(page, "id=\"layers\"")) << "id=\"layers\"";
}

}  // namespace
}  // namespace halfstep::report
