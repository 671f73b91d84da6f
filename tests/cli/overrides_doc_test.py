"""overrides_doc_test.py: the commands of docs/overrides.md, run on the bundled digits model."""

import pathlib
import shutil
import subprocess

import tool_test
from ci_example_test import DOCS, shell_blocks
from tool_test import DIGITS


class Page(tool_test.ToolTest):
    """Blocks share a folder: later ones use files of earlier ones."""

    def test_every_block_ends_as_it_says(self):
        for name, source in {"model.onnx": "digits.onnx", "calib.txt": "calib.txt"}.items():
            shutil.copy(DIGITS / source, self.work / name)
        shutil.copytree(DIGITS / "calib", self.work / "calib")
        blocks = shell_blocks((DOCS / "overrides.md").read_text())
        self.assertGreaterEqual(len(blocks), 6)
        for code, commands in blocks:
            path = f"PATH={pathlib.Path(self.tools_folder).resolve()}:$PATH; set -e\n"
            finished = subprocess.run(["sh", "-c", path + commands], cwd=self.work, capture_output=True, text=True)
            self.assertEqual(finished.returncode, code, commands + finished.stdout + finished.stderr)

    def test_encodings_that_were_written_give_the_same_model(self):
        self.assert_succeeds("quantize", "--effort", "fast", "--input_list", DIGITS / "calib.txt", "--output_path",
                             "once.onnx", DIGITS / "digits.onnx")
        self.assert_succeeds("quantize", "--effort", "fast", "--quantization_overrides", "once.encodings.json",
                             "--output_path", "again.onnx", DIGITS / "digits.onnx")
        self.assertEqual((self.work / "once.onnx").read_bytes(), (self.work / "again.onnx").read_bytes())


if __name__ == "__main__":
    tool_test.main()
