"""install_test.py: the installed library serves an outside project, and the installed tools run and find their recipes.

What the build knows (compiler, generator, sanitizers) is read from the
CMakeCache.txt beside the folder of the tools.
"""

import gzip
import pathlib
import re
import subprocess
import tempfile
import unittest

import tool_test
from tool_test import DIGITS, TOOLS

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTSIDE = ROOT / "tests" / "cli" / "outside_project"


class Install(unittest.TestCase):
    """cmake --install into a temporary prefix, once for all tests."""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="halfstep_install_")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.prefix = cls.folder / "prefix"
        build = pathlib.Path(tool_test.ToolTest.tools_folder).parent
        cls.cache = dict(re.findall(r"^(\w+):\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE))
        cls.command([cls.cache["CMAKE_COMMAND"], "--install", build, "--prefix", cls.prefix])

    @classmethod
    def command(cls, arguments, cwd=None):
        """Runs a command that must succeed; what it printed."""
        finished = subprocess.run(list(map(str, arguments)), cwd=cwd, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise AssertionError(f"{arguments} ended with {finished.returncode}\n{finished.stdout}{finished.stderr}")
        return finished.stdout

    def test_outside_project_quantizes_a_model(self):
        build = self.folder / "outside"
        flags = f"-fsanitize={self.cache['HALFSTEP_SANITIZE']}" if self.cache.get("HALFSTEP_SANITIZE") else ""
        cmake = self.cache["CMAKE_COMMAND"]
        self.command([cmake, "-S", OUTSIDE, "-B", build, "-G", self.cache["CMAKE_GENERATOR"],
                      f"-DCMAKE_CXX_COMPILER={self.cache['CMAKE_CXX_COMPILER']}", f"-DCMAKE_CXX_FLAGS={flags}",
                      f"-DCMAKE_BUILD_TYPE={self.cache['CMAKE_BUILD_TYPE']}", f"-DCMAKE_PREFIX_PATH={self.prefix}"])
        self.command([cmake, "--build", build])
        printed = self.command([build / "outside", DIGITS / "digits.onnx", DIGITS / "calib.txt"], cwd=self.folder)
        self.assertRegex(printed, r"^halfstep \d+\.\d+\.\d+ wrote outside.onnx\n$")
        for name in ("outside.onnx", "outside.encodings.json", "outside.report.json"):
            self.assertTrue((self.folder / name).is_file(), name)

    def test_installed_tools_run(self):
        for tool in TOOLS:
            with self.subTest(tool=tool):
                self.assertTrue(self.command([self.prefix / "bin" / tool, "--version"]).startswith("halfstep "))

    def test_installed_recipes_are_found(self):
        printed = self.command([self.prefix / "bin" / "quantize", "--config", "tidl-simple", "--explain",
                                DIGITS / "digits.onnx"])
        self.assertRegex(printed, r"(?m)^scale +power_of_two +recipe tidl-simple$")

    def test_manual_pages_and_completions_are_installed(self):
        share = self.prefix / "share"
        for tool in TOOLS:
            page = gzip.decompress((share / "man" / "man1" / f"{tool}.1.gz").read_bytes())
            self.assertTrue(page.startswith(b".TH "), tool)
            for file in ("bash-completion/completions/" + tool, "zsh/site-functions/_" + tool):
                self.assertIn(tool, (share / file).read_text())

    def test_notice_names_every_library_that_is_linked(self):
        listed = (ROOT / "cmake" / "halfstep_libraries.cmake").read_text()
        lists = re.findall(r"(?:set\(|APPEND )HALFSTEP_LINKED_PACKAGES ([^)]*)\)", listed)
        packages = {name for text in lists for name in text.split()}
        self.assertIn("libprotobuf-dev", packages)
        words = (self.prefix / "share" / "doc" / "halfstep" / "NOTICE").read_text().split()
        self.assertEqual(packages - set(words), set())

    def test_only_public_headers_are_installed(self):
        headers = [p.relative_to(self.prefix / "include") for p in (self.prefix / "include").rglob("*.hpp")]
        self.assertIn(pathlib.Path("halfstep/quantize.hpp"), headers)
        self.assertEqual({header.parts[0] for header in headers}, {"halfstep"})


if __name__ == "__main__":
    tool_test.main()
