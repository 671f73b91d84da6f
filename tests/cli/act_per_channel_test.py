"""act_per_channel_test.py: activations with a grid for each channel, from calibration to every file and back."""

import json
import math
import struct

import onnx_wire as wire
import tool_test


class ChannelGrids(tool_test.ToolTest):
    """x [1, 2, 6, 6] -> Conv 1x1 to 4 channels, far apart -> depthwise Conv -> Conv 1x1 -> y."""

    def setUp(self):
        super().setUp()
        expand = [factor * v for factor, v in zip((8, 8, 1, 1, 0.125, 0.125, 0.01, 0.01), (1, -1, 1, 1, -1, 1, 1, 0.5))]
        depthwise = [math.cos(i) * (0.1, 1, 8, 100)[i // 9] for i in range(36)]
        project = [math.sin(i + 1) for i in range(8)]
        nodes = [wire.node("Conv", ["x", "w1", "b1"], ["wide"]), wire.node("Conv", ["wide", "w2"], ["d"], group=4),
                 wire.node("Conv", ["d", "w3"], ["y"])]
        self.model = self.write("m.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 2, 6, 6])], [wire.value_info("y")],
            [wire.tensor("w1", [4, 2, 1, 1], expand), wire.tensor("b1", [4], [0.5, -0.25, 0.01, 0.0]),
             wire.tensor("w2", [4, 1, 3, 3], depthwise), wire.tensor("w3", [2, 4, 1, 1], project)])))
        for i in range(3):
            self.write_floats(f"{i}.raw", [math.sin(0.37 * (k + 72 * i)) * 2 for k in range(72)])
        self.samples = self.write("list.txt", "0.raw\n1.raw\n2.raw\n")

    def quantize(self, *options):
        # Ranges alone: the encodings are for the float model as it came.
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", self.samples, "--output_path",
                             "q.onnx", *options, self.model)
        return json.loads((self.work / "q.report.json").read_text())["outputs"][0]["sqnr_db"]

    def dump(self, mode, *model):
        folder = f"{mode}{len(model)}"
        self.assert_succeeds("quantize-run", "--quiet", "--input_list", self.samples, "--mode", mode, "--output_dir",
                             folder, "--dump_tensors", "all", *model)
        return {str(file.relative_to(self.work / folder)): file.read_bytes()
                for file in sorted((self.work / folder).rglob("*.raw"))}

    def test_each_channel_is_observed_on_its_own(self):
        whole = self.quantize("--encodings_version", "1.0.0")
        channels = self.quantize("--encodings_version", "1.0.0", "--act_per_channel", "depthwise")
        self.assertGreater(channels, whole + 6)
        entries = {e["name"]: e for e in json.loads((self.work / "q.encodings.json").read_text())["activation_encodings"]}
        self.assertEqual(entries["wide"]["enc_type"], "PER_CHANNEL")
        self.assertEqual(len(entries["wide"]["scale"]), 4)
        self.assertGreater(entries["wide"]["scale"][0], 100 * entries["wide"]["scale"][3])
        for name in ("x", "d", "y"):
            self.assertEqual(entries[name]["enc_type"], "PER_TENSOR")

    def test_every_version_reads_back_what_was_written(self):
        for power in ([], ["--scale", "power_of_two"]):
            for version in ("0.6.1", "1.0.0", "2.0.0"):
                with self.subTest(version=version, options=power):
                    self.quantize("--encodings_version", version, "--act_per_channel", "depthwise", *power)
                    for mode in ("fixed", "simulated"):
                        written = self.dump(mode, "q.onnx")
                        read_back = self.dump(mode, "--encodings", "q.encodings.json", self.model)
                        self.assertEqual(set(written), set(read_back))
                        self.assertEqual([n for n in written if written[n] != read_back[n]], [])

    def test_simulated_products_are_the_integers(self):
        self.quantize("--act_per_channel", "depthwise")
        fixed, simulated = self.dump("fixed", "q.onnx"), self.dump("simulated", "q.onnx")
        for name, data in simulated.items():
            count = len(data) // 4
            reals = [struct.unpack(f"<{count}f", values) for values in (data, fixed[name])]
            different = sum(a != b for a, b in zip(*reals))
            self.assertLessEqual(different, count // 100, name)


class ChannelClamps(tool_test.ToolTest):
    """x -> Conv -> Max [3, 1, 1] -> Min [3, 1, 1] -> Conv -> y"""

    def test_one_step_that_reads_back_as_it_was_written(self):
        nodes = [wire.node("Conv", ["x", "w1"], ["c"]), wire.node("Max", ["c", "lo"], ["m"]),
                 wire.node("Min", ["m", "hi"], ["a"]), wire.node("Conv", ["a", "w2"], ["y"])]
        model = self.write("m.onnx", wire.model(wire.graph(
            nodes, [wire.value_info("x", [1, 2, 5, 5])], [wire.value_info("y")],
            [wire.tensor("w1", [3, 2, 1, 1], [math.sin(i) for i in range(6)]),
             wire.tensor("lo", [3, 1, 1], [0.0, -0.25, 0.1]), wire.tensor("hi", [3, 1, 1], [0.5, 1.0, 0.75]),
             wire.tensor("w2", [2, 3, 1, 1], [math.cos(i) for i in range(6)])])))
        self.write_floats("0.raw", [math.sin(0.37 * k) * 2 for k in range(50)])
        samples = self.write("list.txt", "0.raw\n")
        self.assert_succeeds("quantize", "--quiet", "--effort", "fast", "--input_list", samples, "--output_path",
                             "q.onnx", model)
        self.assertGreater(json.loads((self.work / "q.report.json").read_text())["outputs"][0]["sqnr_db"], 33)
        shown = [self.assert_succeeds("quantize-inspect", name).stdout for name in (model, "q.onnx")]
        for text in shown:
            self.assertIn("Conv+clamp[-0.25, 1] by channel", text)
            self.assertNotIn("Max", text)
        outputs = []
        for arguments in (["q.onnx"], ["--encodings", "q.encodings.json", model]):
            for mode in ("fixed", "simulated"):
                folder = f"{mode}{len(arguments)}"
                self.assert_succeeds("quantize-run", "--quiet", "--input_list", samples, "--mode", mode, "--output_dir",
                                     folder, *arguments)
                (file,) = (self.work / folder).rglob("y.raw")
                outputs.append(file.read_bytes())
        self.assertEqual(len(set(outputs)), 1)


if __name__ == "__main__":
    tool_test.main()
