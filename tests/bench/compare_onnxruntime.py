#!/usr/bin/env python3
"""Times Halfstep against ONNX Runtime: the same model, samples and number of threads, in alternating runs.

  compare_onnxruntime.py BUILD_DIR --shared DIR [--what runs,latency,quantize,evaluate] [--models NAME,...]
                         [--repeat N] [--threads N] [--work DIR] [--json FILE] [--nncf]
  compare_onnxruntime.py --table FILE.json [FILE2.json]

BUILD_DIR is a release build with -DHALFSTEP_BUILD_BENCHMARKS=ON; DIR holds data/models and tools/prepare_inputs.py.
Needs onnxruntime, onnx, numpy and pillow (with --nncf nncf, too): run it with the Python of a virtual environment.

runs      one run of the model in a process that has loaded it: float, W8A8 and W8A16 (our own QDQ files)
latency   one run with two threads against one, of both
quantize  whole processes over 200 samples: quantize against quantize_static with the same calibration method
evaluate  quantize-eval against its three plain runs

Each figure is the median of --repeat pairs of processes that take turns; the ratio is ours to the peer's.
HALFSTEP_ISA is passed on, so that other instruction sets are measured by setting it.
--table prints what --json wrote as a Markdown table: a second file, of another HALFSTEP_ISA, gives further columns.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

SELF = pathlib.Path(__file__).resolve()
DIMS = {"ppocrv2_det": "x=1,3,640,640", "ppocr_mobile_v2_cls": "x=1,3,48,192", "cifar10_winml_tutorial": "modelInput=1,3,32,32"}
BOTH = ["mobilenetv2_tv", "squeezenet1_1"]


# ---- What runs in a process of its own: the peer ----

def peer_samples(list_file, count):
    import numpy
    base = pathlib.Path(list_file).parent
    lines = [l.strip() for l in open(list_file) if l.strip() and l[0] not in "#%"]
    return [numpy.fromfile(base / line, numpy.float32) for line in lines[:count]]


def peer_shape(value, dims):
    given = dict(item.split("=") for item in dims)
    if value.name in given:
        return [int(d) for d in given[value.name].split(",")]
    return [d if isinstance(d, int) else 1 for d in value.shape]


def peer_run(model, list_file, repeat, threads, dims):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    value = session.get_inputs()[0]
    samples = [x.reshape(peer_shape(value, dims)) for x in peer_samples(list_file, 20)]
    times = []
    for i in range(repeat + 2):
        start = time.perf_counter()
        session.run(None, {value.name: samples[i % len(samples)]})
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"median_ms": statistics.median(times[2:]), "min_ms": min(times[2:])}))


def peer_quantize(model, list_file, method, threads, out):
    import onnxruntime as ort
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static
    name = ort.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0]

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.samples = iter(peer_samples(list_file, 10**9))

        def get_next(self):
            x = next(self.samples, None)
            return None if x is None else {name.name: x.reshape(peer_shape(name, []))}

    os.environ["OMP_NUM_THREADS"] = str(threads)
    methods = {"min-max": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile,
               "entropy": CalibrationMethod.Entropy}
    quantize_static(model, out, Reader(), calibrate_method=methods[method], per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def peer_nncf(model, list_file, out):
    import nncf
    import onnx
    loaded = onnx.load(model)
    name = loaded.graph.input[0].name
    shape = [d.dim_value or 1 for d in loaded.graph.input[0].type.tensor_type.shape.dim]
    samples = peer_samples(list_file, 10**9)
    dataset = nncf.Dataset(samples, lambda x: {name: x.reshape(shape)})
    onnx.save(nncf.quantize(loaded, dataset, subset_size=len(samples)), out)


# ---- The comparison ----

def measured(command, environment=None):
    """Seconds, peak MiB and standard output of a command."""
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment, text=True)
    out, err = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{err}")
    return seconds, out


def with_peak(command):
    """measured() through a small parent that reports the child's peak memory."""
    script = ("import resource,subprocess,sys,time;t=time.perf_counter();"
              "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE);"
              "t=time.perf_counter()-t;"
              "sys.stderr.write(r.stderr.decode()) if r.returncode else None;"
              "print(t,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024);sys.exit(r.returncode)")
    _, out = measured([sys.executable, "-c", script, *command])
    seconds, peak = out.split()[-2:]
    return float(seconds), float(peak)


class Comparison:
    def __init__(self, args):
        self.args = args
        self.bench = args.build / "tests/bench/program_bench"
        self.tools = args.build / "tools"
        self.work = args.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.rows = []

    def model(self, name):
        return self.args.shared / f"data/models/{name}.onnx"

    def samples(self, name, split, count):
        folder = self.work / f"{name}.{split}.{count}"
        if not (folder / "input_list.txt").exists():
            measured([sys.executable, self.args.shared / "tools/prepare_inputs.py", name, folder, "--split", split,
                      "--count", count])
        return folder / "input_list.txt"

    def quantized(self, name, bits):
        out = self.work / f"{name}.w8a{bits}.onnx"
        if not out.exists():
            dims = [part for item in [DIMS[name]] for part in ("--input_dim", *item.split("="))] if name in DIMS else []
            measured([self.tools / "quantize", "--quiet", "--effort", "fast", "--validate", "0", "--act_bitwidth", bits,
                      "--input_list", self.samples(name, "calib", 20), "--output_path", out, *dims, self.model(name)])
        return out

    def row(self, what, ours, peer, unit, note=""):
        ours_median, peer_median = statistics.median(ours), statistics.median(peer)
        self.rows.append({"what": what, "unit": unit, "ours": ours_median, "peer": peer_median,
                          "ratio": ours_median / peer_median, "ours_all": ours, "peer_all": peer, "note": note})
        print(f"{what:58} {ours_median:10.3f} {peer_median:10.3f} {unit:4} {ours_median / peer_median:6.2f}x {note}",
              flush=True)

    def one_run(self, name, model, mode, threads):
        dims = [DIMS[name]] if name in DIMS else []
        repeat = self.args.inferences
        list_file = self.samples(name, "calib", 20)
        _, ours = measured([self.bench, model, list_file, mode, repeat, *dims, "--threads", threads])
        _, peer = measured([sys.executable, SELF, "--peer", "run", model, list_file, repeat, threads, *dims])
        return json.loads(ours)["median_ms"], json.loads(peer)["median_ms"]

    def runs(self):
        for name in self.args.models:
            kinds = [("float", self.model(name), "float")]
            if name in BOTH:
                kinds += [(f"W8A{bits}", self.quantized(name, bits), "fixed") for bits in (8, 16)]
            for kind, model, mode in kinds:
                pairs = [self.one_run(name, model, mode, self.args.threads) for _ in range(self.args.repeat)]
                self.row(f"run {name} {kind}", *map(list, zip(*pairs)), "ms")

    def latency(self):
        for name in BOTH:
            for kind, model, mode in [("float", self.model(name), "float"), ("W8A8", self.quantized(name, 8), "fixed")]:
                one, two = [], []
                for _ in range(self.args.repeat):
                    one.append(self.one_run(name, model, mode, 1))
                    two.append(self.one_run(name, model, mode, 2))
                self.row(f"latency {name} {kind}: two threads to one, ours", [t[0] for t in two], [t[0] for t in one],
                         "ms")
                self.row(f"latency {name} {kind}: two threads to one, peer", [t[1] for t in two], [t[1] for t in one],
                         "ms")

    def quantize(self):
        name = "mobilenetv2_tv"
        list_file = self.samples(name, "calib", 200)
        threads = 2
        for method in ("min-max", "percentile", "entropy"):
            ours, peer, peaks = [], [], []
            options = ["--effort", "fast", "--act_quantizer_calibration", method, "--validate", "0"]
            repeat = self.args.repeat if method == "min-max" else 1
            for i in range(max(self.args.repeat, repeat)):
                seconds, peak = with_peak([str(self.tools / "quantize"), "--quiet", "--threads", str(threads), *options,
                                           "--input_list", str(list_file), "--output_path",
                                           str(self.work / "ours.onnx"), str(self.model(name))])
                ours.append(seconds)
                peaks.append(peak)
                if i < repeat:
                    peer.append(with_peak([sys.executable, str(SELF), "--peer", "quantize", str(self.model(name)),
                                           str(list_file), method, str(threads), str(self.work / "peer.onnx")])[0])
            self.row(f"quantize {name}, {method}, 200 samples", ours, peer, "s",
                     f"ours {max(peaks):.0f} MiB; peer {1 / (statistics.median(ours) / statistics.median(peer)):.1f} times")
        if self.args.nncf:
            peer = [with_peak([sys.executable, str(SELF), "--peer", "nncf", str(self.model(name)), str(list_file),
                               str(self.work / "nncf.onnx")])[0]]
            self.row(f"quantize {name}: min-max against NNCF", self.rows[-3]["ours_all"], peer, "s")

    def evaluate(self):
        name = "mobilenetv2_tv"
        list_file = self.samples(name, "eval", self.args.samples)
        quantized = self.quantized(name, 8)

        def tool(which, *options):
            return with_peak([str(self.tools / which), "--quiet", "--threads", "1", "--input_list", str(list_file),
                              *map(str, options)])

        whole, parts = [], []
        for _ in range(self.args.repeat):
            whole.append(tool("quantize-eval", "--mode", "fixed", "--report", self.work / "eval.json",
                              self.model(name), quantized)[0])
            out = self.work / "results"
            float_run = tool("quantize-run", "--mode", "float", "--output_dir", out, self.model(name))[0]
            fixed_run = tool("quantize-run", "--mode", "fixed", "--output_dir", out, quantized)[0]
            parts.append(float_run + 2 * fixed_run)
        self.row(f"quantize-eval {name}, every layer, {self.args.samples} photos, to its three runs", whole, parts, "s")


# ---- The table of docs/performance.md ----

def print_table(files):
    """One row for each measurement of the first file; what the second one has of it stands beside it."""
    reports = [json.loads(pathlib.Path(file).read_text()) for file in files]
    titles = [report["isa"] or "default" for report in reports]
    columns = [f"{head} ({title})" if len(reports) > 1 else head for title in titles for head in ("ours", "peer", "ratio")]
    print("| what | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for row in reports[0]["rows"]:
        cells = [row["what"] + (f" ({row['note']})" if row["note"] else "")]
        for report in reports:
            found = next((r for r in report["rows"] if r["what"] == row["what"]), None)
            cells += (["-"] * 3 if found is None else
                      [f"{found['ours']:.3g} {found['unit']}", f"{found['peer']:.3g} {found['unit']}", f"{found['ratio']:.2f}"])
        print("| " + " | ".join(cells) + " |")


def main():
    if len(sys.argv) in (3, 4) and sys.argv[1] == "--table":
        print_table(sys.argv[2:])
        return
    if len(sys.argv) > 2 and sys.argv[1] == "--peer":
        kind, rest = sys.argv[2], sys.argv[3:]
        if kind == "run":
            peer_run(rest[0], rest[1], int(rest[2]), int(rest[3]), rest[4:])
        elif kind == "quantize":
            peer_quantize(rest[0], rest[1], rest[2], int(rest[3]), rest[4])
        else:
            peer_nncf(*rest)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("--what", default="runs,latency,quantize,evaluate")
    parser.add_argument("--models", default="")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--inferences", type=int, default=40)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/halfstep_bench"))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--nncf", action="store_true")
    args = parser.parse_args()
    args.build = args.build.resolve()
    args.shared = args.shared.resolve()
    args.models = args.models.split(",") if args.models else sorted(
        p.stem for p in (args.shared / "data/models").glob("*.onnx"))
    comparison = Comparison(args)
    print(f"{'':58} {'ours':>10} {'peer':>10}      ratio")
    for what in args.what.split(","):
        getattr(comparison, what)()
    if args.json:
        args.json.write_text(json.dumps({"isa": os.environ.get("HALFSTEP_ISA", ""), "rows": comparison.rows}, indent=1))


if __name__ == "__main__":
    main()
