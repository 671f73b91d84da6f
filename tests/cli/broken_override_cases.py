"""broken_override_cases.py: overrides files for tests/data/digits/digits.onnx, each with one mistake.

A case is (name, content, exit code, words of the message, what --overrides_lenient makes of it: a warning or an error).
The entry at fault is on line 4 if it is an activation's, on line 7 if it is a parameter's.
"""

import json

from tool_test import BAD_FILE, UNSUPPORTED, USAGE

ADD = "/1/Add_output_0"
CLIP = "/0/0.2/Clip_output_0"  # Of the first Conv, with its BatchNormalization.
FOLDED = "/0/0.0/Conv_output_0"  # In front of that BatchNormalization.
CONV = "0.0.weight"  # [16, 1, 3, 3]
GEMM = "9.weight"  # [10, 96]

WARNING, ERROR = "warning", "error"

AT_ACTIVATION = "bad.json:4: activation_encodings "
AT_PARAMETER = "bad.json:7: param_encodings "
AT_ENTRY = "bad.json:4: encodings "

GRID_0 = {"bitwidth": 8, "is_symmetric": "False", "min": -1.0, "max": 1.0}
GRID_1 = {"name": ADD, "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": False, "scale": [0.02],
          "offset": [-128]}
CHANNELS_1 = {"name": GEMM, "bw": 8, "dtype": "INT", "enc_type": "PER_CHANNEL", "is_sym": True, "scale": [0.01] * 10,
              "offset": [-128] * 10}
BLOCKS_1 = {"name": GEMM, "bw": 4, "dtype": "INT", "enc_type": "PER_BLOCK", "is_sym": True, "block_size": 32,
            "scale": [0.01] * 30, "offset": [-8] * 30}
LPBQ_1 = {"name": GEMM, "bw": 8, "dtype": "INT", "enc_type": "LPBQ", "is_sym": True, "block_size": 32,
          "compressed_bw": 4, "scale": [0.001] * 10, "offset": [-128] * 10, "per_block_int_scale": [3] * 30}
GRID_2 = {"name": ADD, "output_dtype": "uint8", "y_scale": 0.02, "y_zero_point": 128}
BLOCKS_2 = {"name": GEMM, "output_dtype": "int4", "axis": 1, "block_size": 32, "y_scale": [[0.01] * 3] * 10}


def changed(entry, **fields):
    """An entry with fields replaced, added or (None) removed, as JSON."""
    return json.dumps({key: value for key, value in {**entry, **fields}.items() if value is not None})


def version_0(activation="", parameter="", version='"0.6.1"'):
    return (f'{{\n "version": {version},\n "activation_encodings": {{\n  {activation}\n }},\n'
            f' "param_encodings": {{\n  {parameter}\n }}\n}}\n')


def of_add(entry):
    """An overrides file of version 0.6.1 with this text as the entry of ADD."""
    return version_0(f'"{ADD}": {entry}')


def of_conv(entry):
    return version_0("", f'"{CONV}": {entry}')


def grid_0(**fields):
    return of_add(f"[{changed(GRID_0, **fields)}]")


def version_1(activation="", parameter=""):
    return (f'{{\n "version": "1.0.0",\n "activation_encodings": [\n  {activation}\n ],\n'
            f' "param_encodings": [\n  {parameter}\n ]\n}}\n')


def grid_1(**fields):
    return version_1(changed(GRID_1, **fields))


def parameter_1(entry, **fields):
    return version_1("", changed(entry, **fields))


def version_2(entry):
    return f'{{\n "version": "2.1.0",\n "encodings": [\n  {entry}\n ]\n}}\n'


def grid_2(**fields):
    return version_2(changed(GRID_2, **fields))


def blocks_2(**fields):
    return version_2(changed(BLOCKS_2, **fields))


TOO_DEEP = "bad.json: nested more than 64 levels deep on line "
DEEP = "[" * 100000 + "]" * 100000

DOCUMENTS = (
    ("no JSON", "bitwidth: 8\n", BAD_FILE, ["bad.json: not valid JSON", "line 1"], ERROR),
    ("truncated", version_0()[:60], BAD_FILE, ["bad.json: not valid JSON", "line 6"], ERROR),
    ("empty", "", BAD_FILE, ["bad.json: not valid JSON at byte 1, line 1: the file is empty"], ERROR),
    ("binary", bytes(range(256)), BAD_FILE, ["bad.json: not valid JSON"], ERROR),
    ("UTF-16", version_0().encode("utf-16"), BAD_FILE, ["bad.json: not valid JSON"], ERROR),
    ("two documents", version_0() + version_0(), BAD_FILE, ["bad.json: not valid JSON", "line 10"], ERROR),
    ("a list", "[]", BAD_FILE, ["bad.json: the document is not an object"], ERROR),
    ("a number", "7", BAD_FILE, ["bad.json: the document is not an object"], ERROR),
    ("null", "null", BAD_FILE, ["bad.json: the document is not an object"], ERROR),
    ("no section", '{"version": "0.6.1"}', BAD_FILE, ["bad.json: there is no 'activation_encodings'"], ERROR),
    ("one section", '{"version": "0.6.1", "activation_encodings": {}}', BAD_FILE,
     ["bad.json: there is no 'param_encodings'", "even if empty"], ERROR),
    ("sections of version 1 in 2", version_0(version='"2.0.0"'), BAD_FILE, ["bad.json: there is no 'encodings'"],
     ERROR),
    ("section is a text", '{"activation_encodings": "",\n"param_encodings": {}}', BAD_FILE,
     ["bad.json:1: activation_encodings is neither a list nor an object"], ERROR),
    ("section is null", '{"activation_encodings": {},\n"param_encodings": null}', BAD_FILE,
     ["bad.json:2: param_encodings is neither a list nor an object"], ERROR),
    ("version from the future", version_0(version='"3.0.0"'), BAD_FILE,
     ["bad.json:2: version '3.0.0' is not one of 0.4.0,"], WARNING),
    ("version is a number", version_0(version="0.6"), BAD_FILE, ["bad.json:2: version '0.6' is not one of"], WARNING),
    ("version is a list of lists", version_0(version="[" * 60 + "]" * 60), BAD_FILE,
     ["bad.json:2: version '[[["], WARNING),
    ("version nested too deeply", version_0(version=DEEP), BAD_FILE, [TOO_DEEP + "2"], ERROR),
    ("section misspelt", '{"activation_encodings": {},\n"param_encodings": {},\n"param_encoding": {}}', BAD_FILE,
     ["bad.json:3: unknown key 'param_encoding', did you mean 'param_encodings'?"], WARNING),
    ("section twice", '{"activation_encodings": {},\n"param_encodings": {},\n"param_encodings": {}}', BAD_FILE,
     ["bad.json: the name 'param_encodings' occurs twice in one object, again on line 3"], ERROR),
    ("nested deeply", DEEP, BAD_FILE, [TOO_DEEP + "1"], ERROR),
    ("nested deeply and open", DEEP[:100000], BAD_FILE, ["bad.json: not valid JSON"], ERROR),
)

ENTRIES = (
    ("name twice", version_0(f'"{ADD}": [{{"bitwidth": 8}}],\n"{ADD}": [{{"bitwidth": 16}}]'), BAD_FILE,
     [f"bad.json: the name '{ADD}' occurs twice in one object, again on line 5"], ERROR),
    ("name twice in a list", version_1(changed(GRID_1) + ",\n" + changed(GRID_1)), BAD_FILE,
     ["bad.json:5: activation_encodings", ADD, "already, on line 4"], ERROR),
    ("key twice", of_add('[{"bitwidth": 8,\n"bitwidth": 16}]'), BAD_FILE,
     ["bad.json: the name 'bitwidth' occurs twice", "line 5"],
     ERROR),
    ("both sections", version_0(f'"{CONV}": [{{"bitwidth": 8}}]', f'"{CONV}": [{{"bitwidth": 8}}]'), BAD_FILE,
     [AT_PARAMETER, CONV, "already, on line 4"], ERROR),
    ("entry is a number", of_add("8"), BAD_FILE, [AT_ACTIVATION, ADD, "neither an object nor a list"], WARNING),
    ("entry is null", of_add("null"), BAD_FILE, [AT_ACTIVATION, ADD, "neither an object nor a list"], WARNING),
    ("entry is a deep list", of_add(DEEP), BAD_FILE, [TOO_DEEP + "4"], ERROR),
    ("empty list", of_add("[]"), BAD_FILE, [AT_ACTIVATION, ADD, "the list is empty"], WARNING),
    ("list of numbers", of_add("[1, 2]"), BAD_FILE, [AT_ACTIVATION, ADD, "not an object"], WARNING),
    ("empty object", of_add("{}"), BAD_FILE, [AT_ACTIVATION, ADD, "none of the fields 'bw', 'bitwidth'"], WARNING),
    ("no name", grid_1(name=None), BAD_FILE, ["bad.json:4: entry 0 of activation_encodings has no name"], WARNING),
    ("name is a number", grid_1(name=5), BAD_FILE,
     ["bad.json:4: entry 0 of activation_encodings has a name that is not a string"], WARNING),
    ("entry of a list is a number", version_1("5"), BAD_FILE,
     ["bad.json:4: entry 0 of activation_encodings is not an object"], WARNING),
    ("empty name", version_0('"": [{"bitwidth": 8}]'), BAD_FILE, [AT_ACTIVATION + "''", "no tensor of that name"],
     WARNING),
    ("unknown name", version_0('"qqqqqqqqqqqqqqqq": [{"bitwidth": 8}]'), BAD_FILE,
     [AT_ACTIVATION + "'qqqqqqqqqqqqqqqq': the model has no tensor of that name"], WARNING),
    ("near name", version_0('"logit": [{"bitwidth": 8}]'), BAD_FILE,
     [AT_ACTIVATION + "'logit'", "did you mean 'logits'?"],
     WARNING),
    ("name of a node", version_0('"/1/Add": [{"bitwidth": 8}]'), BAD_FILE,
     [AT_ACTIVATION + "'/1/Add'", "no tensor of that name"], WARNING),
    ("name with control characters", version_0('"a\\nb\\u0000c": [{"bitwidth": 8}]'), BAD_FILE,
     [AT_ACTIVATION, "no tensor of that name"], WARNING),
    ("unknown key", grid_0(bitwith=8), BAD_FILE, [AT_ACTIVATION, "unknown key 'bitwith', did you mean 'bitwidth'?"],
     WARNING),
    ("unknown key in version 1", grid_1(ofset=0), BAD_FILE,
     [AT_ACTIVATION, "unknown key 'ofset', did you mean 'offset'?"],
     WARNING),
    ("unknown key in version 2", grid_2(y_scales=1), BAD_FILE,
     [AT_ENTRY, "unknown key 'y_scales', did you mean 'y_scale'?"],
     WARNING),
    ("activation among parameters", version_0("", f'"{ADD}": [{{"bitwidth": 8}}]'), BAD_FILE,
     [AT_PARAMETER, ADD, "belongs into activation_encodings"], WARNING),
    ("tensor that is folded has a grid", version_0(f'"{FOLDED}": [{changed(GRID_0)}]'), BAD_FILE,
     [AT_ACTIVATION, FOLDED, CLIP], WARNING),
    ("pattern that matches nothing", version_0('"/12/*": [{"bitwidth": 8}]'), BAD_FILE,
     [AT_ACTIVATION + "'/12/*'", "no activation matches the pattern"], WARNING),
    ("pattern is no boolean", of_add('[{"bitwidth": 8, "pattern": 1}]'), BAD_FILE,
     [AT_ACTIVATION, ADD, "'pattern' is neither true nor false"], WARNING),
    ("pattern with channels", version_1("", changed(CHANNELS_1, name="9.we*")), BAD_FILE,
     [AT_PARAMETER, "9.we*", "not channels"], WARNING),
)

GRIDS = (
    ("no bitwidth", grid_0(bitwidth=None), BAD_FILE, [AT_ACTIVATION, ADD, "'bitwidth' is missing"], WARNING),
    ("bitwidth is a text", grid_0(bitwidth="8"), BAD_FILE, [AT_ACTIVATION, ADD, "'bitwidth' is not a"], WARNING),
    ("bitwidth 0", grid_0(bitwidth=0), BAD_FILE, [AT_ACTIVATION, ADD, "0 bits is outside 2 to 32"], WARNING),
    ("bitwidth 1", grid_0(bitwidth=1), BAD_FILE, [AT_ACTIVATION, ADD, "1 bits is outside 2 to 32"], WARNING),
    ("bitwidth 33", grid_0(bitwidth=33), BAD_FILE, [AT_ACTIVATION, ADD, "33 bits is outside 2 to 32"], WARNING),
    ("bitwidth 3.5", grid_0(bitwidth=3.5), BAD_FILE, [AT_ACTIVATION, ADD, "'bitwidth' is not an integer"], WARNING),
    ("bitwidth negative", grid_0(bitwidth=-8), BAD_FILE, [AT_ACTIVATION, ADD, "-8 bits is outside 2 to 32"], WARNING),
    ("bitwidth huge", grid_0(bitwidth=10**30), BAD_FILE, [AT_ACTIVATION, ADD, "'bitwidth' is out of range"], WARNING),
    ("width 7 without grid", of_add('[{"bitwidth": 7}]'), BAD_FILE, [AT_ACTIVATION, ADD, "none of 4, 8, 16 and 32"],
     WARNING),
    ("min without max", grid_0(max=None), BAD_FILE, [AT_ACTIVATION, ADD, "'max' is missing"], WARNING),
    ("max without min", grid_0(min=None), BAD_FILE, [AT_ACTIVATION, ADD, "'min' is missing"], WARNING),
    ("min above max", grid_0(min=2.0), BAD_FILE, [AT_ACTIVATION, ADD, "min is greater than max"], WARNING),
    ("min is NaN", grid_0(min=float("nan")), BAD_FILE, ["bad.json: not valid JSON", "line 4"], ERROR),
    ("max is infinite", grid_0(max=float("inf")), BAD_FILE, ["bad.json: not valid JSON", "line 4"], ERROR),
    ("max is 1e400", of_add('[{"bitwidth": 8, "min": 0,\n"max": 1e400}]'), BAD_FILE,
     ["bad.json: not valid JSON: a number on line 5 is out of range"], ERROR),
    ("max is 1e39, no float32", grid_0(max=1e39), BAD_FILE, [AT_ACTIVATION, ADD], WARNING),
    ("32 bits asymmetric", of_conv(f"[{changed(GRID_0, bitwidth=32)}]"), BAD_FILE,
     [AT_PARAMETER, CONV, "32 bits need a symmetric range"], WARNING),
    ("is_symmetric is a number", grid_0(is_symmetric=2), BAD_FILE,
     [AT_ACTIVATION, ADD, "'is_symmetric' is neither true nor false"], WARNING),
    ("scale is a text in version 0", grid_0(scale="0.1"), BAD_FILE, [AT_ACTIVATION, ADD, "'scale' is not a"], WARNING),
    ("dtype unknown", grid_0(dtype="bfloat"), BAD_FILE, [AT_ACTIVATION, ADD, "'dtype' is neither int nor float"],
     WARNING),
    ("float of 8 bits", of_add('[{"bitwidth": 8, "dtype": "float"}]'), BAD_FILE,
     [AT_ACTIVATION, ADD, "real numbers of 8 bits"], WARNING),
    ("float without width", of_add('[{"dtype": "float"}]'), BAD_FILE, [AT_ACTIVATION, ADD, "'bitwidth' is missing"],
     WARNING),
    ("float with channels", of_add(json.dumps([{"bitwidth": 16, "dtype": "float"}] * 2)), BAD_FILE,
     [AT_ACTIVATION, ADD, "float entries have no channels"], WARNING),
    ("three channels of sixteen", of_conv(json.dumps([{**GRID_0, "is_symmetric": "True"}] * 3)), BAD_FILE,
     [AT_PARAMETER, CONV, "3", "16"], WARNING),
    ("channels of several widths", of_conv(json.dumps([{**GRID_0, "is_symmetric": "True"}] * 15
                                                      + [{**GRID_0, "is_symmetric": "True", "bitwidth": 4}])), BAD_FILE,
     [AT_PARAMETER, CONV, "channel 15 has another bitwidth"], WARNING),
    ("asymmetric channels of a weight", of_conv(json.dumps([{**GRID_0, "max": 3.0}] * 16)), BAD_FILE,
     [AT_PARAMETER, CONV, "must be symmetric"], WARNING),
    ("scale 0", grid_1(scale=[0.0]), BAD_FILE, [AT_ACTIVATION, ADD, "scale"], WARNING),
    ("scale negative", grid_1(scale=[-0.1]), BAD_FILE, [AT_ACTIVATION, ADD, "scale"], WARNING),
    ("scale of nothing", grid_1(scale=[1e-320]), BAD_FILE, [AT_ACTIVATION, ADD, "scale"], WARNING),
    ("scale is a text", grid_1(scale=["big"]), BAD_FILE, [AT_ACTIVATION, ADD, "'scale' is not a"], WARNING),
    ("scale is an empty list", grid_1(scale=[]), BAD_FILE, [AT_ACTIVATION, ADD, "'scale' is an empty list"], WARNING),
    ("scale without offset", grid_1(offset=None), BAD_FILE, [AT_ACTIVATION, ADD, "'offset' is missing"], WARNING),
    ("offset without scale", grid_1(scale=None), BAD_FILE, [AT_ACTIVATION, ADD, "'scale' is missing"], WARNING),
    ("offset positive", grid_1(offset=[3]), BAD_FILE, [AT_ACTIVATION, ADD, "offset 3 is positive"], WARNING),
    ("offset is a fraction", grid_1(offset=[-1.5]), BAD_FILE, [AT_ACTIVATION, ADD, "'offset' is not an integer"],
     WARNING),
    ("offset out of range", grid_1(offset=[-256]), BAD_FILE, [AT_ACTIVATION, ADD, "offset -256 is outside 8 bits"],
     WARNING),
    ("offset of a symmetric grid", grid_1(offset=[-5], is_sym=True), BAD_FILE,
     [AT_ACTIVATION, ADD, "offset -5"], WARNING),
    ("lists of unequal length", parameter_1(CHANNELS_1, offset=[-128] * 9), BAD_FILE,
     [AT_PARAMETER, GEMM, "10 scales but 9 offsets"], WARNING),
    ("nine channels of ten", parameter_1(CHANNELS_1, scale=[0.01] * 9, offset=[-128] * 9), BAD_FILE,
     [AT_PARAMETER, GEMM, "9", "10"], WARNING),
    ("two channels of sixteen", grid_1(scale=[0.1, 0.2], offset=[0, 0]), BAD_FILE,
     [AT_ACTIVATION, ADD, "the encoding has 2 channels, axis 1 of [1, 16, 16, 16] has 16"], WARNING),
    ("no is_sym", grid_1(is_sym=None), BAD_FILE, [AT_ACTIVATION, ADD, "'is_sym' is missing"], WARNING),
    ("enc_type unknown", grid_1(enc_type="PER_ROW"), BAD_FILE,
     [AT_ACTIVATION, ADD, "enc_type 'PER_ROW' is not one"], WARNING),
    ("enc_type is a list", grid_1(enc_type=["PER_TENSOR"]), BAD_FILE,
     [AT_ACTIVATION, ADD, "'enc_type' is not a string"],
     WARNING),
    ("zero_point_shift", grid_1(zero_point_shift=[0.5]), UNSUPPORTED,
     [AT_ACTIVATION, ADD, "zero_point_shift"], WARNING),
    ("output_dtype missing", grid_2(output_dtype=None), BAD_FILE,
     [AT_ENTRY, ADD, "'output_dtype' is missing"], WARNING),
    ("output_dtype unknown", grid_2(output_dtype="uint7"), BAD_FILE,
     [AT_ENTRY, ADD, "output_dtype 'uint7' is not one"], WARNING),
    ("output_dtype float8", grid_2(output_dtype="float8e4m3fn"), UNSUPPORTED,
     [AT_ENTRY, ADD, "'float8e4m3fn'"], WARNING),
    ("output_dtype is a list", grid_2(output_dtype=["uint8"]), BAD_FILE, [AT_ENTRY, ADD, "'output_dtype' is not a"],
     WARNING),
    ("y_scale is an object", grid_2(y_scale={}), BAD_FILE, [AT_ENTRY, ADD], WARNING),
    ("zero point off the grid", grid_2(y_zero_point=256), BAD_FILE, [AT_ENTRY, ADD, "zero point 256 is outside uint8"],
     WARNING),
    ("axis out of range", version_2(changed(GRID_2, name=GEMM, output_dtype="int8", axis=2, y_scale=[0.1] * 10,
                                            y_zero_point=None)), BAD_FILE,
     [AT_ENTRY, GEMM, "axis is 2", "[10, 96]"], WARNING),
    ("axis is a text", version_2(changed(GRID_2, name=GEMM, output_dtype="int8", axis="0", y_scale=[0.1] * 10,
                                         y_zero_point=None)), BAD_FILE, [AT_ENTRY, GEMM, "'axis' is not"], WARNING),
)

BLOCKS = (
    ("scales of blocks in a wrong shape", blocks_2(y_scale=[[0.01] * 4] * 10), BAD_FILE,
     [AT_ENTRY, GEMM, "'y_scale'", "[10, 4]", "[10, 3]"], WARNING),
    ("ragged scales of blocks", blocks_2(y_scale=[[0.01] * 3] * 9 + [[0.01] * 2]), BAD_FILE,
     [AT_ENTRY, GEMM, "lists of unequal length"], WARNING),
    ("scales nested deeply", blocks_2(y_scale=json.loads("[" * 50 + "0.1" + "]" * 50)), BAD_FILE,
     [AT_ENTRY, GEMM, "'y_scale' is nested too deeply"], WARNING),
    ("scale of a block negative", blocks_2(y_scale=[[0.01, -0.01, 0.01]] * 10), BAD_FILE, [AT_ENTRY, GEMM, "scale"],
     WARNING),
    ("blocks of an activation", blocks_2(name=ADD), BAD_FILE, [AT_ENTRY, ADD, "only constants"], WARNING),
    ("blocks along axis 5", blocks_2(axis=5), BAD_FILE, [AT_ENTRY, GEMM, "axis 5 is not an axis"], WARNING),
    ("block_size 0", parameter_1(BLOCKS_1, block_size=0), BAD_FILE,
     [AT_PARAMETER, GEMM, "'block_size' is not positive"],
     WARNING),
    ("block_size negative", parameter_1(BLOCKS_1, block_size=-32), BAD_FILE,
     [AT_PARAMETER, GEMM, "'block_size' is not positive"], WARNING),
    ("block_size missing", parameter_1(BLOCKS_1, block_size=None), BAD_FILE,
     [AT_PARAMETER, GEMM, "'block_size' is missing"], WARNING),
    ("block_size that leaves another number", parameter_1(BLOCKS_1, block_size=48), BAD_FILE,
     [AT_PARAMETER, GEMM, "'scale' holds 30 numbers, the tensor needs 20"], WARNING),
    ("block_size huge", parameter_1(BLOCKS_1, block_size=2**62), BAD_FILE,
     [AT_PARAMETER, GEMM, "'block_size' is out of range"], WARNING),
    ("integer scales missing", parameter_1(LPBQ_1, per_block_int_scale=None), BAD_FILE,
     [AT_PARAMETER, GEMM, "'per_block_int_scale' is missing"], WARNING),
    ("integer scale 0", parameter_1(LPBQ_1, per_block_int_scale=[0] * 30), BAD_FILE,
     [AT_PARAMETER, GEMM, "'per_block_int_scale' holds 0, which is outside 1 to 16"], WARNING),
    ("integer scale 17", parameter_1(LPBQ_1, per_block_int_scale=[17] * 30), BAD_FILE,
     [AT_PARAMETER, GEMM, "'per_block_int_scale' holds 17, which is outside 1 to 16"], WARNING),
    ("compressed_bw not below bw", parameter_1(LPBQ_1, compressed_bw=8), BAD_FILE,
     [AT_PARAMETER, GEMM, "'compressed_bw' is not below 'bw'"], WARNING),
)

INT_32 = '[{"bitwidth": 32, "dtype": "int"}]'
PLANS = (
    ("INT32 of a Conv", version_0(f'"{CLIP}": {INT_32}'), USAGE, ["bad.json:4", CLIP], ERROR),
    ("INT32 on one side of an Add", of_add(INT_32), USAGE, ["bad.json:4", ADD], ERROR),
)

CASES = DOCUMENTS + ENTRIES + GRIDS + BLOCKS + PLANS
