#!/usr/bin/env python3
"""make_seeds.py: writes what the fuzz targets begin with, a folder a target.

    make_seeds.py FOLDER

Seeds are the files of this repository, the broken and the sound ones of the command-line tests, and the models of the
ONNX standard's operator tests where ../shared is present. A file bears the name of its contents' hash.
"""
import hashlib
import json
import pathlib
import struct
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE_TESTS = ROOT.parent / "shared" / "data" / "onnx-node-tests"
sys.path.insert(0, str(ROOT / "tests" / "cli"))

# pylint: disable=wrong-import-position
import broken_device_cases as devices
import broken_operand_cases as operands
import broken_override_cases as overrides
import broken_quantized_models_test as quantized
import broken_samples_test as samples
import broken_structure_cases as structures
import tool_test

MAX_BYTES = 64 << 10  # Of one seed: larger ones are slow to change. The bundled models are models that work.


def models():
    """Models, broken and sound."""
    yield tool_test.tiny_model()
    for cases in (operands.CASES, structures.CASES):
        for name, case in cases.items():
            if name != "function_bomb":  # It takes its time to be refused.
                yield case[-1]
    for path in sorted(NODE_TESTS.glob("*/model.onnx")):
        yield path.read_bytes()


def quantized_models():
    """Models with Q/DQ pairs or integer operators."""
    for cases in (quantized.CASES, quantized.SOUND):
        for case in cases.values():
            yield case[-1]
    for path in sorted(NODE_TESTS.glob("*q*linear*/model.onnx")):
        yield path.read_bytes()


def named_as_in_json_model(text):
    """The tensors of the digits get names of json_model.hpp."""
    for old, new in ((overrides.ADD, "sum"), (overrides.CLIP, "conv1"), (overrides.FOLDED, "relu"),
                     (overrides.CONV, "w"), (overrides.GEMM, "w")):
        text = text.replace(old, new)
    return text


def whole_encodings():
    """Encodings files with an entry for every tensor of json_model.hpp."""
    activations, parameters = ("x", "conv1", "conv2", "sum", "mean", "out"), {"w": 8, "b": 32}
    for scale, arithmetic in ((0.03, "q31_single"), (0.03125, "shift_half_up")):
        own = {"arithmetic": arithmetic}
        yield json.dumps({
            "version": "1.0.0", "halfstep": own,
            "activation_encodings": [
                {"name": name, "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": False, "scale": [scale],
                 "offset": [-100 * (arithmetic == "q31_single")]} for name in activations],
            "param_encodings": [
                {"name": name, "bw": bits, "dtype": "INT", "enc_type": "PER_CHANNEL", "is_sym": True,
                 "scale": [scale if bits == 8 else scale * scale] * 2, "offset": [-(1 << bits - 1)] * 2}
                for name, bits in parameters.items()]})
        yield json.dumps({
            "version": "2.0.0", "halfstep": own,
            "encodings": [
                {"name": name, "output_dtype": "uint16", "y_scale": scale / 256, "y_zero_point": 0}
                for name in activations] + [
                {"name": "w", "output_dtype": "int8", "axis": 0, "y_scale": [scale] * 2}]})
        yield json.dumps({
            "version": "0.6.1", "halfstep": own,
            "activation_encodings": {
                name: [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "min": 0.0, "max": scale * 255}]
                for name in activations},
            "param_encodings": {
                "w": [{"bitwidth": 4, "dtype": "int", "is_symmetric": "True", "min": -scale * 8, "max": scale * 7}] * 2}})


def override_files():
    """Overrides and encodings files."""
    yield from whole_encodings()
    for case in overrides.CASES:
        yield named_as_in_json_model(case[1]) if isinstance(case[1], str) else case[1]


def bundled(pattern):
    """Files of this repository."""
    for path in sorted(ROOT.glob(pattern)):
        yield path.read_bytes()


def text_lists():
    """Input lists and labels."""
    yield "a.raw\n"
    yield "#conv1 conv2\n%tensor 'two words'\nx:=a.npy y:=\"b c.npy\"\n\r\n"
    yield from bundled("tests/data/digits/*.txt")


def arrays():
    """Files of numpy."""
    yield samples.npy()
    for descr, size in (("<f8", 8), ("|u1", 1), ("<i8", 8), ("|b1", 1), ("<f2", 2), (">f4", 4)):
        for order in ("False", "True"):
            yield samples.npy(dims="(2, 3)", descr=descr, order=order, data=bytes(6 * size))
    yield samples.npy(dims="()", data=bytes(4), version=b"\x02\x00")


def png(color_type, bits, bytes_a_row, *chunks, interlaced=0):
    """A PNG of 4 x 4 pixels with more chunks in front of them."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    # Interlaced, each of the passes that 4 x 4 pixels have begins its rows with a filter; too many bytes do no harm.
    rows = b"".join(bytes([y % 5]) + bytes(range(y, y + bytes_a_row)) for y in range(8 if interlaced else 4))
    header = struct.pack(">IIBBBBB", 4, 4, bits, color_type, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*more) for more in chunks) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pngs():
    """A PNG of each kind."""
    palette = (b"PLTE", bytes(range(48)))
    exif = (b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    yield png(0, 8, 4)
    yield png(0, 1, 1, (b"tRNS", b"\0\1"))
    yield png(0, 16, 8)
    yield png(2, 8, 12, exif)
    yield png(2, 16, 24, (b"gAMA", struct.pack(">I", 45455)), interlaced=1)
    yield png(3, 4, 2, palette)
    yield png(3, 8, 4, palette, (b"tRNS", bytes(16)))
    yield png(4, 8, 8)
    yield png(6, 16, 32, interlaced=1)


def seeds():
    """Pairs of a target and an iterable of contents."""
    yield "model", models()
    yield "quantized_model", quantized_models()
    yield "encodings", override_files()
    yield "recipe", bundled("configs/*.json")
    yield "target_profile", (case[1] for case in devices.TARGETS)
    yield "target_profile", bundled("configs/targets/*.json")
    yield "aimet_config", (case[1] for case in devices.CONFIGS)
    yield "aimet_config", bundled("tests/data/aimet_configs/*.json")
    yield "preprocess", bundled("configs/preprocess/*.json")
    yield "input_list", text_lists()
    yield "npy", arrays()
    yield "image", pngs()


# These begin with the same files.
SAME = {"calibrated_model": "model", "overrides": "encodings"}


def main():
    folder = pathlib.Path(sys.argv[1])
    for target in (ROOT / "tests" / "fuzz").glob("*_fuzz.cpp"):
        name = target.stem.removesuffix("_fuzz")
        (folder / SAME.get(name, name)).mkdir(parents=True, exist_ok=True)
    for name, other in SAME.items():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(other)
    old = {path for path in folder.glob("*/*") if not path.parent.is_symlink()}
    for target, contents in seeds():
        for content in contents:
            data = content.encode() if isinstance(content, str) else bytes(content)
            path = folder / target / hashlib.sha1(data).hexdigest()[:16]
            if len(data) <= MAX_BYTES and path not in old:
                path.write_bytes(data)
            old.discard(path)
    for path in old:
        path.unlink()


if __name__ == "__main__":
    main()
