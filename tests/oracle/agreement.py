"""agreement.py: how far two runs of one model are apart, and ONNX Runtime as the second."""
import pathlib
from dataclasses import dataclass

import numpy as np
import onnxruntime

# Float against float: one of the two must hold for every element.
MAX_RELATIVE = 1e-4
MAX_ABSOLUTE = 1e-5

onnxruntime.set_default_logger_severity(3)


def has_byte_products():
    """Whether the processor adds products of bytes without saturating them at 16 bits (VNNI)."""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return not any(name in flags for name in ("avx2", "ssse3")) or any(
        name in flags for name in ("avx512_vnni", "avx_vnni"))


def levels_of_integer_products():
    """The values of `optimized` with which ONNX Runtime multiplies integers exactly. As written, uint8 times int8
    saturates on processors without VNNI: session.x64quantprecision is obeyed by an optimization only."""
    return (False, True) if has_byte_products() else (True,)


def open_session(model, optimized, num_threads=1, keep=None):
    """A session on `model`. Without `optimized` every node runs as written; what runs is written to the file `keep`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.graph_optimization_level = (onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL if optimized else
                                        onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    # Without VNNI its default kernels for uint8 times int8 saturate pairs of products at 16 bits.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if keep:
        options.optimized_model_filepath = str(keep)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run_session(session, feed):
    """The outputs for one sample: {name: array}."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed)))


def run_onnxruntime(model, feeds, optimized, num_threads=1):
    """Outputs for each of `feeds`: a list of {name: array}; see open_session()."""
    session = open_session(model, optimized, num_threads)
    return [run_session(session, feed) for feed in feeds]


@dataclass
class FloatErrors:
    """Errors of a float run, element by element and against the largest magnitude of each output."""

    total: int = 0
    outside: int = 0  # Neither within MAX_RELATIVE of the element nor within MAX_ABSOLUTE.
    worst: float = 0.0  # In units of what is allowed an element.
    worst_of_range: float = 0.0  # Relative to the output's largest magnitude.
    place: str = "equal"

    @property
    def percent_outside(self):
        return 100.0 * self.outside / max(1, self.total)

    def __str__(self):
        return (f"worst {self.worst:6.2g} of what is allowed, {self.outside} of {self.total} elements outside, "
                f"{self.worst_of_range:.1e} of the range")


def float_errors(ours, theirs):
    """Compares two lists of {name: array}."""
    errors = FloatErrors()
    for i, (our_sample, their_sample) in enumerate(zip(ours, theirs, strict=True)):
        for name, their_output in their_sample.items():
            a = our_sample[name].reshape(-1).astype(np.float64)
            b = their_output.reshape(-1).astype(np.float64)
            errors.total += b.size
            if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
                errors.outside += b.size
                errors.worst = errors.worst_of_range = np.inf
                errors.place = f"{name}, sample {i}: {a.size} elements against {b.size}, or NaN in one only"
                continue
            error = np.abs(a - b)
            ratio = error / np.maximum(MAX_ABSOLUTE, MAX_RELATIVE * np.abs(b))
            errors.outside += int(np.count_nonzero(ratio > 1))
            at = int(np.argmax(ratio)) if ratio.size else 0
            if ratio.size and ratio[at] > errors.worst:
                errors.worst, errors.place = float(ratio[at]), f"{name}[{at}], sample {i}: {a[at]:.8g} for {b[at]:.8g}"
            if error.size and (largest := max(float(np.abs(b).max()), MAX_ABSOLUTE / MAX_RELATIVE)):
                errors.worst_of_range = max(errors.worst_of_range, float(error.max()) / largest)
    return errors


@dataclass
class StepShares:
    """How many elements of all outputs are how many steps apart."""

    total: int = 0
    within_half: int = 0
    within_1: int = 0
    within_2: int = 0
    worst: float = 0.0
    place: str = "equal"

    def percent(self, count):
        return 100.0 * count / max(1, self.total)

    @property
    def percent_within_2(self):
        return self.percent(self.within_2)

    def __str__(self):
        shares = " ".join(f"{self.percent(count):8.4f}" for count in (self.within_half, self.within_1, self.within_2))
        return f"{shares}  worst {self.worst:.3g}"


def step_shares(ours, theirs, steps):
    """Compares two lists of {name: array}, `steps` giving the size of a step of each output."""
    shares = StepShares()
    slack = 1e-3  # Steps; a code times its scale is rounded in float32.
    for i, (our_sample, their_sample) in enumerate(zip(ours, theirs, strict=True)):
        for name, their_output in their_sample.items():
            a = our_sample[name].reshape(-1).astype(np.float64)
            b = their_output.reshape(-1).astype(np.float64)
            distance = np.abs(a - b) / steps[name] if a.shape == b.shape else np.full(b.size, np.inf)
            distance[~np.isfinite(distance)] = np.inf
            shares.total += distance.size
            shares.within_half += int(np.count_nonzero(distance <= 0.5 + slack))
            shares.within_1 += int(np.count_nonzero(distance <= 1 + slack))
            shares.within_2 += int(np.count_nonzero(distance <= 2 + slack))
            if distance.size and (far := float(distance.max())) > shares.worst:
                shares.worst, shares.place = far, f"{name}[{int(np.argmax(distance))}], sample {i}"
    return shares
