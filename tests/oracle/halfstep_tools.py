"""halfstep_tools.py: runs quantize, quantize-eval, quantize-run and quantize-inspect, and reads what they write."""
import json
import pathlib
import subprocess
from dataclasses import dataclass

import numpy as np
import onnx

TIMEOUT_SECONDS = 600
# The element types the tools write; float16 and double models become float32.
NUMPY_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_}


class ToolError(Exception):
    """A tool ended with another exit status than 0; the message is its last line."""


@dataclass(frozen=True)
class Quantized:
    """The three files of one run of quantize."""

    model: pathlib.Path
    encodings: pathlib.Path
    report: pathlib.Path

    def read_encodings(self):
        return json.loads(self.encodings.read_text())

    def read_report(self):
        return json.loads(self.report.read_text())


def read_result(folder, sample, tensor, dtype=np.float32):
    """What quantize-run wrote for one tensor of one sample, flat."""
    return np.fromfile(folder / f"Result_{sample}" / (tensor.replace("/", "_") + ".raw"), dtype)


def read_codes(folder, sample, tensor, dtype):
    """The codes quantize-run --mode fixed wrote for one tensor of one sample, flat."""
    return np.fromfile(folder / f"Result_{sample}" / (tensor.replace("/", "_") + ".codes.raw"), dtype)


def records_shift_rule(model):
    """Whether the model's metadata name a rule for power-of-two scales: its simulated runs follow its ties."""
    metadata = {entry.key: entry.value for entry in onnx.load(model, load_external_data=False).metadata_props}
    return metadata.get("halfstep.arithmetic", "").startswith("shift_")


class Tools:
    """The tools in one folder, run over a case's samples with its --input_dim options."""

    def __init__(self, folder, num_threads):
        self.folder = pathlib.Path(folder)
        self.num_threads = num_threads

    def call(self, tool, options, models):
        """stdout of a tool that runs samples. A --threads in `options` wins. Raises ToolError."""
        threads = [] if "--threads" in options else ["--threads", self.num_threads]
        return self._stdout(tool, [*options, *threads, "--quiet", *models])

    def program(self, model, *options):
        """The fixed-point Program of `model` in print."""
        return self._stdout("quantize-inspect", ["--program", "fixed", *options, model])

    def _stdout(self, tool, arguments):
        command = [str(part) for part in (self.folder / tool, *arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired as late:
            raise ToolError(f"{tool} ran longer than {TIMEOUT_SECONDS} s") from late
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise ToolError(f"exit status {done.returncode} of {' '.join(command)}: {lines[-1] if lines else ''}")
        return done.stdout

    def quantize(self, case, folder, *options, model=None):
        """Runs quantize into `folder`, on `model` instead of the case's own if given."""
        folder.mkdir(parents=True, exist_ok=True)
        written = Quantized(*(folder / f"{case.name}.{kind}" for kind in
                              ("quantized.onnx", "encodings.json", "report.json")))
        self.call("quantize", ["--input_list", case.calibration, "--output_path", written.model, *case.dims_options(),
                               *options], [model or case.model])
        return written

    def quantize_dynamically(self, model, written, *options):
        """quantize --dynamic, which runs no samples."""
        self._stdout("quantize", ["--dynamic", "--quiet", "--output_path", written, *options, model])

    def evaluate(self, case, report, *options, quantized=None):
        """quantize-eval of the case's model against `quantized` or the --encodings in `options`; the report."""
        self.call("quantize-eval", ["--input_list", case.evaluation, "--report", report, *case.dims_options(),
                                    *options], [case.model, quantized] if quantized else [case.model])
        return json.loads(report.read_text())

    def run(self, case, model, mode, folder, *options):
        """quantize-run over the evaluation samples. Simulated runs round halves to even, as ONNX Runtime does."""
        even = ["--arithmetic", "shift_half_even"] if mode == "simulated" and records_shift_rule(model) else []
        self.call("quantize-run", ["--input_list", case.evaluation, "--output_dir", folder, "--mode", mode,
                                   *case.dims_options(), *even, *options], [model])

    def outputs(self, case, model, mode, folder):
        """Outputs of `model` for each evaluation sample: a list of {name: flat array}."""
        self.run(case, model, mode, folder)
        return [{name: read_result(folder, i, name, NUMPY_TYPES[dtype]) for name, dtype in case.output_types().items()}
                for i in range(len(case.evaluation_files()))]
