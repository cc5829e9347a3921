"""How long the report of a large study takes, how large its page is, and how fast it opens.

    python benchmarks/report.py               # 1,000 cells, three seeds each
    python benchmarks/report.py --cells 200 --clips 1000
    python benchmarks/report.py ablations/factorization.yaml ablations/depth.yaml

Records with their curves and predictions are written as if all cells had run; then `--report` is a
process of its own. In a second one, that draws its figures alone, every table, figure and part of
the page is timed. The page is opened in a headless Chromium where there is one.
"""

import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from shared import ROOT, options, run_command

from benchmarks.nothing.results import fill, write_study

MOST_SHOWN = 10  # of what takes longest

MEASURED = """
import json, sys, time
sys.path.insert(0, {root!r})
spent = {{"imports": time.process_time()}}
import run_study
import analysis.report.report as report, analysis.report.terminal as terminal
import analysis.figures.side_by_side as figures
spent["imports"] = time.process_time() - spent["imports"]
def timed(name, function):
    def call(*arguments):
        start = time.process_time()
        try:
            return function(*arguments)
        finally:
            key = name(*arguments)
            spent[key] = spent.get(key, 0.0) + time.process_time() - start
    return call
find = report.load_object
def resolved(entry):
    name = entry.split(":")[1].replace("_table", "")
    return timed(lambda *_: f"table {{name}}", find(entry))
report.load_object = resolved
report._write_table = timed(lambda _, table: "renderings of tables", report._write_table)
figures._processes = lambda _: 1
figures.save_figure = timed(lambda name, *_: f"figure {{name}}", figures.save_figure)
report._render = timed(lambda name, _: name, report._render)
for name in ("look_at_claims", "cell_sections", "embedded", "write_methods", "answer_lines"):
    setattr(report, name, timed(lambda *_, name=name: name, getattr(report, name)))
write = terminal.write_report
def whole(*arguments):
    spent["plan and records"] = time.process_time() - spent["imports"]
    return write(*arguments)
terminal.write_report = whole
code = run_study.main({argv!r})
print(json.dumps(spent), file=sys.stderr)
sys.exit(code)
"""


def main() -> int:
    """Measure and print."""
    counts = {"cells": (1000, "a multiple of 100"), "clips": (200, "of the test split")}
    parser = options(__doc__, **counts)
    parser.add_argument("studies", nargs="*", type=Path, metavar="STUDY", help="instead of cells")
    parser.add_argument("--keep", type=Path, help="a folder for the study, kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = args.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        if not args.studies:
            args.studies = [write_study(place, args.cells)]
            with args.studies[0].open("a", encoding="utf-8") as file:
                file.write("seeds: [0, 1, 2]\n")
        for study in args.studies:
            fill(study, args.clips, place / "results")
            open_page(make_report(study, place / "results"))
    return 0


def make_report(study: Path, results: Path) -> Path:
    """Time the command; print what it took, what of it took longest, and the size of the page."""
    argv = [str(study), "--report", "--results", str(results)]
    start, before = time.perf_counter(), processor_seconds()
    run_command("run_study.py", *argv)
    wall, own = time.perf_counter() - start, processor_seconds() - before
    page = results / study.stem / "report.html"
    size = page.stat().st_size / 1e6
    print(f"--report {study.stem}: {wall:.1f} s, of processor time {own:.1f} s; page {size:.1f} MB")
    done = run_command("-c", MEASURED.format(root=str(ROOT), argv=argv))
    spent = json.loads(done.stderr.splitlines()[-1])
    for name in sorted(spent, key=lambda name: -spent[name])[:MOST_SHOWN]:
        print(f"  {name}: {spent[name]:.1f} s", flush=True)
    return page


def processor_seconds() -> float:
    """Of processes that ended, which other work on the machine disturbs less than the clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def open_page(page: Path) -> None:
    """Print how long a browser takes until the page's script has run, and to sort and draw."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("not opened: no playwright or no Chromium")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        start = time.perf_counter()
        tab.goto(f"file://{page.resolve()}")
        opened = time.perf_counter() - start
        sort = "document.querySelectorAll('[data-name=table] th button')[3].click()"
        redraw = "document.querySelector('[name=logy]').click()"
        took = [
            tab.evaluate(
                f"() => {{ const start = performance.now(); {one}; document.body.offsetHeight;"
                " return performance.now() - start; }"
            )
            for one in (sort, redraw)
        ]
        print(f"opened in {opened:.1f} s; sort {took[0]:.0f} ms, redraw {took[1]:.0f} ms")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
