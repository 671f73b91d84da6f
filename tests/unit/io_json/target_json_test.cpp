// target_json_test.cpp: what a target's profile may say.
#include "io/json/target_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace halfstep::io {
namespace {

const std::vector<std::string> kOperators{"Add", "Conv", "Relu", "Softmax"};

nlohmann::json whole() {
  return nlohmann::json::parse(R"({
    "description": "d", "known": ["k"], "assumed": ["a"], "options": {"act_bitwidth": 8, "scale": "affine"},
    "scales": ["affine", "power_of_two"], "activation_schemas": ["asymmetric"], "weight_schemas": ["symmetric"],
    "weights_per_channel": "depthwise", "activations_per_channel": "depthwise", "arithmetics": ["q31_double"],
    "accumulator_bits": 32, "bias_code_bits": 20, "shifts": {"cut": [0, 16], "write": [-15, 15]},
    "saturating_pair_sums": true,
    "costs": [{"activations": "int8", "weights": "int8", "cost": 1},
              {"activations": "int16", "weights": "int8", "cost": 2},
              {"activations": "int16", "weights": "int16", "cost": 4}],
    "host": ["float32"], "fused": [["Conv", "Relu"]],
    "operators": {
      "*": {"activations": ["int8", "int16"], "weights": ["int8"], "biases": ["int32"], "one_width": true},
      "Softmax": {"activations": ["int8", "float16"],
                  "fixed_outputs": [{"bits": 8, "signed": false, "scale": 0.00390625, "zero_point": 0}]},
      "Add": {"one_width": false, "keeps_precision": true}}})");
}

std::string error_of(const nlohmann::json& document) {
  const auto target = read_target(document.dump(), "t.json", kOperators);
  EXPECT_FALSE(target.ok());
  if (target.ok()) return "";
  EXPECT_EQ(target.error().code, ErrorCode::kInvalidInput);
  return target.error().message;
}

TEST(ReadTarget, EveryKey) {
  const auto target = read_target(whole().dump(), "t.json", kOperators);
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_EQ(target->options,
            (std::vector<std::pair<std::string, std::string>>{{"act_bitwidth", "8"}, {"scale", "affine"}}));
  EXPECT_EQ(target->scales.size(), 2u);
  EXPECT_EQ(target->weights_per_channel, WeightsPerChannel::kDepthwise);
  EXPECT_EQ(target->activations_per_channel, ActPerChannel::kDepthwise);
  EXPECT_EQ(target->arithmetics, std::vector<Arithmetic>{Arithmetic::kQ31Double});
  EXPECT_EQ(target->accumulator_bits, 32);
  EXPECT_EQ(target->bias_code_bits, 20);
  EXPECT_EQ(target->shifts.write->min, -15);
  EXPECT_FALSE(target->shifts.read.has_value());
  EXPECT_TRUE(target->saturating_pair_sums);
  EXPECT_EQ(target->host, (std::vector<NumberKind>{{32, true}}));
  EXPECT_EQ(target->fused->front().second, "Relu");
  ASSERT_EQ(target->costs.size(), 3u);
  EXPECT_EQ(target->costs[1].activations, (NumberKind{16, false}));
}

TEST(ReadTarget, AnOperationCostsWhatTheCheapestRuleAsWideSays) {
  const auto target = read_target(whole().dump(), "t.json", kOperators);
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_EQ(target->cost_of(8, 8), 1.0);
  EXPECT_EQ(target->cost_of(8, 4), 1.0);
  EXPECT_EQ(target->cost_of(16, 8), 2.0);
  EXPECT_EQ(target->cost_of(8, 16), 4.0);
  EXPECT_EQ(target->cost_of(32, 32), 4.0);  // No rule is as wide.
}

TEST(ReadTarget, OperatorsStartFromTheRuleForAll) {
  const auto target = read_target(whole().dump(), "t.json", kOperators);
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_TRUE(target->rule_of("Conv")->one_width);
  const OperatorRule& softmax = *target->rule_of("Softmax");
  EXPECT_EQ(softmax.activations, (std::vector<NumberKind>{{8, false}, {16, true}}));
  EXPECT_EQ(softmax.weights, (std::vector<NumberKind>{{8, false}}));
  ASSERT_EQ(softmax.fixed_outputs.size(), 1u);
  EXPECT_EQ(softmax.fixed_outputs[0].params()[0], (QuantParams{1.0 / 256, 0}));
  EXPECT_FALSE(target->rule_of("Add")->one_width);
  EXPECT_TRUE(target->rule_of("Add")->keeps_precision);
}

TEST(ReadTarget, WithoutARuleForAllOthersAreMissing) {
  nlohmann::json document = whole();
  document["operators"] = {{"Conv", {{"activations", {"int8"}}}}};
  const auto target = read_target(document.dump(), "t.json", kOperators);
  ASSERT_TRUE(target.ok()) << target.error().message;
  EXPECT_NE(target->rule_of("Conv"), nullptr);
  EXPECT_EQ(target->rule_of("Add"), nullptr);
  document["operators"]["Add"] = {{"one_width", true}};
  EXPECT_EQ(error_of(document), "t.json: 'operators.Add' lacks the key 'activations', which there is no '*' to give");
}

TEST(ReadTarget, ErrorsNameFileAndKey) {
  struct Bad {
    const char* pointer;
    const char* value;
    const char* message;
  };
  const std::vector<Bad> bad{
      {"/description", "1", "'description' is not a line of text"},
      {"/known", "[]", "'known' is an empty list"},
      {"/assumed", "\"x\"", "'assumed' is not a list"},
      {"/known", "[\"x\", 2]", "'known[1]' is not a line of text"},
      {"/optoins", "{}", "'optoins' is no key of a target, did you mean 'options'?"},
      {"/options", "[]", "'options' is not an object"},
      {"/options/scale", "null", "'options.scale' is not a line of text, a number or a boolean"},
      {"/scales", "[\"afine\"]", "'scales[0]' is 'afine', not one of affine, power_of_two, did you mean 'affine'?"},
      {"/scales", "[\"affine\", \"affine\"]", "'scales[1]' is there twice"},
      {"/weight_schemas", "[8]",
       "'weight_schemas[0]' is not one of the texts asymmetric, symmetric, unsignedsymmetric"},
      {"/weights_per_channel", "true", "'weights_per_channel' is not one of the texts none, depthwise, all"},
      {"/activations_per_channel", "\"all\"", "'activations_per_channel' is 'all', not one of none, depthwise"},
      {"/arithmetics", "[\"q31\"]",
       "'arithmetics[0]' is 'q31', not one of float_half_even, q31_single, q31_double, "
       "shift_half_up, shift_half_even, shift_half_away"},
      {"/accumulator_bits", "8", "'accumulator_bits' is not a whole number of 16 to 64"},
      {"/accumulator_bits", "18446744073709551615", "'accumulator_bits' is not a whole number of 16 to 64"},
      {"/bias_code_bits", "20.5", "'bias_code_bits' is not a whole number of 8 to 32"},
      {"/shifts", "[]", "'shifts' is not an object"},
      {"/shifts/cut", "[16, 0]", "'shifts.cut' is no range of shifts within [-64, 64]"},
      {"/shifts/cut", "[0]", "'shifts.cut' is not a pair of whole numbers, as [0, 16]"},
      {"/shifts/cutt", "[0, 1]", "'shifts.cutt' is no key of a target, did you mean 'cut'?"},
      {"/saturating_pair_sums", "1", "'saturating_pair_sums' is neither true nor false"},
      {"/costs", "[]", "'costs' is an empty list"},
      {"/costs/0", "{\"activations\": \"int8\", \"weights\": \"int8\"}", "'costs[0]' lacks the key 'cost'"},
      {"/costs/0/cost", "0", "'costs[0].cost' is not above 0"},
      {"/costs/0/weights", "\"int9\"",
       "'costs[0].weights' is 'int9', not one of int4, int8, int16, int32, float16, float32, did you mean 'int4'?"},
      {"/host", "[\"int8\"]", "'host[0]' is 'int8', not one of float16, float32"},
      {"/fused", "[[\"Conv\"]]", "'fused' holds something else than pairs of operators, as [\"Conv\", \"Relu\"]"},
      {"/fused", "[[\"Conv\", \"Tanh\"]]", "'fused' has 'Tanh' as second of a pair, not Relu, Relu6 or Clip"},
      {"/operators", "{}", "'operators' is not an object with an operator or more"},
      {"/operators/Covn", "{}", "'operators.Covn' is no operator, did you mean 'Conv'?"},
      {"/operators/Conv", "[]", "'operators.Conv' is not an object"},
      {"/operators/Conv", "{\"width\": 1}", "'operators.Conv.width' is no key of a target"},
      {"/operators/Conv", "{\"weights\": []}", "'operators.Conv.weights' is an empty list"},
      {"/operators/Conv", "{\"weights\": [\"int7\"]}",
       "'operators.Conv.weights[0]' is 'int7', not one of int4, int8, int16, int32, float16, float32, did you mean "
       "'int4'?"},
      {"/operators/Softmax/fixed_outputs/0/scale", "0", "'operators.Softmax.fixed_outputs[0].scale' is not above 0"},
      {"/operators/Softmax/fixed_outputs/0/bits", "32",
       "'operators.Softmax.fixed_outputs[0].bits' is not a whole number of 2 to 16"},
      {"/operators/Softmax/fixed_outputs/0", "{\"bits\": 8}",
       "'operators.Softmax.fixed_outputs[0]' lacks the key 'signed'"},
  };
  for (const Bad& entry : bad) {
    nlohmann::json document = whole();
    document[nlohmann::json::json_pointer(entry.pointer)] = nlohmann::json::parse(entry.value);
    EXPECT_EQ(error_of(document), std::string("t.json: ") + entry.message) << entry.pointer << " " << entry.value;
  }
}

TEST(ReadTarget, AZeroPointBeyondItsGridIsNoGrid) {
  nlohmann::json document = whole();
  document["operators"]["Softmax"]["fixed_outputs"][0]["zero_point"] = 256;
  EXPECT_EQ(error_of(document).rfind("t.json: 'operators.Softmax.fixed_outputs[0]' is no grid: ", 0), 0u);
}

TEST(ReadTarget, WhatIsMissing) {
  for (const char* key : {"description", "known", "assumed", "options", "operators", "scales", "activation_schemas",
                          "weight_schemas", "arithmetics"}) {
    nlohmann::json document = whole();
    document.erase(key);
    EXPECT_EQ(error_of(document), std::string("t.json: there is no key '") + key + "'");
  }
  EXPECT_EQ(error_of(nlohmann::json::array()), "t.json: the document is not an object");
  EXPECT_FALSE(read_target("{", "t.json", kOperators).ok());
  EXPECT_FALSE(read_target(R"({"host": ["float32"], "host": ["float32"]})", "t.json", kOperators).ok());
}

}  // namespace
}  // namespace halfstep::io
