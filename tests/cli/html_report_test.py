"""html_report_test.py: the HTML report of the digits model in a headless Chromium, on a desk and on a phone.

Exits with 77, which CTest shows as skipped, where no Chromium is installed.
HALFSTEP_SCREENSHOTS=FOLDER keeps the pictures.
"""

import json
import os
import pathlib
import struct
import sys

import chromium
import tool_test
from tool_test import DIGITS

SKIPPED = 77
DESK, PHONE = (1280, 900, False), (390, 844, True)
# Of a text's luminance to its ground's: WCAG 2, level AA.
MIN_CONTRAST = 4.5

CONTRAST = """
(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = channels(color).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)" && color !== "transparent") return color;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = 21, where = "";
  for (const e of document.querySelectorAll("h1, h2, h3, p, a, th, td, li, dt, dd, summary, svg text")) {
    if (!e.textContent.trim()) continue;
    const style = getComputedStyle(e);
    const ink = e instanceof SVGElement ? (e.tagName === "text" ? style.fill : null) : style.color;
    if (!ink || !ink.startsWith("rgb(")) continue;
    const [x, y] = [luminance(ink), luminance(ground(e))];
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    if (ratio < worst) {
      worst = ratio;
      where = e.tagName + "." + e.getAttribute("class") + " " + e.textContent.slice(0, 40);
    }
  }
  return [worst, where];
})()
"""


class HtmlReport(tool_test.ToolTest):
    """The page, as a person sees it."""

    def setUp(self):
        super().setUp()
        self.assert_succeeds("quantize", "--quiet", "--input_list", DIGITS / "calib.txt", DIGITS / "digits.onnx")
        self.assert_succeeds("quantize-eval", "--quiet", "--mode", "both", "--input_list", DIGITS / "calib.txt",
                             "--min_sqnr_db", "20", "--min_top1_agreement", "90", "--report", "page.html", "--report",
                             "page.json", DIGITS / "digits.onnx", "digits.quantized.onnx")
        self.page = self.work / "page.html"
        self.browser = chromium.Browser(self.folder / "profile")
        self.addCleanup(self.browser.__exit__)

    def open(self, screen, scheme="light"):
        """Opens the page on a screen."""
        self.browser.screen(*screen, scheme)
        self.browser.open(self.page.as_uri())

    def test_opens_quietly_and_fits_every_screen(self):
        for screen, name in ((DESK, "desk"), (PHONE, "phone")):
            for scheme in ("light", "dark"):
                with self.subTest(screen=name, scheme=scheme):
                    self.open(screen, scheme)
                    width = self.browser.evaluate("document.documentElement.scrollWidth")
                    self.assertLessEqual(width, screen[0], "the page is wider than the screen")
                    self.assertEqual(self.browser.evaluate("innerWidth"), screen[0])
                    worst, where = self.browser.evaluate(CONTRAST)
                    self.assertGreaterEqual(worst, MIN_CONTRAST, where)
                    picture = self.browser.screenshot(whole_page=True)
                    self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
                    shown_width, shown_height = struct.unpack(">II", picture[16:24])
                    self.assertEqual(shown_width, screen[0])
                    self.assertGreater(shown_height, 2000)
                    if folder := os.environ.get("HALFSTEP_SCREENSHOTS"):
                        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
                        (pathlib.Path(folder) / f"digits_{name}_{scheme}.png").write_bytes(picture)
        self.assertEqual(self.browser.complaints, [])
        own = (self.page.as_uri(), "data:", "about:")
        outside = [url for url in self.browser.requests if not url.startswith(own)]
        self.assertEqual(outside, [])

    def test_shows_what_the_json_report_says(self):
        report = json.loads((self.work / "page.json").read_text())
        self.open(DESK)
        names = self.browser.evaluate("[...document.querySelectorAll('table.layers tbody th')].map(e => e.textContent)")
        self.assertEqual(names, [layer["name"] for layer in report["layers"]])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('table.gates tbody tr').length"), 2)
        headings = self.browser.evaluate("[...document.querySelectorAll('h3')].map(e => e.textContent)")
        for heading in ("SQNR by layer", "Codes that differ", "Activation ranges by layer",
                        "Histograms of the worst tensors", "Weight ranges by channel"):
            self.assertIn(heading, headings)
        for mark in ("circle.whole", "circle.alone", "line.gate", "rect.grid-range", "path.bars"):
            self.assertGreater(self.browser.evaluate(f"document.querySelectorAll('svg {mark}').length"), 0, mark)

    def test_page_of_quantize_shows_ranges_and_histograms(self):
        self.assert_succeeds("quantize", "--quiet", "--input_list", DIGITS / "calib.txt", "--act_quantizer_calibration",
                             "mse", "--report", "quantize.html", DIGITS / "digits.onnx")
        self.page = self.work / "quantize.html"
        for screen in (DESK, PHONE):
            self.open(screen)
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), screen[0])
        rows = "document.querySelectorAll('#ranges %s tbody tr').length"
        self.assertGreater(self.browser.evaluate(rows % "> .table-box"), 10)
        self.assertEqual(self.browser.evaluate(rows % "details"), 18)
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('#ranges figure').length"), 12)
        places = self.browser.evaluate("[...document.querySelectorAll('table.layers tbody tr')]"
                                       ".map(e => [Number(e.cells[0].dataset.v), e.cells[1].textContent])")
        self.assertEqual(dict(places)[1], "image")
        self.assertEqual(dict(places)[len(places)], "logits")
        self.assertEqual(self.browser.complaints, [])

    def test_page_of_tuning_shows_what_algorithms_did(self):
        command = ("quantize", "--quiet", "--effort", "fast", "--input_list", DIGITS / "calib.txt", "--algorithms",
                   "equalize", DIGITS / "digits.onnx", "--report")
        self.assert_succeeds(*command, "tuned.html")
        self.assert_succeeds(*command, "tuned.json")
        report = json.loads((self.work / "tuned.json").read_text())
        self.page = self.work / "tuned.html"
        for screen in (DESK, PHONE):
            self.open(screen)
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), screen[0])
            worst, where = self.browser.evaluate(CONTRAST)
            self.assertGreaterEqual(worst, MIN_CONTRAST, where)
        names = self.browser.evaluate("[...document.querySelectorAll('table.tuning tbody th')].map(e => e.textContent)")
        self.assertEqual(names, [step["algorithms"] for step in report["tuning"]])
        self.assertEqual(names, ["equalize"])
        for mark in ("path.before", "path.after"):
            self.assertEqual(self.browser.evaluate(f"document.querySelectorAll('#algorithms svg {mark}').length"), 10)
        self.assertEqual(self.browser.complaints, [])

    def test_page_of_sensitivities(self):
        self.assert_succeeds("quantize-sensitivity", "--quiet", "--no_cache", "--samples", 3, "--input_list",
                             DIGITS / "calib.txt", "--report", "layers.html", "--report", "layers.json",
                             DIGITS / "digits.onnx", "digits.quantized.onnx")
        report = json.loads((self.work / "layers.json").read_text())
        self.page = self.work / "layers.html"
        for screen in (DESK, PHONE):
            for scheme in ("light", "dark"):
                self.open(screen, scheme)
                self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), screen[0])
                worst, where = self.browser.evaluate(CONTRAST)
                self.assertGreaterEqual(worst, MIN_CONTRAST, where)
        names = "[...document.querySelectorAll('table.layers tbody th')].map(e => e.textContent)"
        self.assertEqual(self.browser.evaluate(names), report["by_cost"])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('svg circle.whole').length"),
                         len(report["groups"]))
        missing = self.browser.evaluate("[...document.querySelectorAll('svg a')].map(a => a.getAttribute('href'))"
                                        ".filter(href => !document.getElementById(href.slice(1)))")
        self.assertEqual(missing, [])
        self.browser.evaluate("[...document.querySelectorAll('table.layers thead th')]"
                              ".find(e => e.textContent === 'only it dB').querySelector('button').click()")
        alone = {group["name"]: group["enable_one"]["both"]["sqnr_db"] for group in report["groups"]}
        self.assertEqual([alone[name] for name in self.browser.evaluate(names)], sorted(alone.values()))
        self.assertEqual(self.browser.complaints, [])

    def test_columns_sort(self):
        self.open(DESK)
        figures = "[...document.querySelectorAll('table.layers tbody tr')].map(e => Number(e.cells[%d].dataset.v))"
        by_sqnr = self.browser.evaluate(figures % 3)
        self.assertEqual(by_sqnr, sorted(by_sqnr))
        self.browser.evaluate("document.querySelector('table.layers thead button').click()")
        places = self.browser.evaluate(figures % 0)
        self.assertEqual(places, sorted(places))
        self.assertNotEqual(by_sqnr, self.browser.evaluate(figures % 3))
        self.browser.evaluate("document.querySelector('table.layers thead button').click()")
        self.assertEqual(self.browser.evaluate(figures % 0), places[::-1])
        self.assertEqual(self.browser.complaints, [])

    def test_charts_lead_to_the_lines_of_the_table(self):
        self.open(DESK)
        missing = self.browser.evaluate("[...document.querySelectorAll('svg a')].map(a => a.getAttribute('href'))"
                                        ".filter(href => !document.getElementById(href.slice(1)))")
        self.assertEqual(missing, [])
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('[id]').length"),
                         self.browser.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"))


if __name__ == "__main__":
    if chromium.find() is None:
        print("SKIPPED: html_report_test: no Chromium is installed (apt-get install chromium)")
        sys.exit(SKIPPED)
    tool_test.main()
