// report_junit.cpp: reports as JUnit XML, which continuous integration services show as tests.
#include "report/report.hpp"
#include "report/report_text.hpp"

namespace halfstep::report {
namespace {

std::string attribute(const char* name, std::string_view value) {
  return std::string(" ") + name + "=\"" + escaped(value) + "\"";
}

std::string counts(std::size_t tests, std::size_t failures) {
  return attribute("tests", std::to_string(tests)) + attribute("failures", std::to_string(failures)) +
         " errors=\"0\" skipped=\"0\" time=\"0\"";
}

std::string property(const char* name, const std::string& value) {
  return value.empty() ? "" : "      <property" + attribute("name", name) + attribute("value", value) + "/>\n";
}

std::string properties(const Report& report) {
  std::string text = "    <properties>\n";
  text += property("halfstep_version", report.tool_version) + property("model", report.model);
  text += property("quantized", report.quantized) + property("input_list", report.input_list);
  text += property("mode", report.mode) + property("arithmetic", report.arithmetic);
  if (report.comparison) text += property("num_samples", std::to_string(report.comparison->num_samples));
  return text + "    </properties>\n";
}

std::string suite(const char* name, std::size_t tests, std::size_t failures, const std::string& content) {
  return "  <testsuite" + attribute("name", name) + counts(tests, failures) + ">\n" + content + "  </testsuite>\n";
}

std::string test_case(const char* class_name, const std::string& name, const std::string& content) {
  return "    <testcase" + attribute("classname", class_name) + attribute("name", name) + " time=\"0\">\n" + content +
         "    </testcase>\n";
}

std::string gate_case(const Gate& gate) {
  const std::string sentence = gate_sentence(gate);
  std::string content;
  if (!gate.passed) {
    content += "      <failure type=\"gate\"" + attribute("message", sentence) + ">--" + escaped(gate.option) + ": " +
               escaped(sentence) + "</failure>\n";
  }
  content += "      <system-out>" + escaped(sentence) + "</system-out>\n";
  return test_case("halfstep.gates", gate.option + ": " + gate.subject, content);
}

std::string line(const std::string& label, const std::string& value) { return label + ": " + value + "\n"; }

std::string output_case(const compare::TensorError& output) {
  std::string text = line("SQNR", shown_db_unit(output.sums.sqnr_db()));
  if (output.isolated) text += line("SQNR, this layer alone", shown_db_unit(output.isolated->sqnr_db()));
  text += line("cosine", decimals(output.sums.cosine(), 6));
  text += line("MSE", significant(output.sums.mean_squared_error(), 6));
  text += line("max error", significant(output.sums.max_abs_error, 6));
  if (output.scale > 0.0) {
    text += line("rmse", decimals(output.rmse_in_steps(), 2) + " steps of " + significant(output.scale, 6));
    text += line("clipped", decimals(output.clipped_percent(), 4) + " %");
  }
  if (output.num_unlike_samples > 0) {
    text += line("left out, another shape", counted(output.num_unlike_samples, "sample"));
  }
  return test_case("halfstep.outputs", "output " + output.name, "      <system-out>" + text + "</system-out>\n");
}

}  // namespace

std::string to_junit(const Report& report) {
  std::string gates = properties(report);
  for (const Gate& gate : report.gates) gates += gate_case(gate);
  std::string outputs;
  std::size_t num_outputs = 0;
  if (report.comparison) {
    for (const compare::TensorError& output : report.comparison->outputs) outputs += output_case(output);
    num_outputs = report.comparison->outputs.size();
  }
  const std::size_t failed = num_failed(report.gates);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"halfstep\"" +
         counts(report.gates.size() + num_outputs, failed) + ">\n" +
         suite("gates", report.gates.size(), failed, gates) + suite("outputs", num_outputs, 0, outputs) +
         "</testsuites>\n";
}

}  // namespace halfstep::report
