#include "report/report_text.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "sample_report.hpp"

namespace halfstep::report {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const std::string kReplaced = "\xEF\xBF\xBD";

TEST(ReportText, ZeroHasNoSign) {
  EXPECT_EQ(decimals(-0.001, 2), "0.00");
  EXPECT_EQ(decimals(-0.25, 2), "-0.25");
  EXPECT_EQ(significant(-0.0, 4), "0");
}

TEST(ReportText, FiguresThatAreNotFiniteAreWords) {
  EXPECT_EQ(decimals(-kInfinity, 2), "-inf");
  EXPECT_EQ(decimals(std::numeric_limits<double>::quiet_NaN(), 2), "NaN");
  EXPECT_EQ(shown_db_unit(kInfinity), "exact");
  EXPECT_EQ(shown_db_unit(12.34), "12.3 dB");
  EXPECT_EQ(decimals(1.7e308, 2).size(), 309u + 3u);
}

TEST(ReportText, GateSaysByHowMuchItFailed) {
  EXPECT_EQ(gate_sentence({"min_top1", "top-1", "%", 71.0, 70.12, false, 0.88}),
            "top-1 is 70.12 %, must be at least 71.00 %: missed by 0.88 points");
  EXPECT_EQ(gate_sentence({"max_abs_error", "error", "", 0.5, 0.25, true, 0.0}),
            "error is 0.2500, must be at most 0.5000");
}

// 70 - 1e-6 would look like 70.00 with two decimals.
TEST(ReportText, MissedThresholdNeverLooksReached) {
  const Gate gate{"min_top1", "top-1", "%", 70.0, 70.0 - 1e-6, false, 1e-6};
  EXPECT_EQ(gate_figure(gate, gate.actual), "69.999999 %");
  EXPECT_EQ(gate_figure(gate, gate.threshold), "70.000000 %");
}

TEST(ReportText, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(printable("a\xFF"), "a" + kReplaced);
  EXPECT_EQ(printable("\xC3"), kReplaced);                                                  // Cut short.
  EXPECT_EQ(printable("\xC0\xAF"), kReplaced + kReplaced);                                  // Overlong '/'.
  EXPECT_EQ(printable("\xED\xA0\x80"), kReplaced);                                          // A surrogate.
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), kReplaced + kReplaced + kReplaced + kReplaced);  // Beyond U+10FFFF.
  EXPECT_EQ(printable("\xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80"), "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80");
}

TEST(ReportText, CharactersThatXmlForbidsAreReplaced) {
  EXPECT_EQ(printable(std::string_view("a\0b\x1F\x7F", 5)), "a" + kReplaced + "b" + kReplaced + kReplaced);
  EXPECT_EQ(printable("\xEF\xBF\xBE"), kReplaced);  // U+FFFE.
  EXPECT_EQ(printable("\xE2\x80\xAE"), kReplaced);  // Right-to-left override.
  EXPECT_EQ(printable("a\tb\nc\r"), "a b c ");
}

TEST(ReportText, MarkupIsEscaped) {
  EXPECT_EQ(escaped("<a b='c' d=\"&\">"), "&lt;a b=&#39;c&#39; d=&quot;&amp;&quot;&gt;");
}

TEST(ReportText, LongNamesKeepBothEndsAndWholeCharacters) {
  EXPECT_EQ(shortened("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(shortened("abcdefghijkl", 9), "abcd...kl");
  EXPECT_EQ(shortened("\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC", 8),
            "\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC...\xC3\xBC");
}

TEST(ReportText, LayersAreOrderedByTheNetworkAndTheRestFollows) {
  Report report = sample_report();
  report.comparison->layers.push_back(tensor_of("elsewhere", 0.5));
  const std::vector<PlacedLayer> placed = in_network_order(report);
  ASSERT_EQ(placed.size(), 3u);
  EXPECT_EQ(placed[0].layer->name, "a");
  EXPECT_EQ(placed[1].layer->name, "b");
  EXPECT_EQ(placed[2].layer->name, "elsewhere");
  EXPECT_EQ(placed[2].position, 3u);
}

}  // namespace
}  // namespace halfstep::report
