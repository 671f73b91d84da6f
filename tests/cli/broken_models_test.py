"""broken_models_test.py: every malformed or hostile model gives one line and the documented exit code.

Each case of the two tables runs through quantize and, unless only calibration
can see the fault, through quantize-inspect.
"""

import broken_operand_cases
import broken_structure_cases
import tool_test


class BrokenModels(tool_test.ToolTest):
    """One test method a case, made below."""

    def check(self, codes, words, content, only_quantize):
        """`codes` is an exit code or a tuple of codes either of which is right."""
        model = self.write("model.onnx", content)
        samples = self.write_list()
        runs = [("quantize", "--quiet", "--input_list", samples, model)]
        if not only_quantize:
            runs.append(("quantize-inspect", model))
        for run in runs:
            with self.subTest(tool=run[0]):
                self.check_run(codes, words, run)

    def check_run(self, codes, words, run):
        """One tool."""
        if isinstance(codes, tuple):
            self.assert_fails_with_one_of(codes, words, *run)
        else:
            self.assert_fails(codes, words, *run)

    def assert_fails_with_one_of(self, codes, words, *run):
        """As assert_fails, for a fault that two codes describe equally well."""
        code = self.run_tool(*run).code
        self.assertIn(code, codes)
        self.assert_fails(code, words, *run)


def add_cases(module):
    """Turns a table into test methods."""
    for name, (codes, words, content) in module.CASES.items():
        only_quantize = name in getattr(module, "ONLY_QUANTIZE", ())

        def method(self, codes=codes, words=words, content=content, only_quantize=only_quantize):
            self.check(codes, words, content, only_quantize)

        setattr(BrokenModels, "test_" + name, method)


add_cases(broken_structure_cases)
add_cases(broken_operand_cases)

if __name__ == "__main__":
    tool_test.main()
