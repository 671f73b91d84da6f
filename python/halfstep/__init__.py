"""__init__.py: runs Halfstep's tools and returns their JSON reports.

    import halfstep

    report = halfstep.quantize("model.onnx", input_list="calib.txt", effort="best")
    report = halfstep.evaluate("model.onnx", "model.quantized.onnx", input_list="eval.txt", min_sqnr_db=20)

Options are those of the command line without their dashes. True gives the option alone, False is "=false" behind it,
and None leaves it out; a list repeats the option; a dict repeats it with two words, as
input_dim={"image": "1,3,224,224"}. Nothing is computed here: the tools are native programs, and what they refuse raises
ToolError with their message and exit code.
"""

import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sysconfig
import tempfile

__all__ = ["GateMissed", "ToolError", "evaluate", "quantize", "run_tool", "tool_path"]

try:
    __version__ = importlib.metadata.version("halfstep")
except importlib.metadata.PackageNotFoundError:  # Imported from the sources.
    __version__ = "unknown"

EXIT_GATE_MISSED = 6


class ToolError(RuntimeError):
    """A tool ended with another exit code than 0: `exit_code` (negative: a signal), and its message as text."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code


class GateMissed(ToolError):
    """evaluate() missed a gate: `report` is the whole report, whose "gates" say which and by how much."""

    def __init__(self, message, report):
        super().__init__(message, EXIT_GATE_MISSED)
        self.report = report


def tool_path(tool):
    """The path of a tool, such as "quantize-run": where this package was installed, else on PATH.

    Raises FileNotFoundError if it is in neither.
    """
    package = pathlib.Path(__file__).resolve().parent
    folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user"),
               package.parent / "bin"]  # The last: pip install --target.
    for folder in folders if __version__ != "unknown" else []:
        path = pathlib.Path(folder) / tool
        if path.is_file():
            return str(path)
    found = shutil.which(tool)
    if found is None:
        raise FileNotFoundError(f"{tool} is neither where halfstep was installed nor on PATH")
    return found


def run_tool(tool, *arguments, cwd=None):
    """Runs a tool with the words of a command line; what it printed to standard output.

    Raises ToolError if it fails.
    """
    finished = subprocess.run([tool_path(tool), *map(os.fspath, arguments)], cwd=cwd, stdin=subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", errors="backslashreplace", check=False)
    if finished.returncode != 0:
        lines = finished.stderr.splitlines()
        told = [line for line in lines if line.startswith(f"{tool}: error:")] or lines[-1:]
        raise ToolError("\n".join(told) or f"{tool} ended with {finished.returncode}", finished.returncode)
    return finished.stdout


def _words(options):
    """The command line's words for options as keywords."""
    words = []
    for name, value in options.items():
        option = "--" + name
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(option if value else option + "=false")
        elif isinstance(value, dict):
            for key, text in value.items():
                words += [option, key, str(text)]
        elif isinstance(value, (list, tuple)):
            words += [f"{option}={os.fspath(item) if isinstance(item, os.PathLike) else item}" for item in value]
        else:
            words.append(f"{option}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return words


def _read(path, cwd):
    return json.loads((pathlib.Path(cwd or ".") / path).read_text(encoding="utf-8"))


def quantize(model, *, cwd=None, **options):
    """Quantizes a float ONNX model; the report as a dict (docs/report.md).

    Writes <model>.quantized.onnx and <model>.encodings.json to `cwd`, by default the working directory, to which all
    relative names refer. `options`: those of quantize. Without report=FILE.json no report file is left.
    Raises ToolError; ValueError for a report that is no .json file.
    """
    with tempfile.TemporaryDirectory(prefix="halfstep_") as folder:
        report = options.pop("report", None) or pathlib.Path(folder) / "report.json"
        if not os.fspath(report).endswith(".json"):
            raise ValueError(f"report={os.fspath(report)!r}: must end in .json, since quantize writes one report")
        run_tool("quantize", "--quiet", *_words({**options, "report": report}), "--", model, cwd=cwd)
        return _read(report, cwd)


def evaluate(model, quantized=None, *, cwd=None, **options):
    """Runs a float model and its quantized form over the same samples; the report as a dict (docs/report.md).

    `options`: those of quantize-eval, with input_list, and encodings=FILE if there is no quantized model. report=FILE,
    or a list of them, writes it as well, in any form.
    Raises GateMissed if a gate is missed, ToolError for everything else.
    """
    models = [model] if quantized is None else [model, quantized]
    reports = options.pop("report", None) or []
    if isinstance(reports, (str, os.PathLike)):
        reports = [reports]
    with tempfile.TemporaryDirectory(prefix="halfstep_") as folder:
        report = pathlib.Path(folder) / "report.json"
        words = _words({**options, "report": [report, *reports]})
        try:
            run_tool("quantize-eval", "--quiet", *words, "--", *models, cwd=cwd)
        except ToolError as error:
            if error.exit_code == EXIT_GATE_MISSED:
                raise GateMissed(str(error), _read(report, cwd)) from None
            raise
        return _read(report, cwd)
