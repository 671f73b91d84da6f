"""aimet_sim.py: what only a Python with aimet_onnx can do; aimet.py runs it there, as a program.

  aimet_sim.py export MODEL.onnx FOLDER VERSION... -- SAMPLE.npz...
      folds BatchNormalizations into FOLDER/model.onnx and writes FOLDER/VERSION.encodings of it for each version
  aimet_sim.py load MODEL.onnx ENCODINGS.json OUT.json
      loads ENCODINGS into a simulation of MODEL and writes what its quantizers then hold, as version 1.0.0
"""
import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy as np
import onnx

import aimet_onnx
from aimet_onnx.batch_norm_fold import fold_all_batch_norms_to_weight
from aimet_onnx.quantsim import QuantizationSimModel, load_encodings_to_sim


def simulation(model):
    return QuantizationSimModel(model, param_type=aimet_onnx.int8, activation_type=aimet_onnx.int8,
                                providers=["CPUExecutionProvider"])


def export(model, folder, versions, samples):
    """Calibrates by extremes over the samples, one .npz of inputs each."""
    folded = onnx.load(model)
    fold_all_batch_norms_to_weight(folded)
    onnx.save(folded, str(pathlib.Path(folder) / "model.onnx"))
    sim = simulation(folded)
    sim.compute_encodings([dict(np.load(sample)) for sample in samples])
    for version in versions:
        sim.export(str(folder), version, export_model=False, encoding_version=version)


def load(model, encodings, out):
    """Quantizers without an entry are off, and settings follow the file: not strict, in AIMET's words."""
    sim = simulation(onnx.load(model))
    load_encodings_to_sim(sim, str(encodings), strict=False)
    with tempfile.TemporaryDirectory() as folder:
        sim.export(folder, "loaded", export_model=False, encoding_version="1.0.0")
        shutil.copy(pathlib.Path(folder) / "loaded.encodings", out)


def main(arguments):
    warnings.filterwarnings("ignore")
    if arguments[0] == "export":
        split = arguments.index("--")
        export(arguments[1], arguments[2], arguments[3:split], arguments[split + 1:])
    else:
        load(*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
