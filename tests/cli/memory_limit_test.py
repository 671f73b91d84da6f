"""memory_limit_test.py: small files that ask for much memory or time get one line with node, size and remedy, soon."""

import onnx_wire as wire
import tool_test
from tool_test import OK, UNSUPPORTED, USAGE

ROOM_BYTES = 400 << 20  # Beside the limit: code, stacks, what malloc keeps.
# Of the processor. Most cases take less than 1 s; sanitizers need many times as long, and longer limits of all commands.
SOON_SECONDS = tool_test.TIMEOUT_SECONDS / 2


def model_of(nodes, initializers=(), output="y", dims=(1, 64)):
    """x -> nodes -> output."""
    return wire.model(wire.graph(nodes, [wire.value_info("x", list(dims))], [wire.value_info(output)],
                                 list(initializers)))


def ints(name, values):
    """A constant of int64."""
    return wire.tensor(name, [len(values)], values, wire.INT64)


class LimitTest(tool_test.ToolTest):
    """Runs of all tools on one model."""

    def runs(self, model):
        """A command line for each tool."""
        path = self.write("model.onnx", model)
        self.write_floats("x.raw", [(i % 7) / 3 - 1 for i in range(64)])
        samples = self.write("list.txt", "x.raw\n" * 4)
        encodings = self.write("e.json", '{"version": "0.6.1", "activation_encodings": {}, "param_encodings": {}}')
        listed = ["--quiet", "--input_list", samples]
        return {
            "quantize": [*listed, path],
            "quantize-eval": [*listed, "--encodings", encodings, path],
            "quantize-run": [*listed, "--output_dir", self.folder / "results", path],
            "quantize-sensitivity": [*listed, "--no_cache", "--encodings", encodings, path],
            "quantize-inspect": [path],
        }

    def check_refused(self, model, words, limit="64M", megabytes=64, tools=tool_test.TOOLS):
        """Every tool says the words, within the limit and in time."""
        for tool, arguments in self.runs(model).items():
            if tool not in tools:
                continue
            with self.subTest(tool=tool):
                threads = [] if tool == "quantize-inspect" else ["--threads", "2"]
                finished = self.assert_fails(UNSUPPORTED, [*words, "--memory_limit"], tool, "--memory_limit", limit,
                                             *threads, *arguments)
                self.assertLess(finished.cpu_seconds, SOON_SECONDS)
                self.assertLess(finished.rss_bytes, (megabytes << 20) + ROOM_BYTES)


class Refused(LimitTest):
    """More than the limit, said before it is allocated."""

    def test_one_tensor(self):
        self.check_refused(
            model_of([wire.node("Tile", ["x", "n"], ["y"], name="many")], [ints("n", [1 << 14, 1 << 6])]),
            ["node 'many' (Tile)", "float32[16384, 4096]", "256.0 MiB", "64.0 MiB"])

    def test_shapes_computed_on_the_way(self):
        self.check_refused(
            model_of([wire.node("ConstantOfShape", ["n"], ["c"], name="fill"),
                      wire.node("Add", ["x", "c"], ["y"], name="add")], [ints("n", [1 << 20, 64])]),
            ["node 'fill' (ConstantOfShape)", "256.0 MiB"])

    def test_range(self):
        scalars = [wire.tensor(name, [], [value], wire.INT64)
                   for name, value in (("from", 0), ("to", 1 << 26), ("step", 1))]
        self.check_refused(
            model_of([wire.node("Range", ["from", "to", "step"], ["r"], name="range"),
                      wire.node("Cast", ["r"], ["f"], to=1), wire.node("ReduceSum", ["f"], ["s"]),
                      wire.node("Add", ["x", "s"], ["y"])], scalars), ["node 'range' (Range)", "512.0 MiB"])

    def test_expand_pad_resize_one_hot(self):
        depth = wire.tensor("depth", [], [1 << 20], wire.INT64)
        cases = {
            "Expand": ([wire.node("Expand", ["x", "n"], ["y"], name="n")], [ints("n", [1 << 20, 64])]),
            "Pad": ([wire.node("Pad", ["x", "n"], ["y"], name="n")], [ints("n", [0, 0, 1 << 20, 0])]),
            "Resize": ([wire.node("Resize", ["x", "", "", "n"], ["y"], name="n", mode="nearest")],
                       [ints("n", [1 << 20, 64])]),
            "OneHot": ([wire.node("Cast", ["x"], ["i"], to=7),
                        wire.node("OneHot", ["i", "depth", "v"], ["y"], name="n")],
                       [depth, wire.tensor("v", [2], [0.0, 1.0])]),
        }
        for name, (nodes, constants) in cases.items():
            with self.subTest(operator=name):
                self.check_refused(model_of(nodes, constants), [f"node 'n' ({name})", "256.0 MiB"],
                                   tools=("quantize", "quantize-inspect"))

    def test_buffers_of_all_threads(self):
        # Each tensor fits, and all that live together on one thread; not those of two.
        nodes = [wire.node("Tile", ["x", "n"], ["a"], name="a"), wire.node("Exp", ["a"], ["b"], name="b"),
                 wire.node("Mul", ["a", "b"], ["c"], name="c"), wire.node("ReduceSum", ["c"], ["y"], name="sum")]
        model = model_of(nodes, [ints("n", [1 << 15, 1])])
        arguments = self.runs(model)["quantize-run"]
        self.assert_fails(UNSUPPORTED, ["2 threads", "'a'", "float32[32768, 64], 8.0 MiB", "(Tile)", "--threads 1",
                                        "--memory_limit"],
                          "quantize-run", "--memory_limit", "20M", "--threads", "2", *arguments)
        self.assert_succeeds("quantize-run", "--memory_limit", "20M", "--threads", "1", *arguments)

    def test_types_decided_while_running(self):
        # The number of ones is known with the data only.
        nodes = [wire.node("NonZero", ["x"], ["i"], name="nonzero"), wire.node("Transpose", ["i"], ["t"]),
                 wire.node("Cast", ["t"], ["f"], to=1), wire.node("Tile", ["f", "n"], ["y"], name="late")]
        self.check_refused(model_of(nodes, [ints("n", [1 << 12, 1 << 12])]), ["node 'late' (Tile)"],
                           tools=("quantize-run", "quantize-eval"))

    def test_many_tensors_decided_while_running(self):
        nodes = [wire.node("NonZero", ["x"], ["i"], name="nonzero"), wire.node("Cast", ["i"], ["f"], to=1)]
        for k in range(40):
            nodes.append(wire.node("Tile", ["f", "n"], [f"t{k}"], name=f"late{k}"))
        nodes.append(wire.node("Sum", [f"t{k}" for k in range(40)], ["y"], name="sum"))
        self.check_refused(model_of(nodes, [ints("n", [1 << 7, 1 << 7])]), ["'late", "are in use"],
                           tools=("quantize-run",))

    def test_what_no_plan_foresees(self):
        # One weight, packed by each of many layers that share it.
        nodes = []
        for k in range(200):
            nodes.append(wire.node("MatMul", ["x" if k == 0 else f"h{k - 1}", "w"], [f"h{k}" if k < 199 else "y"],
                                   name=f"layer{k}"))
        weight = wire.tensor("w", [2048, 2048], bytes(4 * 2048 * 2048))
        path = self.write("model.onnx", model_of(nodes, [weight], dims=(1, 2048)))
        self.write_floats("x.raw", [0.5] * 2048)
        samples = self.write("list.txt", "x.raw\n")
        finished = self.run_tool("quantize-run", "--quiet", "--memory_limit", "512M", "--input_list", samples,
                                 "--output_dir", self.folder / "results", path)
        self.assertIn(finished.code, (OK, UNSUPPORTED), finished)
        if finished.code == UNSUPPORTED:
            self.assertIn("out of memory", finished.stderr)
        self.assertLess(finished.rss_bytes, (512 << 20) + ROOM_BYTES)


class Bounded(LimitTest):
    """Files of a few kilobytes whose constants could fill memory or take hours: not folded."""

    def check_soon(self, model, limit="1G"):
        """quantize-inspect ends in time, whatever it says, within the limit."""
        path = self.write("model.onnx", model)
        finished = self.run_tool("quantize-inspect", "--memory_limit", limit, path)
        self.assertIn(finished.code, (OK, UNSUPPORTED), finished)
        self.assertLess(finished.cpu_seconds, SOON_SECONDS)
        self.assertLess(finished.rss_bytes, (1 << 30) + ROOM_BYTES)

    def test_many_constants(self):
        # 200 of 60 MiB.
        nodes, names = [], []
        for k in range(200):
            nodes.append(wire.node("ConstantOfShape", ["n"], [f"c{k}"], name=f"c{k}"))
            nodes.append(wire.node("ReduceMax", [f"c{k}"], [f"m{k}"], name=f"m{k}"))
            names.append(f"m{k}")
        nodes.append(wire.node("Sum", ["x", *names], ["y"]))
        self.check_soon(model_of(nodes, [ints("n", [15, 1 << 20])]))

    def test_many_small_values(self):
        # 4,000 of 1 MiB, each known on the way.
        nodes = [wire.node("ConstantOfShape", ["n"], ["c0"], name="c0")]
        for k in range(1, 4000):
            nodes.append(wire.node("Neg", [f"c{k - 1}"], [f"c{k}"], name=f"c{k}"))
        nodes.append(wire.node("ReduceMax", ["c3999"], ["m"]))
        nodes.append(wire.node("Add", ["x", "m"], ["y"]))
        self.check_soon(model_of(nodes, [ints("n", [1 << 9, 1 << 9])]))

    def test_a_long_chain_of_products(self):
        nodes = [wire.node("ConstantOfShape", ["n"], ["c0"], name="c0")]
        for k in range(1, 1000):
            nodes.append(wire.node("MatMul", [f"c{k - 1}", f"c{k - 1}"], [f"c{k}"], name=f"c{k}"))
        nodes.append(wire.node("ReduceMax", ["c999"], ["m"]))
        nodes.append(wire.node("Add", ["x", "m"], ["y"]))
        self.check_soon(model_of(nodes, [ints("n", [1 << 9, 1 << 9])]))

    def test_a_convolution_as_large_as_its_image(self):
        nodes = [wire.node("ConstantOfShape", ["n"], ["a"], name="a"),
                 wire.node("ConstantOfShape", ["k"], ["w"], name="w"),
                 wire.node("Conv", ["a", "w"], ["c"], name="c", pads=[255, 255, 255, 255]),
                 wire.node("ReduceMax", ["c"], ["m"]), wire.node("Add", ["x", "m"], ["y"])]
        self.check_soon(model_of(nodes, [ints("n", [1, 1, 511, 511]), ints("k", [1, 1, 511, 511])]))


class Option(LimitTest):
    """What may be given."""

    def test_sizes(self):
        path = self.write("model.onnx", tool_test.tiny_model())
        for size in ("0", "1", "2GB", "much", "-1G"):
            with self.subTest(size=size):
                finished = self.run_tool("quantize-inspect", "--memory_limit=" + size, path)
                self.assertEqual(finished.code, USAGE, finished)
                self.assertIn("--memory_limit", finished.stderr)
                self.assertIn("such as 512M", finished.stderr)
        self.assert_succeeds("quantize-inspect", "--memory_limit", "1.5G", path)

    def test_metric_commands_are_free(self):
        self.runs(tool_test.tiny_model())
        self.write_floats("x.raw", tool_test.TINY_SAMPLE)
        command = "test $(ulimit -S -d) = $(ulimit -H -d) && echo 1 1 # {float_dir} {quantized_dir}"
        self.assert_succeeds("quantize-eval", "--quiet", "--memory_limit", "256M", "--input_list",
                             self.folder / "list.txt", "--encodings", self.folder / "e.json", "--metric_command",
                             command, self.folder / "model.onnx")


if __name__ == "__main__":
    tool_test.main()
