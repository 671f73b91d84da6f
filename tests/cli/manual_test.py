"""manual_test.py: manual pages and completions, made of the options that --help prints, and what --version says."""

import gzip
import os
import pathlib
import re
import shutil
import subprocess

import tool_test
from tool_test import TOOLS, USAGE

# Runs a completion as bash does: the words typed so far, the last of them unfinished.
COMPLETE = r"""
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
function=$(complete -p "$1")
function=${function#complete -F }
${function%% *}
printf '%s\n' "${COMPREPLY[@]}"
"""


class Manual(tool_test.ToolTest):
    """Every form comes from the parser itself, so nothing may be missing in one of them."""

    def options(self, tool):
        """Names of all options in --help."""
        text = self.assert_succeeds(tool, "--help").stdout
        return set(re.findall(r"(?m)^  (?:-h,)?(--\w+)", text))

    def generate(self, tool, form):
        return self.assert_succeeds(tool, "--generate", form).stdout

    def complete(self, *words):
        """What bash offers for the last word."""
        script = self.folder / f"{words[0]}.bash"
        script.write_text(self.generate(words[0], "bash"))
        finished = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", str(script), *words], cwd=self.work,
                                  capture_output=True, text=True, check=True)
        return sorted(line for line in finished.stdout.splitlines() if line)

    def test_version(self):
        for tool in TOOLS:
            with self.subTest(tool=tool):
                lines = self.assert_succeeds(tool, "--version").stdout.splitlines()
                self.assertEqual(len(lines), 4)
                self.assertRegex(lines[0], r"^halfstep \d+\.\d+\.\d+$")
                self.assertRegex(lines[1], r"^commit (unknown|[0-9a-f]{12,}(-dirty)?|v?\d.*)$")
                self.assertRegex(lines[2], r"^compiler (GNU|Clang) \d+\.\d+")
                self.assertRegex(lines[3], r"^instruction set \w+$")

    def test_version_names_a_commit_of_this_repository(self):
        source = pathlib.Path(__file__).resolve().parents[2]
        name = self.assert_succeeds("quantize", "--version").stdout.splitlines()[1].split()[1].removesuffix("-dirty")
        if name == "unknown" or not (source / ".git").exists():
            self.skipTest("the sources are in no repository")
        subprocess.run(["git", f"--git-dir={source}/.git", "cat-file", "-e", name + "^{commit}"], check=True)

    def test_instruction_set_is_the_one_asked_for(self):
        os.environ["HALFSTEP_ISA"] = "baseline"
        self.addCleanup(os.environ.pop, "HALFSTEP_ISA")
        self.assertIn("\ninstruction set baseline\n", self.assert_succeeds("quantize", "--version").stdout)

    def test_every_option_is_in_every_form(self):
        for tool in TOOLS:
            options = self.options(tool)
            self.assertGreater(len(options), 8)
            page = re.sub(r"\\f[BIR]", "", self.generate(tool, "man")).replace("\\-", "-")
            self.assertEqual(set(re.findall(r"(?m)^\.TP\n(?:-h, )?(--\w+)", page)), options, tool)
            self.assertEqual(set(re.findall(r"(?m)^  '\*?(--\w+)", self.generate(tool, "zsh"))), options, tool)
            self.assertEqual(set(self.complete(tool, "--")), options, tool)

    def test_the_page_has_what_help_has(self):
        page = self.generate("quantize-eval", "man")
        for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "OPTIONS", "ENVIRONMENT", "EXAMPLE", "NOTES",
                        "EXIT STATUS", "SEE ALSO"):
            self.assertIn(f"\n.SH {heading}\n", page)
        self.assertIn("\n.SS Gates (exit status 6 if one is missed)\n", page)
        self.assertIn("\nquantize\\-eval \\- runs a float model and its quantized form", page)
        self.assertIn("6 accuracy gate missed.\n", page)
        self.assertIn("Default: fixed.\n", page)
        for tool in TOOLS:
            if tool != "quantize-eval":
                self.assertIn("\\fB" + tool.replace("-", "\\-") + "\\fR(1)", page)

    def test_pages_are_clean_roff(self):
        groff = shutil.which("groff")
        if groff is None:
            self.skipTest("no groff")
        for tool in TOOLS:
            finished = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-z"], input=self.generate(tool, "man"),
                                      capture_output=True, text=True, check=False)
            self.assertEqual((finished.returncode, finished.stderr), (0, ""), tool)

    def test_build_leaves_what_is_installed(self):
        share = pathlib.Path(self.tools_folder).parent / "share"
        for tool in TOOLS:
            page = gzip.decompress((share / "man" / "man1" / f"{tool}.1.gz").read_bytes()).decode()
            self.assertEqual(page, self.generate(tool, "man"))
            for form, file in (("bash", "bash-completion/completions/" + tool), ("zsh", "zsh/site-functions/_" + tool)):
                self.assertEqual((share / file).read_text(), self.generate(tool, form))

    def test_bash_completes_values(self):
        (self.work / "digits.onnx").touch()
        (self.work / "list.txt").touch()
        (self.work / "models").mkdir()
        for words, offered in (
                (["quantize", "--act_bit"], ["--act_bitwidth"]),
                (["quantize", "--act-bit"], ["--act_bitwidth"]),
                (["quantize", "--act_bitwidth", ""], ["16", "32", "8"]),
                (["quantize", "--act-bitwidth", "3"], ["32"]),
                (["quantize", "--scale", "=", "p"], ["power_of_two"]),
                (["quantize", "--scale", "="], ["affine", "power_of_two"]),
                (["quantize", "--dynamic", "=", "t"], ["true"]),
                (["quantize", "--dynamic", "d"], ["digits.onnx"]),  # May stand alone: the model follows.
                (["quantize", "--input_list", ""], ["digits.onnx", "list.txt", "models"]),
                (["quantize", "--validate", ""], []),
                (["quantize", "--validate", "="], []),
                (["quantize-eval", "--mode", ""], ["both", "fixed", "simulated"]),
                (["quantize-eval", ""], ["digits.onnx", "models"])):
            with self.subTest(words=words):
                self.assertEqual(self.complete(*words), offered)

    def test_zsh_reads_its_file(self):
        zsh = shutil.which("zsh")
        if zsh is None:
            self.skipTest("no zsh")
        for tool in TOOLS:
            script = self.folder / f"_{tool}"
            script.write_text(self.generate(tool, "zsh"))
            subprocess.run([zsh, "-f", "-n", str(script)], check=True)

    def test_unknown_form(self):
        self.assert_fails(USAGE, ["--generate", "fish", "man"], "quantize", "--generate", "fish")


if __name__ == "__main__":
    tool_test.main()
