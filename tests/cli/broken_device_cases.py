"""broken_device_cases.py: target files and AIMET configurations, each with one mistake.

A case is (name, content, exit code, words of the message). Targets are told by key, configurations by line.
"""

import json

from tool_test import BAD_FILE, USAGE

RULE = {"activations": ["int8"], "weights": ["int8"], "biases": ["int32"]}
TARGET = {
    "description": "an accelerator",
    "known": ["It computes on 8 bits."],
    "assumed": ["It has all operators."],
    "options": {"act_bitwidth": 8, "act_per_channel": "none", "arithmetic": "q31_single"},
    "scales": ["affine"],
    "activation_schemas": ["asymmetric"],
    "weight_schemas": ["symmetric"],
    "weights_per_channel": "all",
    "arithmetics": ["q31_single"],
    "operators": {"*": RULE},
}
FIXED = {"bits": 8, "signed": False, "scale": 0.00390625, "zero_point": 0}
DEEP = "[" * 100000 + "]" * 100000


def target(**fields):
    """The target with fields replaced, added or (None) removed, as JSON."""
    return json.dumps({key: value for key, value in {**TARGET, **fields}.items() if value is not None}, indent=1)


def add_rule(**fields):
    return target(operators={"*": RULE, "Add": fields})


def fixed(**fields):
    return add_rule(fixed_outputs=[{key: value for key, value in {**FIXED, **fields}.items() if value is not None}])


TARGETS = (
    ("no JSON", "activations: int8\n", BAD_FILE, ["not valid JSON", "line 1"]),
    ("empty", "", BAD_FILE, ["not valid JSON", "empty"]),
    ("truncated", target()[:40], BAD_FILE, ["not valid JSON", "line 3"]),
    ("binary", bytes(range(256)), BAD_FILE, ["not valid JSON"]),
    ("a list", "[]", BAD_FILE, ["the document is not an object"]),
    ("nested deeply", DEEP, BAD_FILE, ["nested more than 64 levels deep on line 1"]),
    ("key twice", '{"known": [],\n"known": []}', BAD_FILE, ["'known' occurs twice", "line 2"]),
    ("nothing in it", "{}", BAD_FILE, ["there is no key 'description'"]),
    ("no arithmetics", target(arithmetics=None), BAD_FILE, ["there is no key 'arithmetics'"]),
    ("no operators", target(operators=None), BAD_FILE, ["there is no key 'operators'"]),
    ("unknown key", target(operator={}), BAD_FILE, ["'operator' is no key of a target, did you mean 'operators'?"]),
    ("description of two lines", target(description="a\nb"), BAD_FILE, ["'description' is not a line of text"]),
    ("known is empty", target(known=[]), BAD_FILE, ["'known' is an empty list"]),
    ("known is a text", target(known="all"), BAD_FILE, ["'known' is not a list"]),
    ("assumed holds a number", target(assumed=["x", 3]), BAD_FILE, ["'assumed[1]' is not a line of text"]),
    ("options is a list", target(options=[]), BAD_FILE, ["'options' is not an object"]),
    ("option is a list", target(options={"act_bitwidth": [8]}), BAD_FILE, ["'options.act_bitwidth' is not a line"]),
    ("option that quantize lacks", target(options={"act_bitwith": 8}), BAD_FILE,
     ["options", "'act_bitwith'", "did you mean 'act_bitwidth'?"]),
    ("option of a wrong value", target(options={"act_bitwidth": "many"}), BAD_FILE,
     ["options", "act_bitwidth", "many"]),
    ("option that the target refuses", target(options={"act_bitwidth": 16}), BAD_FILE, ["act_bitwidth 16"]),
    ("scale unknown", target(scales=["affin"]), BAD_FILE, ["'scales[0]' is 'affin', not one of affine, power_of_two",
                                                         "did you mean 'affine'?"]),
    ("scales is a text", target(scales="affine"), BAD_FILE, ["'scales' is not a list"]),
    ("scale twice", target(scales=["affine", "affine"]), BAD_FILE, ["'scales[1]' is there twice"]),
    ("schema is a number", target(weight_schemas=[1]), BAD_FILE, ["'weight_schemas[0]' is not one of the texts"]),
    ("weights_per_channel is a boolean", target(weights_per_channel=True), BAD_FILE,
     ["'weights_per_channel' is not one of the texts none, depthwise, all"]),
    ("arithmetic unknown", target(arithmetics=["q31"]), BAD_FILE, ["'arithmetics[0]' is 'q31', not one of"]),
    ("accumulator of 8 bits", target(accumulator_bits=8), BAD_FILE,
     ["'accumulator_bits' is not a whole number of 16 to 64"]),
    ("accumulator of 2^64 bits", target(accumulator_bits=2**64 - 1), BAD_FILE,
     ["'accumulator_bits' is not a whole number of 16 to 64"]),
    ("shift from high to low", target(shifts={"cut": [16, 0]}), BAD_FILE, ["'shifts.cut' is no range of shifts"]),
    ("shift of three numbers", target(shifts={"cut": [0, 1, 2]}), BAD_FILE, ["'shifts.cut' is not a pair"]),
    ("shift beyond all integers", target(shifts={"read": [0, 2**64 - 1]}), BAD_FILE, ["'shifts.read' is no range"]),
    ("shift unknown", target(shifts={"reed": [0, 1]}), BAD_FILE, ["'shifts.reed' is no key", "did you mean 'read'?"]),
    ("saturating_pair_sums is a text", target(saturating_pair_sums="yes"), BAD_FILE,
     ["'saturating_pair_sums' is neither true nor false"]),
    ("host computes on integers", target(host=["int8"]), BAD_FILE,
     ["'host[0]' is 'int8', not one of float16, float32"]),
    ("fused triple", target(fused=[["Conv", "Add", "Relu"]]), BAD_FILE, ["'fused' holds something else than pairs"]),
    ("fused with Tanh", target(fused=[["Conv", "Tanh"]]), BAD_FILE, ["'fused' has 'Tanh' as second of a pair"]),
    ("operators is empty", target(operators={}), BAD_FILE, ["'operators' is not an object with an operator or more"]),
    ("operator unknown", target(operators={"*": RULE, "Cnov": RULE}), BAD_FILE,
     ["'operators.Cnov' is no operator, did you mean 'Conv'?"]),
    ("rule is a list", target(operators={"*": ["int8"]}), BAD_FILE, ["'operators.*' is not an object"]),
    ("rule without activations", target(operators={"Conv": {"weights": ["int8"]}}), BAD_FILE,
     ["'operators.Conv' lacks the key 'activations'"]),
    ("integers of 7 bits", add_rule(activations=["int7"]), BAD_FILE,
     ["'operators.Add.activations[0]' is 'int7', not one of int4, int8"]),
    ("rule with an unknown key", add_rule(onewidth=True), BAD_FILE,
     ["'operators.Add.onewidth' is no key", "did you mean 'one_width'?"]),
    ("fixed output without scale", fixed(scale=None), BAD_FILE,
     ["'operators.Add.fixed_outputs[0]' lacks the key 'scale'"]),
    ("fixed output of scale 0", fixed(scale=0), BAD_FILE, ["'operators.Add.fixed_outputs[0].scale' is not above 0"]),
    ("fixed output of 1 bit", fixed(bits=1), BAD_FILE, ["'operators.Add.fixed_outputs[0].bits' is not a whole number"]),
    ("fixed output off its grid", fixed(zero_point=300), BAD_FILE, ["'operators.Add.fixed_outputs[0]' is no grid"]),
    ("scale beyond float64", target(operators="S").replace('"S"', '{"*": {"fixed_outputs":\n [1e400]}}'), BAD_FILE,
     ["not valid JSON", "line", "out of range"]),
)

CONFIG = {
    "defaults": {"ops": {"is_output_quantized": "True"}, "params": {"is_quantized": "True", "is_symmetric": "True"},
                 "per_channel_quantization": "True"},
    "params": {"bias": {"is_quantized": "False"}},
    "op_type": {},
    "supergroups": [{"op_list": ["Conv", "Relu"]}],
    "model_input": {"is_input_quantized": "True"},
    "model_output": {},
}
INT_8 = {"bitwidth": 8, "dtype": "int"}


def config(**sections):
    """The configuration with sections replaced, a line each, as JSON."""
    rows = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**CONFIG, **sections}.items()]
    return "{" + ",\n".join(rows) + "}\n"


def defaults(**fields):
    return config(defaults={**CONFIG["defaults"], **fields})


def conv(**fields):
    return config(op_type={"Conv": fields})


def kernels(*rows):
    return conv(supported_kernels=list(rows))


# Those that tests/cli/aimet_config_test.py does not have.
CONFIGS = (
    ("truncated", config()[:60], BAD_FILE, ["not valid JSON", "line 1"]),
    ("binary", bytes(range(256)), BAD_FILE, ["not valid JSON"]),
    ("null", "null", BAD_FILE, ["the document is not an object"]),
    ("nested deeply", config(op_type=0).replace(": 0", ": " + DEEP), BAD_FILE,
     ["nested more than 64 levels deep on line 3"]),
    ("number beyond float64", config(op_type={"Conv": 0}).replace("0}", "1e400}"), BAD_FILE,
     ["line 3", "out of range"]),
    ("operator twice", config().replace('"op_type": {}', '"op_type": {"Conv": {},\n"Conv": {}}'), BAD_FILE,
     ["'Conv' occurs twice", "line 4"]),
    ("ops is a list", defaults(ops=[]), BAD_FILE, [":1: defaults: ops is not an object"]),
    ("ops has an unknown key", defaults(ops={"is_output_quantised": "True"}), BAD_FILE,
     [":1: defaults: ops: unknown key 'is_output_quantised', did you mean 'is_output_quantized'?"]),
    ("flag is null", defaults(ops={"is_symmetric": None}), BAD_FILE, [":1: defaults: ops", "neither true nor false"]),
    ("no default params", config(defaults={"ops": {}}), BAD_FILE, [":1: defaults: field 'params' is missing"]),
    ("per_channel_quantization is a list", defaults(per_channel_quantization=[True]), BAD_FILE,
     [":1: defaults: field 'per_channel_quantization' is neither true nor false"]),
    ("params is a list", config(params=[]), BAD_FILE, [":2: params is not an object"]),
    ("a parameter is a text", config(params={"weight": "True"}), BAD_FILE, [":2: params 'weight' is not an object"]),
    ("a parameter has a number", config(params={"weight": {"is_symmetric": 3}}), BAD_FILE,
     [":2: params 'weight'", "'is_symmetric' is neither true nor false"]),
    ("op_type is a list", config(op_type=["Conv"]), BAD_FILE, [":3: op_type is not an object"]),
    ("op_type with an unknown key", conv(is_output_quantized="True", bitwidth=8), BAD_FILE,
     [":3: op_type 'Conv': unknown key 'bitwidth'"]),
    ("params of an operator are a list", conv(params=["weight"]), BAD_FILE, [":3: op_type 'Conv': params is not an"]),
    ("kernels are an object", conv(supported_kernels={"activation": INT_8}), BAD_FILE,
     [":3: op_type 'Conv': supported_kernels is not a list"]),
    ("a kernel is a text", kernels("int8"), BAD_FILE,
     [":3: op_type 'Conv': supported_kernels, entry 0 is not an object"]),
    ("a kernel has an unknown key", kernels({"activation": INT_8, "weight": INT_8}), BAD_FILE,
     ["supported_kernels, entry 0: unknown key 'weight'"]),
    ("the second kernel has no activation", kernels({"activation": INT_8}, {"param": INT_8}), BAD_FILE,
     ["supported_kernels, entry 1: field 'activation' is missing"]),
    ("a kernel without dtype", kernels({"activation": {"bitwidth": 8}}), BAD_FILE,
     ["supported_kernels, entry 0: activation: field 'dtype' is missing"]),
    ("a kernel of a fraction of bits", kernels({"activation": {"bitwidth": 7.5, "dtype": "int"}}), BAD_FILE,
     ["supported_kernels, entry 0: activation: field 'bitwidth' is not an integer"]),
    ("a kernel of real numbers of 8 bits", kernels({"activation": {"bitwidth": 8, "dtype": "float"}}), BAD_FILE,
     ["activation: real numbers of 8 bits are none of 16 and 32"]),
    ("constraints are a list", conv(encoding_constraints=[0, 1]), BAD_FILE,
     [":3: op_type 'Conv': encoding_constraints is not an object"]),
    ("constraints without min", conv(encoding_constraints={"max": 1}), BAD_FILE,
     [":3: op_type 'Conv': encoding_constraints: field 'min' is missing"]),
    ("constraints are texts", conv(encoding_constraints={"min": "0", "max": "1"}), BAD_FILE,
     ["encoding_constraints: field 'min' is not a finite number"]),
    ("a range that float32 has not", config(op_type={"Gemm": {"encoding_constraints": {"min": 0, "max": 1e300}}}),
     BAD_FILE, [":3: op_type 'Gemm'"]),
    ("a supergroup is a list", config(supergroups=[["Conv", "Relu"]]), BAD_FILE,
     [":4: supergroups, entry 0 is not an"]),
    ("a supergroup of numbers", config(supergroups=[{"op_list": [1, 2]}]), BAD_FILE,
     [":4: supergroups, entry 0: op_list holds something that is no operator's name"]),
    ("model_input is a list", config(model_input=[]), BAD_FILE, [":5: model_input is not an object"]),
    ("passes are an object", config(supergroup_pass_list={}), BAD_FILE, [":7: supergroup_pass_list is not a list"]),
    ("no kernel of integers", defaults(supported_kernels=[
        {"activation": {"bitwidth": 16, "dtype": "float"}, "param": {"bitwidth": 16, "dtype": "float"}}]), USAGE,
     [":1: defaults: supported_kernels", "none of integers"]),
)
