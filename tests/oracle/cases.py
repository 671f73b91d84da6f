"""cases.py: which models are tried, on which samples, and what is asked of them."""
import functools
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIGITS = ROOT / "tests" / "data" / "digits"


@dataclass(frozen=True)
class Case:
    """A float model with lists of samples. One input, float32."""

    name: str
    model: pathlib.Path
    calibration: pathlib.Path
    evaluation: pathlib.Path
    input_dims: tuple = ()  # The input's shape, for models with several dynamic dimensions.

    @functools.cached_property
    def proto(self):
        return onnx.load(self.model)

    @functools.cached_property
    def input(self):
        constants = {tensor.name for tensor in self.proto.graph.initializer}
        return next(value for value in self.proto.graph.input if value.name not in constants)

    def dims_options(self):
        return ["--input_dim", self.input.name, ",".join(map(str, self.input_dims))] if self.input_dims else []

    def input_shape(self):
        """The shape of one sample; a lone symbolic batch is 1."""
        return self.input_dims or tuple(dim.dim_value or 1 for dim in self.input.type.tensor_type.shape.dim)

    def output_types(self):
        return {value.name: value.type.tensor_type.elem_type for value in self.proto.graph.output}

    def evaluation_files(self):
        return self.evaluation.read_text().split()

    def feeds(self):
        """One {input name: array} for each evaluation sample."""
        return [{self.input.name: np.fromfile(file, "<f4").reshape(self.input_shape())}
                for file in self.evaluation_files()]


def write_list(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{file}\n" for file in files))
    return path


def digits_cases(work):
    """The bundled models on some of the bundled samples."""
    def first(list_name, count):
        files = [DIGITS / line for line in (DIGITS / list_name).read_text().split()[:count]]
        return write_list(work / "digits" / list_name, files)

    calibration, evaluation = first("calib.txt", 32), first("eval.txt", 24)
    return [Case(name, DIGITS / f"{name}.onnx", calibration, evaluation)
            for name in ("digits", "digits_vit_opset13", "digits_vit_opset17")]


# Shapes of models with several dynamic dimensions.
SHARED_INPUT_DIMS = {"ppocr_mobile_v2_cls": (1, 3, 48, 192), "ppocrv2_det": (1, 3, 640, 640)}
SHARED_CALIBRATION_COUNT = 4
SHARED_EVALUATION_COUNT = 2


def shared_cases(shared, work):
    """The models of ../shared on its photos; prepared once, then kept under `work`."""
    def inputs(name, split, count):
        folder = work / "inputs" / f"{name}_{split}"
        if not (folder / "input_list.txt").exists():
            subprocess.run([sys.executable, shared / "tools" / "prepare_inputs.py", name, folder, "--split", split,
                            "--count", str(count)], check=True, stdout=subprocess.DEVNULL)
        return folder / "input_list.txt"

    return [Case(model.stem, model, inputs(model.stem, "calib", SHARED_CALIBRATION_COUNT),
                 inputs(model.stem, "eval", SHARED_EVALUATION_COUNT), SHARED_INPUT_DIMS.get(model.stem, ()))
            for model in sorted((shared / "data" / "models").glob("*.onnx"))]
