"""imported_qdq.py: models that ONNX Runtime's own quantizer wrote."""
import collections
import dataclasses
import logging
from dataclasses import dataclass

import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization import QuantFormat, QuantType

import agreement
import fixed_layers
import layers
from qdq_file import QdqFile


@dataclass(frozen=True)
class Variant:
    """Options of quantize_static."""

    name: str
    per_channel: bool
    activation: QuantType
    weight: QuantType = QuantType.QInt8
    opset: int = 13  # Below 21, 16-bit pairs are in the domain com.microsoft.
    extra: tuple = ()


VARIANTS = (
    Variant("u8s8_per_channel", True, QuantType.QUInt8),
    Variant("u8s8_per_tensor", False, QuantType.QUInt8),
    Variant("s8s8_per_channel", True, QuantType.QInt8),
    Variant("s8s8_symmetric", False, QuantType.QInt8, extra=(("ActivationSymmetric", True),)),
    Variant("u8u8_per_tensor", False, QuantType.QUInt8, QuantType.QUInt8),
    Variant("u16s8_per_channel", True, QuantType.QUInt16),
    Variant("u16s8_opset21", True, QuantType.QUInt16, opset=21),
    Variant("s16s8_opset21", False, QuantType.QInt16, opset=21),
)


# Its advice to fold first, which we did.
logging.getLogger().setLevel(logging.ERROR)


class SampleReader(quantization.CalibrationDataReader):
    """quantize_static's view of a list of samples."""

    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def folded(case, opset, folder):
    """The model with BatchNormalization folded by ONNX Runtime, as quantize_static wants it."""
    converted = folder / f"opset{opset}.onnx"
    model = onnx.load(case.model)
    if opset != 13:
        model = onnx.version_converter.convert_version(model, opset)
    onnx.save(model, converted)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / f"folded{opset}.onnx")
    onnxruntime.InferenceSession(str(converted), options, providers=["CPUExecutionProvider"])
    return folder / f"folded{opset}.onnx"


def quantize_static(case, variant, folder):
    """The file ONNX Runtime's quantizer writes."""
    path = folder / f"{variant.name}.onnx"
    quantization.quantize_static(str(folded(case, variant.opset, folder)), str(path), SampleReader(case.feeds()),
                                 quant_format=QuantFormat.QDQ, per_channel=variant.per_channel,
                                 activation_type=variant.activation, weight_type=variant.weight,
                                 extra_options=dict(variant.extra))
    return path


def stored_codes(model):
    """How often each (type, shape, bytes) of integers behind DequantizeLinear occurs."""
    codes = collections.Counter()
    for node in model.nodes("DequantizeLinear"):
        if node.input[0] in model.constants:
            array = model.array(node.input[0])
            codes[str(array.dtype), array.shape, array.tobytes()] += 1
    return codes


def check_variant(checks, tools, case, variant, folder):
    """Import, simulated run and second quantization of one file of ONNX Runtime's."""
    model = quantize_static(case, variant, folder)
    report = tools.evaluate(case, folder / f"{variant.name}.eval.json", quantized=model)
    checks.expect(report["outputs"][0]["sqnr_db"] > 10, f"quantize-eval finds {report['outputs'][0]['sqnr_db']} dB")
    ours = tools.outputs(case, model, "simulated", folder / variant.name)
    steps, _ = QdqFile(model).output_steps(ours)
    theirs = agreement.run_onnxruntime(model, case.feeds(), optimized=False)
    shares = agreement.step_shares(ours, theirs, steps)
    checks.note(f"{variant.name:18} {shares}")
    act16 = "16" in variant.activation.name
    # A step of 16 bits is so small that the order of sums alone moves outputs by several.
    checks.expect(shares.percent_within_2 >= (97.0 if act16 else 99.9), f"{variant.name}: {shares} at {shares.place}")

    layers.check_layers(checks, tools, case, model, folder, f"{variant.name} layers", act16)
    if not act16:
        fixed_layers.check_fixed_layers(checks, tools, case, model, folder / variant.name, f"{variant.name} fixed")

    named = dataclasses.replace(case, name=f"{case.name}_{variant.name}")
    options = ("--act_bitwidth", "16") if act16 else ()
    again = QdqFile(tools.quantize(named, folder, *options, model=model).model)
    lost = stored_codes(QdqFile(model)) - stored_codes(again)
    checks.expect(not lost, f"{variant.name}: quantize changed integers of "
                  f"{[(dtype, shape) for dtype, shape, _ in lost][:4]} ({lost.total()} tensors)")
    outputs = agreement.run_onnxruntime(again.path, case.feeds(), optimized=False)
    second = agreement.step_shares(outputs, theirs, steps)
    checks.expect(second.percent_within_2 >= 99, f"{variant.name}: after quantize {second} at {second.place}")


def check_fixed(checks, tools, case, variant, folder):
    """The fixed-point run of one file of ONNX Runtime's."""
    folder.mkdir(parents=True, exist_ok=True)
    model = quantize_static(case, variant, folder)
    fixed_layers.check_fixed_layers(checks, tools, case, model, folder / variant.name, f"{variant.name} fixed")
