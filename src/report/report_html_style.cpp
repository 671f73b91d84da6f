// report_html_style.cpp: the style sheet and the script of the HTML report.
#include "report/report_html_style.hpp"

namespace halfstep::report::html {

const std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #f6f7f8; --panel: #ffffff; --ink: #1b2026; --muted: #58626d; --rule: #dde1e6; --faint: #eceff2;
  --first: #1f5fbf; --second: #c05a10; --third: #7a3fa8; --good: #17713a; --good-wash: #e2f3e7; --bad: #b3261e; --bad-wash: #fbe6e4;
  --cover: #cfdced; --band: #c3d6ee; --middle: #76a2d6;
  --off1: #f0cf7a; --off2: #e5a04a; --off3: #d26b34; --off4: #a83a32; --off5: #6f1733;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #13161a; --panel: #1b1f25; --ink: #e7eaee; --muted: #a0aab6; --rule: #343b45; --faint: #272d35;
    --first: #74b0f7; --second: #f2a25c; --third: #c99bf0; --good: #6bcf8b; --good-wash: #173423; --bad: #ff8a80; --bad-wash: #43201f;
    --cover: #364a64; --band: #34506f; --middle: #5b90cd;
    --off1: #8a6d2a; --off2: #b5822f; --off3: #d98a3d; --off4: #f3ad72; --off5: #ffe0c2;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.sheet { max-width: 1240px; margin: 0 auto; padding: 28px 24px 56px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; line-height: 1.3; margin: 44px 0 12px; }
h3 { font-size: 16px; line-height: 1.35; margin: 0 0 2px; }
section > h3 { margin-top: 28px; }
h4 { font-size: 13px; line-height: 1.4; margin: 0; font-weight: 600; }
p { margin: 0 0 10px; }
a { color: var(--first); }
code, .name {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.88em;
}
.remark, .sub { color: var(--muted); font-size: 14px; max-width: 80ch; }
.sub { margin: 0; }
header { display: flex; flex-wrap: wrap; gap: 10px 20px; align-items: flex-start; justify-content: space-between; }
header > div { min-width: 0; flex: 1 1 320px; }
.verdict {
  flex: none; font-weight: 650; font-size: 15px; padding: 5px 14px; border-radius: 999px; border: 1px solid;
}
.pass { color: var(--good); }
.fail { color: var(--bad); }
.verdict.pass { background: var(--good-wash); }
.verdict.fail { background: var(--bad-wash); }
nav { margin: 18px 0 0; font-size: 14px; display: flex; flex-wrap: wrap; gap: 4px 18px; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin: 22px 0 0;
  padding: 0; list-style: none;
}
.tile { background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 16px 13px; }
.tile b {
  display: block; font-size: 24px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums;
  letter-spacing: -0.01em;
}
.tile .label, .tile .more { display: block; color: var(--muted); font-size: 13px; }
.panel, .chart, .small {
  background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; margin: 0 0 14px;
}
.panel { padding: 14px 18px; }
.panel ul { margin: 0; padding-left: 18px; }
dl.facts {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 18px; margin: 0; font-size: 14px;
}
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; }
.table-box {
  background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; overflow: auto; margin: 0 0 14px;
  max-height: 78vh;
}
table {
  border-collapse: separate; border-spacing: 0; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums;
}
th, td {
  padding: 6px 10px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--faint);
  overflow-wrap: normal;
}
tbody tr:last-child > * { border-bottom: 0; }
thead th {
  position: sticky; top: 0; z-index: 1; background: var(--panel); border-bottom: 1px solid var(--rule);
  color: var(--muted); font-weight: 600; font-size: 13px; line-height: 1.35; vertical-align: bottom;
}
thead th.n { min-width: 76px; }
thead th.n:first-child { min-width: 0; }
tbody th { font-weight: 400; }
.gates code { white-space: nowrap; }
.metrics tbody th { min-width: 92px; }
.n { text-align: right; }
td.n { white-space: nowrap; }
tbody th.name { min-width: 200px; max-width: 420px; overflow-wrap: anywhere; }
td.text { min-width: 180px; overflow-wrap: anywhere; }
td.text details { margin: 0; }
td.text ul { margin: 0; padding-left: 18px; }
th button { all: unset; cursor: pointer; white-space: inherit; }
th button:hover { color: var(--ink); }
th button:focus-visible, a:focus-visible, summary:focus-visible {
  outline: 2px solid var(--first); outline-offset: 2px; border-radius: 2px;
}
th[aria-sort="ascending"] button::after { content: " \25B2"; font-size: 9px; }
th[aria-sort="descending"] button::after { content: " \25BC"; font-size: 9px; }
tr:target > * { background: var(--bad-wash); }
details { margin: 0 0 14px; }
summary { cursor: pointer; padding: 4px 0; color: var(--first); }
details[open] > summary { margin-bottom: 8px; }
.chart, .small { padding: 14px 18px 10px; }
.chart .remark { margin: 0 0 6px; }
.legend {
  display: flex; flex-wrap: wrap; gap: 2px 18px; list-style: none; margin: 0 0 6px; padding: 0; font-size: 13px;
  color: var(--muted);
}
.swatch { display: inline-block; width: 14px; height: 10px; border-radius: 2px; margin-right: 6px; }
.swatch.whole, .swatch.alone, .swatch.weights { width: 10px; border-radius: 50%; }
.swatch.gate, .swatch.level, .swatch.median { height: 0; border-top: 2px solid; border-radius: 0; vertical-align: 3px; }
.swatch.gate { border-top-style: dashed; border-color: var(--bad); }
.swatch.level { border-top-style: dotted; border-color: var(--muted); }
.swatch.median { border-color: var(--first); }
.swatch.whole, .swatch.value-range, .swatch.bars, .swatch.gain { background: var(--first); }
.swatch.alone { border: 2px solid var(--second); }
.swatch.weights { border: 2px solid var(--third); }
.swatch.loss { background: var(--second); }
.swatch.outside, .swatch.bars-outside { background: var(--bad); }
.swatch.grid-range { background: var(--cover); }
.swatch.band { background: var(--band); }
.swatch.before { background: var(--cover); }
.swatch.after { height: 0; border-top: 2px solid var(--first); border-radius: 0; vertical-align: 3px; }
.swatch.quartiles { background: var(--middle); }
.plot-box { padding: 22px 6px 40px 42px; }
.small .plot-box { padding: 10px 4px 8px 42px; }
.small h4 {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: 12.5px;
}
.small .remark { font-size: 12.5px; margin: 0; }
.flat .plot-box { padding-left: 10px; padding-right: 10px; padding-bottom: 26px; }
.smalls {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 14px;
  margin-top: 8px;
}
.smalls .small { margin: 0; }
svg.plot { display: block; overflow: visible; }
svg text { font-size: 11px; fill: var(--muted); font-variant-numeric: tabular-nums; }
svg text.mark { fill: var(--first); font-weight: 650; paint-order: stroke; stroke: var(--panel); stroke-width: 3px; }
svg path { vector-effect: non-scaling-stroke; stroke-linejoin: round; }
svg .grid { stroke: var(--rule); stroke-width: 1; opacity: 0.75; }
svg .zero { stroke: var(--muted); stroke-width: 1; opacity: 0.7; }
svg circle.whole { fill: var(--first); }
svg path.whole { fill: none; stroke: var(--first); stroke-width: 1.2; opacity: 0.45; }
svg circle.alone { fill: var(--panel); stroke: var(--second); stroke-width: 1.6; }
svg circle.weights { fill: var(--panel); stroke: var(--third); stroke-width: 1.6; }
svg .span { stroke: var(--rule); stroke-width: 1.5; }
svg .level { stroke: var(--muted); stroke-width: 1.5; stroke-dasharray: 2 3; }
svg .gain { fill: var(--first); }
svg .loss { fill: var(--second); }
svg .gate { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 6 4; }
svg .grid-range { fill: var(--cover); }
svg .value-range, svg .bars { fill: var(--first); }
svg .outside, svg .bars-outside { fill: var(--bad); }
svg .band { fill: var(--band); }
svg .quartiles, svg .box { fill: var(--middle); }
svg .whisker { stroke: var(--middle); stroke-width: 1.2; }
svg .median { stroke: var(--first); stroke-width: 1.4; fill: none; }
svg .before { fill: var(--cover); }
svg .after { stroke: var(--first); stroke-width: 1.4; fill: none; }
svg .ruler { stroke: var(--muted); stroke-width: 1; }
svg .hit { fill: transparent; }
svg .hit:hover { fill: var(--ink); opacity: 0.08; }
.swatch.off1, svg .off1 { background: var(--off1); fill: var(--off1); }
.swatch.off2, svg .off2 { background: var(--off2); fill: var(--off2); }
.swatch.off3, svg .off3 { background: var(--off3); fill: var(--off3); }
.swatch.off4, svg .off4 { background: var(--off4); fill: var(--off4); }
.swatch.off5, svg .off5 { background: var(--off5); fill: var(--off5); }
footer { margin-top: 40px; color: var(--muted); font-size: 13px; }
@media (max-width: 640px) {
  .sheet { padding: 18px 14px 40px; }
  h1 { font-size: 22px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; }
  .tile { padding: 10px 12px; }
  .tile b { font-size: 20px; }
  .chart, .small, .panel { padding-left: 12px; padding-right: 12px; }
  dl.facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dl.facts dd { margin-bottom: 8px; }
  td, th { padding: 6px 9px; }
  td.text { min-width: 130px; }
  td.op { max-width: 84px; overflow-wrap: anywhere; }
  tbody th.name { min-width: 140px; max-width: 170px; }
  .plot-box { padding-left: 34px; padding-right: 2px; }
}
@media print {
  .table-box { max-height: none; overflow: visible; }
  .chart, .small, .tile { break-inside: avoid; }
}
)css";

const std::string_view kScript = R"js(
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const is_number = head.classList.contains("n");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const x = key(a), y = key(b);
        if (!is_number) return (ascending ? 1 : -1) * x.localeCompare(y);
        if (x === "" || y === "") return (x === "") - (y === "");
        return (ascending ? 1 : -1) * (Number(x) - Number(y));
      });
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      table.tBodies[0].append(...rows);
    });
  });
}
)js";

}  // namespace halfstep::report::html
