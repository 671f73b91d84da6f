#!/usr/bin/env python3
"""check_layers.py: checks that every folder includes only what the layering allows.

The table below is the executable form of docs/architecture.md. It also holds
the words that must not occur in integer code, and where third-party headers
may be used. Prints each violation and exits 1 if there is any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folder under src/: the folders it may include, besides itself and include/halfstep.
ALLOWED = {
    "core": [],
    "numerics": ["core"],
    "graph": ["core"],
    "encoding": ["core", "numerics", "graph"],
    "kernels": ["core", "numerics"],
    "ops": ["core", "numerics", "graph", "encoding", "kernels"],
    "passes": ["core", "graph", "ops", "encoding"],
    "lower": ["core", "numerics", "graph", "ops", "encoding", "kernels"],
    "exec": ["core", "graph", "encoding", "ops", "lower"],
    "calib": ["core", "numerics", "graph", "encoding", "kernels", "ops", "lower", "exec"],
    "precision": ["core", "numerics", "graph", "encoding", "ops", "calib"],
    "compare": ["core", "numerics", "graph", "encoding", "kernels", "ops", "lower", "exec"],
    "sensitivity": ["core", "graph", "encoding", "ops", "lower", "exec", "precision", "compare"],
    "tune": ["core", "numerics", "graph", "encoding", "kernels", "ops", "passes", "lower", "exec", "calib", "precision",
             "compare"],
    "io/onnx": ["core", "graph", "encoding"],
    "io/json": ["core", "graph", "encoding", "calib"],
    "io/samples": ["core"],
    "report": ["core", "graph", "encoding", "compare"],
    "pipeline": ["core", "numerics", "graph", "encoding", "ops", "passes", "lower", "exec", "calib", "precision", "tune",
                 "sensitivity", "compare", "io/onnx", "io/json", "io/samples", "report"],
}

# Rooms inside ops: a family includes its own folder, ops itself and ops/shared, never another family.
OPS_SHARED = "ops/shared"

# Third-party include prefix: the folders it belongs to.
THIRD_PARTY = {
    "onnx/": ["io/onnx"],
    "google/protobuf": ["io/onnx"],
    "nlohmann/": ["io/json", "report"],
    "Eigen/": ["tune"],
    "CLI/": ["tools"],
    "spdlog/": ["tools"],
    "immintrin.h": ["kernels"],
    "png.h": ["io/samples"],
    "jpeglib.h": ["io/samples"],
    "jerror.h": ["io/samples"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path: str) -> str | None:
    """The layer a source path such as 'io/onnx/reader.hpp' belongs to."""
    matches = [f for f in ALLOWED if path.startswith(f + "/")]
    return max(matches, key=len) if matches else None


def family_of(path: str) -> str | None:
    """The family inside ops that a path such as 'ops/linear/conv.cpp' belongs to."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "ops" and len(parts) == 3 else None


def without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def check_file(path: pathlib.Path, layer: str, problems: list[str]) -> None:
    shown = path.relative_to(ROOT)
    text = without_comments(path.read_text(encoding="ascii"))
    for match in INCLUDE.finditer(text):
        quote, target = match.groups()
        for prefix, homes in THIRD_PARTY.items():
            if target.startswith(prefix) and layer not in homes:
                problems.append(f"{shown}: <{target}> belongs to {', '.join(homes)}")
        if quote == '"' and not target.startswith("halfstep/"):
            other = folder_of(target)
            if layer == "tools" and other is not None:
                problems.append(f"{shown}: tools include include/halfstep only, not {target}")
            elif layer != "tools" and other is None:
                problems.append(f"{shown}: {target} is in no known layer")
            elif layer != "tools" and other != layer and other not in ALLOWED[layer]:
                problems.append(f"{shown}: {layer} may not include {other} ({target})")
            family = family_of(path.relative_to(ROOT / "src").as_posix()) if layer == "ops" else None
            if family is not None and family_of(target) not in (None, family, OPS_SHARED):
                problems.append(f"{shown}: {family} may not include {family_of(target)} ({target})")
    if path.name.endswith("_int.cpp") and re.search(r"\b(float|double)\b", text):
        problems.append(f"{shown}: integer code mentions float or double")


def main() -> int:
    problems: list[str] = []
    for path in sorted((ROOT / "src").rglob("*.[ch]pp")):
        layer = folder_of(path.relative_to(ROOT / "src").as_posix())
        if layer is None:
            problems.append(f"{path.relative_to(ROOT)}: folder is in no known layer")
        else:
            check_file(path, layer, problems)
    for path in sorted((ROOT / "tools").rglob("*.[ch]pp")):
        check_file(path, "tools", problems)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
