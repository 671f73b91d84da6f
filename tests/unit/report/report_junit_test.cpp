#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_report.hpp"

namespace halfstep::report {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(ReportJunit, OneCaseAGateAndOneAnOutput) {
  const std::string xml = to_junit(sample_report());
  EXPECT_EQ(occurrences(xml, "<testcase "), 3u);
  EXPECT_EQ(occurrences(xml, "<failure "), 1u);
  EXPECT_THAT(xml, HasSubstr("<testsuites name=\"halfstep\" tests=\"3\" failures=\"1\" errors=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<testsuite name=\"gates\" tests=\"2\" failures=\"1\" errors=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<testsuite name=\"outputs\" tests=\"1\" failures=\"0\" errors=\"0\""));
  EXPECT_THAT(xml,
              HasSubstr("message=\"top-1 of the quantized model is 50.00 %, must be at least 70.00 %: missed by 20 "
                        "points\""));
  EXPECT_THAT(xml, HasSubstr("SQNR: 20.0 dB"));
}

TEST(ReportJunit, WithoutGatesOrComparisonItIsStillADocument) {
  Report report = sample_report();
  report.gates.clear();
  report.comparison.reset();
  const std::string xml = to_junit(report);
  EXPECT_THAT(xml, HasSubstr("tests=\"0\" failures=\"0\""));
  EXPECT_THAT(xml, Not(HasSubstr("<testcase")));
  EXPECT_THAT(xml, HasSubstr("</testsuites>\n"));
}

TEST(ReportJunit, NamesCannotBreakTheDocument) {
  Report report = sample_report();
  report.comparison->outputs[0].name = std::string("]]><!--\"'&\x01\xFF\0", 13);
  const std::string xml = to_junit(report);
  EXPECT_THAT(xml, HasSubstr("name=\"output ]]&gt;&lt;!--&quot;&#39;&amp;\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""));
  EXPECT_EQ(xml.find('\0'), std::string::npos);
}

}  // namespace
}  // namespace halfstep::report
