// quantsim_config_test.cpp: every key of AIMET's quantsim configuration, and every error's text.
#include "io/json/quantsim_config.hpp"

#include <gtest/gtest.h>

namespace halfstep::io {
namespace {

/// A file whose sections are empty but for those of `changes`, one a line: "defaults" is on line 2, "params" on 3, ...
std::string config(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::string text = "{\n";
  for (const auto& [key, empty] : std::vector<std::pair<std::string, std::string>>{
           {"defaults", R"({"ops": {}, "params": {}})"},
           {"params", "{}"},
           {"op_type", "{}"},
           {"supergroups", "[]"},
           {"model_input", "{}"},
           {"model_output", "{}"},
       }) {
    std::string value = empty;
    for (const auto& [changed, other] : changes) value = changed == key ? other : value;
    text += (text.size() > 2 ? ",\n\"" : "\"") + key + "\": " + value;
  }
  return text + "}\n";
}

std::string config_error(const std::string& text) {
  const Result<QuantsimConfig> read = read_quantsim_config(text, "a.json");
  return read.ok() ? "" : read.error().message;
}

TEST(ReadQuantsimConfig, EmptySectionsSayNothing) {
  const auto read = read_quantsim_config(config({}), "a.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_FALSE(read->defaults.is_output_quantized || read->defaults.is_symmetric || read->strict_symmetric);
  EXPECT_FALSE(read->default_params.is_quantized || read->model_input.is_quantized || read->model_output.is_quantized);
  EXPECT_TRUE(read->params.empty() && read->op_types.empty() && read->supergroups.empty());
}

TEST(ReadQuantsimConfig, EveryKeyIsRead) {
  const auto read = read_quantsim_config(
      config({{"defaults", R"({"hw_version": "v1", "strict_symmetric": "True", "unsigned_symmetric": "False",
                   "per_channel_quantization": true,
                   "ops": {"is_input_quantized": "False", "is_output_quantized": "True", "is_symmetric": "false"},
                   "params": {"is_quantized": "True", "is_symmetric": true},
                   "supported_kernels": [{"activation": {"bitwidth": 16, "dtype": "int"},
                                          "param": {"bitwidth": 4, "dtype": "int"}},
                                         {"activation": {"bitwidth": 16, "dtype": "float"},
                                          "param": {"bitwidth": 16, "dtype": "float"}}]})"},
              {"params", R"({"bias": {"is_quantized": "False"}, "weight": {"is_symmetric": "False"}})"},
              {"op_type", R"({"Softmax": {"is_input_quantized": "True", "is_output_quantized": "False",
                   "is_symmetric": "True", "per_channel_quantization": "False",
                   "params": {"weight": {"is_quantized": "False"}},
                   "supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "int"}}],
                   "encoding_constraints": {"min": 0, "max": 1.5}}})"},
              {"supergroups", R"([{"op_list": ["Conv", "Relu", "MaxPool"]}])"},
              {"model_input", R"({"is_input_quantized": "True"})"},
              {"model_output", R"({"is_output_quantized": "False"})"}}),
      "a.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->defaults.is_input_quantized, false);
  EXPECT_EQ(read->defaults.is_output_quantized, true);
  EXPECT_EQ(read->defaults.is_symmetric, false);
  EXPECT_EQ(read->defaults.per_channel_quantization, true);
  EXPECT_EQ(read->strict_symmetric, true);
  EXPECT_EQ(read->unsigned_symmetric, false);
  EXPECT_EQ(read->default_params.is_quantized, true);
  EXPECT_EQ(read->default_params.is_symmetric, true);
  ASSERT_EQ(read->defaults.supported_kernels.size(), 2U);
  EXPECT_EQ(read->defaults.supported_kernels[0].activation, (NumberKind{16, false}));
  EXPECT_EQ(read->defaults.supported_kernels[0].param, (NumberKind{4, false}));
  EXPECT_EQ(read->defaults.supported_kernels[1].param, (NumberKind{16, true}));
  EXPECT_EQ(read->params.at("bias").is_quantized, false);
  EXPECT_EQ(read->params.at("weight").is_symmetric, false);
  const QuantsimRules& softmax = read->op_types.at("Softmax");
  EXPECT_EQ(softmax.place, "a.json:11: op_type 'Softmax'");
  EXPECT_EQ(softmax.is_input_quantized, true);
  EXPECT_EQ(softmax.is_output_quantized, false);
  EXPECT_EQ(softmax.is_symmetric, true);
  EXPECT_EQ(softmax.per_channel_quantization, false);
  EXPECT_EQ(softmax.params.at("weight").is_quantized, false);
  ASSERT_EQ(softmax.supported_kernels.size(), 1U);
  EXPECT_FALSE(softmax.supported_kernels[0].param);
  ASSERT_TRUE(softmax.encoding_constraints);
  EXPECT_EQ(softmax.encoding_constraints->min, 0.0);
  EXPECT_EQ(softmax.encoding_constraints->max, 1.5);
  ASSERT_EQ(read->supergroups.size(), 1U);
  EXPECT_EQ(read->supergroups[0].place, "a.json:16: supergroup 'Conv+Relu+MaxPool'");
  EXPECT_EQ(read->supergroups[0].ops, (std::vector<std::string>{"Conv", "Relu", "MaxPool"}));
  EXPECT_EQ(read->model_input.is_quantized, true);
  EXPECT_EQ(read->model_output.is_quantized, false);
}

TEST(ReadQuantsimConfig, UpperEndAndPassesMayBeMissing) {
  std::string text = config({{"op_type", R"({"Relu": {"encoding_constraints": {"min": 0.0}}})"}});
  text.replace(0, 1, R"({"supergroup_pass_list": ["MatmulAdd"],)");
  const auto read = read_quantsim_config(text, "a.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_FALSE(read->op_types.at("Relu").encoding_constraints->max);
  text.replace(text.find("[\"MatmulAdd\"]"), 13, "[[]]");
  EXPECT_EQ(config_error(text), "a.json:1: supergroup_pass_list is not a list of texts");
}

TEST(ReadQuantsimConfig, ErrorsOfTheDocument) {
  EXPECT_EQ(config_error("{"), "a.json: not valid JSON at byte 2, line 1");
  EXPECT_EQ(config_error("[]"), "a.json: the document is not an object");
  EXPECT_EQ(config_error("{}"), "a.json: there is no section 'defaults', all six must be there, even empty");
  EXPECT_EQ(config_error("{\n\"op_types\": {}}"), "a.json:2: unknown section 'op_types', did you mean 'op_type'?");
}

TEST(ReadQuantsimConfig, ErrorsOfSections) {
  struct Bad {
    std::string section;
    std::string value;
    std::string message;
  };
  const std::string defaults = R"("ops": {}, "params": {}, )";
  const std::vector<Bad> bad = {
      {"defaults", "3", "a.json:2: defaults is not an object"},
      {"defaults", R"({"ops": {}})", "a.json:2: defaults: field 'params' is missing, it may be empty"},
      {"defaults", "{" + defaults + R"("strict": "True"})", "a.json:2: defaults: unknown key 'strict'"},
      {"defaults", "{" + defaults + "\n" + R"("strict_symmetric": "yes"})",
       "a.json:3: defaults: field 'strict_symmetric' is neither true nor false"},
      {"defaults", "{" + defaults + R"("strict_symmetric": "True", "unsigned_symmetric": "True"})",
       "a.json:2: defaults: strict_symmetric and unsigned_symmetric exclude each other, one of them must be False"},
      {"defaults", "{" + defaults + R"("hw_version": 73})", "a.json:2: defaults: hw_version is not a text"},
      {"defaults", R"({"ops": {"is_quantized": "True"}, "params": {}})",
       "a.json:2: defaults: ops: unknown key 'is_quantized'"},
      {"defaults", R"({"ops": {}, "params": {"is_symmetric": 1}})",
       "a.json:2: defaults: params: field 'is_symmetric' is neither true nor false"},
      {"defaults", "{" + defaults + R"("supported_kernels": {}})",
       "a.json:2: defaults: supported_kernels is not a list"},
      {"defaults", "{" + defaults + R"("supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "int"}}]})",
       "a.json:2: defaults: supported_kernels, entry 0: field 'param' is missing"},
      {"op_type", R"({"Conv": {"supported_kernels": [{"activation": {"bitwidth": 7, "dtype": "int"}}]}})",
       "a.json:4: op_type 'Conv': supported_kernels, entry 0: activation: integers of 7 bits are none of 4, 8, 16 and "
       "32"},
      {"op_type", R"({"Conv": {"supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "float"}}]}})",
       "a.json:4: op_type 'Conv': supported_kernels, entry 0: activation: real numbers of 8 bits are none of 16 and "
       "32"},
      {"op_type", R"({"Conv": {"supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "uint"}}]}})",
       "a.json:4: op_type 'Conv': supported_kernels, entry 0: activation: field 'dtype' is neither int nor float"},
      {"op_type", R"({"Conv": {"supported_kernels": [{"activation": {"dtype": "int"}}]}})",
       "a.json:4: op_type 'Conv': supported_kernels, entry 0: activation: field 'bitwidth' is missing"},
      {"op_type", R"({"Conv": []})", "a.json:4: op_type 'Conv' is not an object"},
      {"op_type", R"({"Conv": {"is_output_quantised": "True"}})",
       "a.json:4: op_type 'Conv': unknown key 'is_output_quantised', did you mean 'is_output_quantized'?"},
      {"op_type", R"({"Conv": {"params": {"weight": 8}}})",
       "a.json:4: op_type 'Conv': params, 'weight' is not an object"},
      {"op_type", R"({"Clip": {"encoding_constraints": {"max": 0}}})",
       "a.json:4: op_type 'Clip': encoding_constraints: field 'min' is missing"},
      {"op_type", R"({"Clip": {"encoding_constraints": {"min": 1, "max": 1}}})",
       "a.json:4: op_type 'Clip': encoding_constraints: min is not below max"},
      {"op_type", R"({"Clip": {"encoding_constraints": {"min": 0, "max": 1e39}}})",
       "a.json:4: op_type 'Clip': encoding_constraints: min and max must be within the range of float32"},
      {"op_type", R"({"Clip": {"encoding_constraints": {"min": -1e39, "max": 1}}})",
       "a.json:4: op_type 'Clip': encoding_constraints: min and max must be within the range of float32"},
      {"params", R"([])", "a.json:3: params is not an object"},
      {"params", R"({"bias": {"bitwidth": 8}})", "a.json:3: params 'bias': unknown key 'bitwidth'"},
      {"supergroups", "{}", "a.json:5: supergroups is not a list"},
      {"supergroups", R"([{"op_list": ["Conv"]}])",
       "a.json:5: supergroups, entry 0: op_list is no list of two operators or more"},
      {"supergroups", R"([{"ops": ["Conv", "Relu"]}])", "a.json:5: supergroups, entry 0: unknown key 'ops'"},
      {"supergroups", R"([{"op_list": ["Conv", 3]}])",
       "a.json:5: supergroups, entry 0: op_list holds something that is no operator's name"},
      {"model_input", R"({"is_output_quantized": "True"})",
       "a.json:6: model_input: unknown key 'is_output_quantized', did you mean 'is_input_quantized'?"},
      {"model_output", R"({"is_output_quantized": "maybe"})",
       "a.json:7: model_output: field 'is_output_quantized' is neither true nor false"},
  };
  for (const Bad& file : bad) EXPECT_EQ(config_error(config({{file.section, file.value}})), file.message);
}

}  // namespace
}  // namespace halfstep::io
