// Contract under test: docs/report.md, diagnosis.
#include "report/diagnosis.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "report/report.hpp"

namespace halfstep::report {
namespace {

Report diagnosed() {
  Report report;
  report.kind = "eval";
  report.model = "my model.onnx";
  report.comparison.emplace();
  Diagnosis& diagnosis = report.diagnosis.emplace();
  diagnosis.num_samples = 32;
  diagnosis.verdict = "mostly conv<1> (Conv), by its weights: a weight outlier.";
  diagnosis.rungs = {{"quantized", "Everything quantized: 17.2 dB.", 17.2},
                     {"layers", "Layers, by what the outputs win when this one stays in float:", std::nullopt},
                     {"causes", "Why:", std::nullopt}};
  diagnosis.layers = {
      {.name = "conv<1>",
       .op = "Conv",
       .part = "weights",
       .gain_db = 10.0,
       .noise_share_percent = 90.0,
       .causes = {{"weight-outlier", "w|1",
                   "weight 'w|1': an outlier of 9 in channel 3 is 83 times the rms of the others of the "
                   "channel, which is left 1.53 steps"}}}};
  diagnosis.next = {{"--params_16bit_names_list 'conv<1>'", "16 bits where it costs most", 39.0, 21.8, true},
                    {"--auto_mixed_precision true", "more bits", 65.3, 48.1, false}};
  return report;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(DiagnosisText, ShowsRungsInOrderWithLayersAndCausesUnderTheirs) {
  const std::string text = to_text(*diagnosed().diagnosis, "my model.onnx");
  const std::vector<std::string> parts{"over 32 samples",
                                       "1. Everything",
                                       "2. Layers",
                                       "   - conv<1> (Conv), weights: 10.0 dB, 90 % of the noise",
                                       "3. Why:",
                                       "   - conv<1> (Conv), weight-outlier: weight 'w|1'",
                                       "Verdict: mostly",
                                       "quantize ... --params_16bit_names_list 'conv<1>' 'my model.onnx'\n",
                                       "measured: 39.0 dB, +21.8 dB",
                                       "predicted: at most 65.3 dB, +48.1 dB"};
  std::size_t at = 0;
  for (const std::string& part : parts) {
    const std::size_t found = text.find(part, at);
    ASSERT_NE(found, std::string::npos) << part << "\nin\n" << text;
    at = found;
  }
}

TEST(DiagnosisText, BreaksSentencesAndNeverCommands) {
  std::istringstream lines(to_text(*diagnosed().diagnosis, "my model.onnx"));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(holds(line, "quantize ...") || line.size() <= 100U) << line;
  }
  Diagnosis diagnosis = *diagnosed().diagnosis;
  diagnosis.next[0].options = std::string("--exclude_nodes ") + std::string(200, 'n');
  EXPECT_TRUE(
      holds(to_text(diagnosis, "m.onnx"), "quantize ... --exclude_nodes " + std::string(200, 'n') + " m.onnx\n"));
}

TEST(DiagnosisText, ACommandWithoutOptionsHasNoGap) {
  EXPECT_EQ(command_of({.options = "", .reason = ""}, "m.onnx"), "quantize ... m.onnx");
  EXPECT_EQ(command_of({.options = "--a b", .reason = ""}, "it's.onnx"), "quantize ... --a b 'it'\\''s.onnx'");
}

TEST(DiagnosisReport, JsonHasEveryFigure) {
  const auto json = nlohmann::json::parse(to_json(diagnosed())).at("diagnosis");
  EXPECT_EQ(json.at("num_samples"), 32);
  EXPECT_EQ(json.at("rungs").size(), 3U);
  EXPECT_EQ(json.at("rungs")[0].at("sqnr_db"), 17.2);
  EXPECT_FALSE(json.at("rungs")[1].contains("sqnr_db"));
  EXPECT_EQ(json.at("layers")[0].at("causes")[0].at("kind"), "weight-outlier");
  EXPECT_EQ(json.at("layers")[0].at("gain_db"), 10.0);
  EXPECT_EQ(json.at("next")[0].at("measured"), true);
  EXPECT_EQ(json.at("next")[1].at("sqnr_db"), 65.3);
  Report none = diagnosed();
  none.diagnosis.reset();
  EXPECT_FALSE(nlohmann::json::parse(to_json(none)).contains("diagnosis"));
}

TEST(DiagnosisReport, PagesShowItWithNamesMadeSafe) {
  const std::string markdown = to_markdown(diagnosed());
  EXPECT_TRUE(holds(markdown, "### Diagnosis")) << markdown;
  EXPECT_TRUE(holds(markdown, "| conv&lt;1&gt; (Conv) | weights | 10.0 | 90 | weight-outlier: weight 'w\\|1'"))
      << markdown;
  EXPECT_FALSE(holds(markdown, "conv<1>"));
  const std::string html = to_html(diagnosed());
  EXPECT_TRUE(holds(html, "<section id=\"diagnosis\">"));
  EXPECT_TRUE(holds(html, "conv&lt;1&gt; (Conv)"));
  EXPECT_FALSE(holds(html, "conv<1>"));
}

}  // namespace
}  // namespace halfstep::report
