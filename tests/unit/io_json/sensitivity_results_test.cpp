// Contract under test: io/json/sensitivity_results.hpp.
#include "io/json/sensitivity_results.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace halfstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

FormScore plain(const std::string& form, double db) { return {form, {.sqnr_db = db}}; }

const FormScore kFull{"all-but/both/layer \"7\"\n\xC3\xA9", {-12.625, 99.5, 71.0 / 3.0, 100.0, 0.1}};

TEST(SensitivityResults, LinesReadBackAsTheyWere) {
  const std::vector<FormScore> scores{plain("only/both/a", 1.0 / 3.0), kFull, plain("x", std::nextafter(200.0, 0.0)),
                                      plain("", 5e-324)};
  std::string text = results_header("0123456789abcdef");
  for (const FormScore& score : scores) {
    const std::string line = results_line(score);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    text += line;
  }
  const Result<SensitivityResults> read = read_results(text, "r.jsonl");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->key, "0123456789abcdef");
  EXPECT_EQ(read->scores, scores);
}

TEST(SensitivityResults, WhatWasNotMeasuredHasNoKey) {
  EXPECT_EQ(results_line(plain("only/both/a", 20.5)), "{\"form\":\"only/both/a\",\"sqnr_db\":20.5}\n");
}

TEST(SensitivityResults, AnUnfinishedLineIsLeftOut) {
  const std::string whole = results_header("k") + results_line(plain("a", 1.0));
  const std::string last = results_line(plain("b", 2.0));
  for (std::size_t cut = 0; cut < last.size(); ++cut) {
    const Result<SensitivityResults> read = read_results(whole + last.substr(0, cut), "r.jsonl");
    ASSERT_TRUE(read.ok()) << cut;
    EXPECT_THAT(read->scores, ElementsAre(plain("a", 1.0))) << cut;
  }
}

TEST(SensitivityResults, AHeaderAloneHasNoScores) {
  const Result<SensitivityResults> read = read_results(results_header("k"), "r.jsonl");
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read->scores, IsEmpty());
}

TEST(SensitivityResults, OtherFilesAreRefused) {
  for (const char* text : {"", "{\"halfstep_sensitivity\":\"k\"}", "[]\n", "{}\n", "{\"halfstep_sensitivity\":7}\n",
                           "no json\n", "\n", "\xFF\xFE\n"}) {
    const Result<SensitivityResults> read = read_results(text, "r.jsonl");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(read.error().message, HasSubstr("r.jsonl"));
    EXPECT_THAT(read.error().message, HasSubstr("no results of quantize-sensitivity"));
  }
}

TEST(SensitivityResults, ABrokenLineIsNamed) {
  const std::string head = results_header("k") + results_line(plain("a", 1.0));
  for (const char* line :
       {"{}", "[1]", "{\"form\":\"b\"}", "{\"form\":1,\"sqnr_db\":2}", "{\"form\":\"b\",\"sqnr_db\":\"2\"}",
        "{\"form\":\"b\",\"sqnr_db\":2", "", "{\"form\":\"b\",\"sqnr_db\":2,\"miou_percent\":null}"}) {
    const Result<SensitivityResults> read = read_results(head + line + "\n", "r.jsonl");
    ASSERT_FALSE(read.ok()) << line;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidInput);
    EXPECT_THAT(read.error().message, HasSubstr("r.jsonl:3")) << line;
  }
}

}  // namespace
}  // namespace halfstep::io
