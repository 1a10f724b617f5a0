"""How the report looks: calm, on a phone and on paper too, light or dark as the reader's system is."""

CSS = """
:root { --ink: #1b1f24; --soft: #5b6570; --line: #e3e6ea; --paper: #ffffff; --accent: #0072B2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a3acb6; --line: #363c44; --paper: #16191d; --accent: #56B4E9; }
  figure img { background: #fff; border-radius: 6px; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
.name { color: var(--soft); margin: 0; letter-spacing: .02em; }
h1 { font-size: clamp(2.8rem, 9vw, 4.5rem); line-height: 1.1; margin: .2rem 0; color: var(--accent); font-weight: 650; }
.lead { font-size: 1.15rem; max-width: 46rem; margin-top: .2rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; }
figure { margin: 0; } figure img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: var(--soft); font-size: .92rem; margin-top: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: min(100%, 34rem); }
th, td { text-align: right; padding: .32rem .9rem; border-bottom: 1px solid var(--line); }
th:first-child, details th, details td { text-align: left; } th[scope=row] { font-weight: 500; overflow-wrap: anywhere; min-width: 6rem; } details th[scope=row] { min-width: 11rem; }
td { white-space: nowrap; } details td { white-space: normal; overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 500; }
dt { color: var(--soft); } dd { margin: .1rem 0 .8rem; }
code { background: color-mix(in srgb, var(--soft) 14%, transparent); padding: .25em .5em; border-radius: 5px; overflow-wrap: anywhere; }
details { margin-top: 2.6rem; } summary { cursor: pointer; font-weight: 600; }
@media (max-width: 40rem) { figure img.broad { max-width: none; width: 44rem; } table { font-size: .9rem; } th, td { padding: .32rem .3rem; } }
@media print { figure, tr { break-inside: avoid; } h2 { break-after: avoid; } main { padding: 0; } figure img.broad { max-width: 100%; } }
"""
