"""`report.html` in a real browser: what it shows, what its controls do, and that nothing leaves it.

The truth is the records' own statistics and the tables' own renderings, read back from the page.
"""

import csv
import dataclasses
import io
import itertools
import math
import re
import shutil

import pytest
import yaml

from analysis.figures.style import looks
from analysis.report.report import write_report
from analysis.results.results import Results
from study.records.record import Elsewhere
from study.spec.settings import ReportConfig, ViewConfig
from study.spec.study import load_study

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

EVIL = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>\"'&"
VARIANTS = ("VLF", "VTN-like", "TimeSformer-like")
FRAMES = (2, 4, 8, 16)
YAML = """\
question: Which part pays for its cost?
factors:
  variant: {VLF: {}, VTN-like: {model.spatial_depth: 0}, TimeSformer-like: {model.heads: 2}}
  data.frames: [2, 4, 8, 16]
cost: {batch_sizes: [1, 8]}
"""
WINDOW = {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def frames(maker_at, tmp_path_factory):
    """Results of twelve cells, each timed on two devices, and the folder of their report."""
    folder = tmp_path_factory.mktemp("frames")
    maker = maker_at(folder / "results")
    views = [ViewConfig(name='fast "ones"', figure="bars", y="latency@8",
                        variants=["data.frames=8"])]  # fmt: skip
    report = ReportConfig(
        baseline={"variant": "VLF"}, views=views, figures=["accuracy_macs", "cost_parts"]
    )
    study = maker.study(
        {"variant": VARIANTS, "data.frames": FRAMES}, report=report, claims=("top1[VLF] > 10",)
    )
    outcomes = [prepared(maker, one) for one in maker.frames()]
    write_report(study, outcomes, folder / "report", maker.root)
    return Results(study, outcomes, maker.root), folder / "report"


def prepared(maker, outcome):
    """Of an architecture that has published numbers; a cost is known of a second device, too."""
    names = {"model": {"name": "tsm"}, "data": {"name": "motion"}}
    record = dataclasses.replace(outcome.record, config={**outcome.record.config, **names})
    outcome = dataclasses.replace(outcome, record=record)
    if outcome.kind == "train":
        return outcome
    latency = 100.0 + int(outcome.levels["data.frames"])
    there = maker.cost(outcome.levels, 9, 1e6, latency, run="run-2").record
    there = dataclasses.replace(there, environment={"device_model": "A board"})
    return dataclasses.replace(outcome, elsewhere=(Elsewhere(there, None, True),))


@pytest.fixture(scope="module")
def hostile(maker_at, tmp_path_factory):
    """A report of labels, reasons and names that would like to run."""
    folder = tmp_path_factory.mktemp("hostile")
    maker = maker_at(folder / "results")
    report = ReportConfig(
        figures=["accuracy_macs"], baseline={EVIL: EVIL}, views=[ViewConfig(name=EVIL[:80])]
    )
    study = maker.study({EVIL: [EVIL, "tame"]}, question=EVIL, report=report)
    outcomes = [
        maker.train({EVIL: EVIL}, 0, 50.0),
        maker.train({EVIL: EVIL}, 1, 0, status="failed", reason=EVIL, detail=EVIL),
        maker.cost({EVIL: EVIL}, 9, 1e6, 1.0, notes=(EVIL,)),
    ]
    write_report(study, outcomes, folder / "report", maker.root)
    return folder / "report"


@pytest.fixture
def open_page(browser):
    """Opens a report's page; in the end nothing may have been complained of, or asked for."""
    complaints, requests, opened = [], [], []

    def open_one(folder, fragment="", **options):
        page = browser.new_page(**{"viewport": WINDOW, **options})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"file://{folder}/report.html{fragment}")
        opened.append((page, page.url.partition("#")[0]))
        return page

    yield open_one
    for page, _ in opened:
        page.close()
    own = {address for _, address in opened}
    assert complaints == []
    assert [url for url in requests if url not in own and not url.startswith("data:")] == []


@pytest.fixture
def page(open_page, frames):
    return open_page(frames[1])


def rows(page, name):
    """Texts of the rows that a table shows, without footnote marks."""
    return page.evaluate(
        """(name) => [...document.querySelectorAll(`[data-name="${name}"] tbody tr:not([hidden])`)]
            .map((row) => [...row.cells].map((cell) => {
                const copy = cell.cloneNode(true);
                copy.querySelectorAll("sup").forEach((mark) => mark.remove());
                return copy.textContent;
            }))""",
        name,
    )


def heading(page, name, text):
    return page.locator(f'[data-name="{name}"] th button', has_text=text)


def saved(page, button):
    with page.expect_download() as download:
        button.click()
    return download.value.path().read_text("utf-8")


def tool(page, name, text):
    return page.locator(f'[data-name="{name}"] .tools').get_by_role("button", name=text, exact=True)


def points(page):
    """Cell -> what its mark says and where it stands."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("#chart .point")].map((point) => {
            const mark = point.querySelector(".mark");
            const ends = (name) => {
                const bar = point.querySelector(name);
                return bar && [Number(bar.dataset.low), Number(bar.dataset.high)];
            };
            return { cell: Number(point.dataset.cell), fill: mark.getAttribute("fill"),
                corners: mark.getAttribute("points")?.trim().split(" ").length,
                width: Number(mark.getAttribute("width")),
                x: Number(mark.dataset.x), y: Number(mark.dataset.y),
                px: Number(mark.dataset.px), py: Number(mark.dataset.py),
                box: mark.getBBox().x + mark.getBBox().width / 2,
                overX: ends(".interval-x"), overY: ends(".interval-y") };
        })"""
    )
    return {one["cell"]: one for one in found}


def ticks(page, axis):
    """(value, pixel) of the marked values of an axis."""
    return page.evaluate(
        """(axis) => [...document.querySelectorAll(`#chart .tick-${axis}`)].map((tick) => {
            const drop = axis === "y" ? 4 : 0;  // text hangs below its line
            return [Number(tick.dataset.value), Number(tick.getAttribute(axis)) - drop]; })""",
        axis,
    )


def expected_pixel(value, marks, along=lambda value: value):
    """Where a value stands, from the first and the last tick."""
    (a, at_a), (b, at_b) = marks[0], marks[-1]
    return at_a + (along(value) - along(a)) / (along(b) - along(a)) * (at_b - at_a)


def choose(page, **choices):
    for name, value in choices.items():
        field = page.locator(f"#explore-form [name={name}]")
        field.set_checked(value) if isinstance(value, bool) else field.select_option(value)


def level(page, factor, label):
    return page.locator(f'#levels input[name="level:{factor}"][value="{label}"]')


def test_nothing_may_be_fetched_and_no_other_script_may_run(browser, frames):
    page = browser.new_page()
    page.goto(f"file://{frames[1]}/report.html")

    refused = page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation",
                (event) => resolve(event.effectiveDirective), { once: true });
            fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => resolve("nothing"), 300));
        })"""
    )
    page.evaluate(
        """() => { const script = document.createElement("script");
            script.textContent = "window.ran = 1"; document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.ran = 1"); image.src = "data:,"; }"""
    )
    page.wait_for_timeout(50)

    assert refused == "connect-src"
    assert page.evaluate("window.ran") is None
    page.close()


def test_a_heading_sorts_by_its_numbers_up_down_and_back(page, frames):
    results, _ = frames
    latencies = [results.cost(variant, "latency", 1).value for variant in results.variants]
    names = [(v.levels["variant"], v.levels["data.frames"]) for v in results.variants]
    ascending = [name for _, name in sorted(zip(latencies, names, strict=True))]
    latency = heading(page, "table", "latency (ms")

    def order():
        return [tuple(row[:2]) for row in rows(page, "table")]

    latency.click()
    assert order() == ascending
    assert page.locator('[data-name="table"] th[aria-sort=ascending]').count() == 1
    latency.press("Enter")
    assert order() == ascending[::-1]
    latency.click()
    assert order() == names


def test_negative_numbers_sort_by_their_sign_and_what_is_no_number_last(page):
    heading(page, "table", "Δ top-1").click()

    shown = [row[4] for row in rows(page, "table")]

    numbers = [float(t.partition(" ")[0].replace("\u2212", "-")) for t in shown if t != "baseline"]
    assert numbers == sorted(numbers)
    assert min(numbers) < 0 < max(numbers)
    assert shown[-4:] == ["baseline"] * 4


def test_numbers_with_prefixes_sort_by_their_size(page):
    heading(page, "published", "parameters").click()
    size = {"k": 1e3, "M": 1e6, "G": 1e9}

    shown = [row[4] for row in rows(page, "published") if row[4] != "\u2013"]

    numbers = [float(text.split()[0]) * size[text.split()[1]] for text in shown]
    assert numbers == sorted(numbers)
    assert {text.split()[1] for text in shown} == {"k", "M"}


def test_the_filter_keeps_rows_with_all_its_words(page):
    page.get_by_label("Filter the rows of table table").fill("like VTN")

    assert [row[:2] for row in rows(page, "table")] == [["VTN-like", str(n)] for n in FRAMES]
    assert "4 of 12 rows" in page.locator('[data-name="table"] .tools').inner_text()


def test_a_table_is_saved_as_it_was_made_until_it_is_sorted_or_filtered(page, frames):
    _, folder = frames
    for name, file in (("table", "table"), ("cost", "tables/cost"), ("status", "tables/status")):
        assert saved(page, tool(page, name, "CSV")) == (folder / f"{file}.csv").read_text("utf-8")
        assert saved(page, tool(page, name, "LaTeX")) == (folder / f"{file}.tex").read_text("utf-8")


def test_a_table_is_saved_as_displayed(page, frames):
    _, folder = frames
    page.get_by_label("Filter the rows of table table").fill("vtn")
    heading(page, "table", "MACs").click()
    heading(page, "table", "MACs").click()  # the dearest first
    with (folder / "table.csv").open() as file:
        header, *lines = csv.reader(file)
    dearest = [lines[place] for place in (7, 6, 5, 4)]  # VTN-like at 16, 8, 4, 2 frames

    written = saved(page, tool(page, "table", "CSV"))
    latex = saved(page, tool(page, "table", "LaTeX"))

    assert list(csv.reader(io.StringIO(written))) == [header, *dearest]
    body = latex.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    assert [line.split(" & ")[:2] for line in body] == [
        ["VTN{-}like", frames_] for frames_ in ("16", "8", "4", "2")
    ]
    whole = (folder / "table.tex").read_text("utf-8")
    assert set(body) < set(whole.splitlines())
    assert latex.partition("\\midrule")[0] == whole.partition("\\midrule")[0]


def test_a_row_leads_to_its_cell_and_every_link_has_an_end(page):
    broken = page.evaluate(
        """[...document.querySelectorAll("a[href]")].map((link) => link.getAttribute("href"))
            .filter((href) => !href.startsWith("#") || !document.getElementById(href.slice(1)))"""
    )
    assert broken == []
    section = page.locator("#cell-5")
    assert section.get_attribute("open") is None

    page.locator('[data-name="table"] tbody a').nth(5).click()

    section.locator("pre").first.wait_for()
    assert section.locator("summary b").inner_text() == "VTN-like, frames 4"
    assert "variant=VTN-like,data.frames=4" in section.locator("pre").first.inner_text()
    lines = section.locator("path.solid").first.get_attribute("d")
    assert lines.count("M") == 3  # seeds


def test_an_address_with_a_cell_opens_it(open_page, frames):
    page = open_page(frames[1], "#cell-3")

    assert page.locator("#cell-3 pre").first.is_visible()


def test_cells_are_filtered_by_their_names(page):
    page.get_by_label("Filter cells").fill("timesformer frames 8")

    shown = page.locator(".cell:not([hidden]) summary b").all_inner_texts()
    assert shown == ["TimeSformer-like, frames 8"]


def test_a_figure_enlarges_by_click_and_by_keyboard_and_escape_closes_it(page):
    opener = page.get_by_role("button", name="Enlarge figure 1")
    viewer = page.locator("#viewer")
    small = page.locator("#figure-accuracy_macs img").bounding_box()["width"]

    opener.click()
    assert viewer.is_visible()
    assert viewer.locator("img").bounding_box()["width"] > 1.3 * small
    page.keyboard.press("Escape")
    assert not viewer.is_visible()

    opener.focus()
    page.keyboard.press("Enter")
    assert viewer.locator("#viewer-caption").inner_text().startswith("Figure 1.")
    page.keyboard.press("Escape")
    assert not viewer.is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge figure 1"


def test_points_stand_where_the_records_say_with_the_intervals_of_the_study(page, frames):
    results, _ = frames
    choose(page, figure="scatter", x="macs", y="top1", logx=True)
    page.locator("#levels button", has_text="all").nth(1).click()

    drawn = points(page)

    assert set(drawn) == set(range(12))
    x_ticks, y_ticks = ticks(page, "x"), ticks(page, "y")
    for number, variant in enumerate(results.variants):
        point, accuracy = drawn[number], results.accuracy(variant)
        assert point["x"] == results.count(variant, "macs")
        assert point["y"] == pytest.approx(accuracy.value, rel=1e-6)
        assert point["overY"] == pytest.approx([accuracy.low, accuracy.high], rel=1e-6)
        assert point["overX"] is None  # a count has no interval
        at = expected_pixel(point["x"], x_ticks, math.log)
        assert at == pytest.approx(point["px"], abs=0.1) == point["box"]
        assert expected_pixel(point["y"], y_ticks) == pytest.approx(point["py"], abs=0.1)


def test_the_selectors_change_metric_device_and_axes(page, frames):
    results, _ = frames
    choose(page, figure="scatter", x="latency@8", y="latency@1", logx=False, logy=True)
    page.locator("#levels button", has_text="all").nth(1).click()

    here = points(page)
    choose(page, device="1")
    away = points(page)

    for number, variant in enumerate(results.variants):
        latency = results.cost(variant, "latency", 8)
        assert here[number]["x"] == pytest.approx(latency.value, rel=1e-6)
        assert here[number]["overX"] == pytest.approx([latency.low, latency.high], rel=1e-6)
        assert away[number]["y"] == pytest.approx(100 + FRAMES[number % 4], rel=0.1)
    low, high = sorted(away.values(), key=lambda point: point["y"])[:: len(away) - 1]
    y_ticks = ticks(page, "y")
    assert expected_pixel(low["y"], y_ticks, math.log) == pytest.approx(low["py"], abs=0.1)
    assert expected_pixel(high["y"], y_ticks, math.log) == pytest.approx(high["py"], abs=0.1)
    assert "Costs on A board." in page.locator("#chart-caption").inner_text()
    told = page.locator("#chart-warning").inner_text()
    assert "12 of 12 cells with a remark, such as VLF, frames 2: made by other code" in told
    assert "other code" in page.locator("#chart .point title").first.text_content()


def test_levels_that_are_not_checked_are_not_drawn(page):
    choose(page, figure="scatter", x="macs", y="top1")
    page.locator("#levels button", has_text="all").nth(1).click()
    level(page, "variant", "VTN-like").uncheck()
    level(page, "data.frames", "2").uncheck()

    assert set(points(page)) == {1, 2, 3, 9, 10, 11}


def test_bars_are_as_long_as_their_values_and_have_intervals(page, frames):
    results, _ = frames
    choose(page, figure="bars", y="top1", logy=False)
    page.locator("#levels button", has_text="all").nth(1).click()

    drawn = points(page)

    for number, variant in enumerate(results.variants):
        accuracy = results.accuracy(variant)
        assert drawn[number]["width"] / drawn[0]["width"] == pytest.approx(
            accuracy.value / results.accuracy(results.variants[0]).value, rel=1e-4
        )
        assert drawn[number]["overX"] == pytest.approx([accuracy.low, accuracy.high], rel=1e-6)
    assert "95 % t interval over 3 seeds" in page.locator("#chart-caption").inner_text()


def test_a_variant_looks_as_in_the_figures_of_the_study(page, frames):
    results, _ = frames
    choose(page, figure="scatter", x="macs", y="top1")
    page.locator("#levels button", has_text="all").nth(1).click()
    corners = {"o": 24, "s": 4, "^": 3}

    drawn = points(page)

    for number, variant in enumerate(results.variants):
        look = looks(results)[variant.levels["variant"]]
        assert drawn[number]["fill"] == look.color
        assert drawn[number]["corners"] == corners[look.marker]


def test_what_cannot_be_drawn_is_told(page):
    choose(page, figure="scatter", x="top1 to baseline", y="top1", logx=False)
    page.locator("#levels button", has_text="all").nth(1).click()
    told = page.locator("#chart-warning")
    assert "4 of 12 chosen cells without these numbers" in told.inner_text()

    choose(page, logx=True)
    assert "have no place on a log axis" in told.inner_text()
    page.locator("#levels button", has_text="none").first.click()
    assert "Nothing to draw" in page.locator("#chart").inner_text()


def test_a_view_of_the_study_file_has_a_button_and_is_shown_first(page):
    assert set(points(page)) == {2, 6, 10}  # at 8 frames
    choose(page, figure="scatter", x="macs", y="top1")

    page.get_by_role("button", name='fast "ones"').click()

    assert page.locator("[name=figure]").input_value() == "bars"
    assert page.locator("[name=y]").input_value() == "latency@8"
    assert set(points(page)) == {2, 6, 10}


def test_a_view_that_is_kept_comes_back_from_its_yaml(page, tmp_path):
    choose(page, figure="scatter", x="latency@8", y="top1", logx=True, device="1")
    level(page, "data.frames", "16").check()
    level(page, "variant", "VLF").uncheck()
    page.locator("[name=viewname]").fill('mine: "#1"')
    page.get_by_role("button", name="Keep this view").click()

    written = saved(page, page.locator("#save-yaml"))

    assert written == page.locator("#yaml").input_value()
    path = tmp_path / "study.yaml"
    path.write_text(YAML + written, "utf-8")
    first, mine = load_study(path).report.views
    assert first == ViewConfig(
        name='fast "ones"', figure="bars", y="latency@8", variants=["data.frames=8"]
    )
    assert mine == ViewConfig(
        name='mine: "#1"', figure="scatter", x="latency@8", y="top1", log=["x"], device="A board",
        variants=[
            "variant=VTN-like", "variant=TimeSformer-like", "data.frames=8", "data.frames=16",
        ],
    )  # fmt: skip
    assert yaml.safe_load(written)["report"]["views"][1]["name"] == 'mine: "#1"'


def test_a_view_without_a_name_or_without_levels_is_not_kept(page):
    keep = page.get_by_role("button", name="Keep this view")
    page.locator("[name=viewname]").fill("")
    keep.click()
    assert "needs a name" in page.locator("#said").inner_text()

    page.locator("[name=viewname]").fill("empty")
    page.locator("#levels button", has_text="none").first.click()
    keep.click()
    assert "at least one level" in page.locator("#said").inner_text()
    assert page.locator("#views button").count() == 1


def test_text_that_would_run_is_text(open_page, hostile):
    page = open_page(hostile)

    choose(page, figure="bars", y="latency@1")
    page.locator("[name=viewname]").fill(EVIL[:80])
    page.get_by_role("button", name="Keep this view").click()
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    written = saved(page, tool(page, "table", "CSV"))
    page.get_by_role("button", name="Enlarge figure 1").click()

    assert written == (hostile / "table.csv").read_text("utf-8")
    assert page.evaluate("window.ran") is None
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator(".failure pre").inner_text() == EVIL
    name = yaml.safe_load(page.locator("#yaml").input_value())["report"]["views"][0]["name"]
    assert name == EVIL[:80]


@pytest.mark.parametrize("report", ["frames", "hostile"])
def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, request, report):
    value = request.getfixturevalue(report)
    page = open_page(
        value[1] if report == "frames" else value, viewport={"width": 360, "height": 740}
    )
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")

    for figure in ("bars", "scatter"):
        choose(page, figure=figure)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
    table = page.locator('[data-name="table"] .scroll')
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")  # scrolls in its own box


def test_on_paper_controls_are_away_and_tables_are_whole(page):
    page.emulate_media(media="print")

    for hidden in ("nav", ".tools >> nth=0", "#explore-form", "#yaml-block", "#cells"):
        assert not page.locator(hidden).is_visible()
    assert page.locator("#chart svg").is_visible()
    assert (
        page.locator('[data-name="table"] .scroll').evaluate(
            "box => getComputedStyle(box).overflowX"
        )
        == "visible"
    )


def test_every_control_has_a_name_and_shows_where_the_focus_is(page):
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, select, textarea")].filter((control) =>
            !(control.textContent.trim() || control.getAttribute("aria-label")
              || control.closest("label")?.textContent.trim())).length"""
    )
    assert nameless == 0
    page.locator(".sort").first.focus()
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_many_rows_are_folded_and_exports_hold_them_all(open_page, maker, tmp_path):
    study = maker.study(
        {"variant": [f"variant {n}" for n in range(60)]},
        report=ReportConfig(baseline={"variant": "variant 0"}, figures=[], tables=[]),
    )
    outcomes = [maker.train({"variant": f"variant {n}"}, 0, 40.0 + n / 2) for n in range(60)]
    write_report(study, outcomes, tmp_path / "report", maker.root)

    page = open_page(tmp_path / "report")

    lines = page.locator("#answer li")
    assert [lines.nth(n).is_visible() for n in range(25)] == [True] * 12 + [False] * 13
    page.emulate_media(media="print")
    assert all(lines.nth(n).is_visible() for n in range(25))  # on paper nothing unfolds
    page.emulate_media(media="screen")
    page.locator("#answer summary", has_text="13 more lines").click()
    assert lines.count() == 25
    assert lines.last.is_visible()
    assert len(rows(page, "table")) == 40
    assert page.locator(".cell").first.is_hidden()  # folded, until one is asked for
    assert len(saved(page, tool(page, "table", "CSV")).splitlines()) == 61
    tool(page, "table", "Show all 60").click()
    assert len(rows(page, "table")) == 60
    choose(page, figure="bars", y="top1", logy=False)
    assert len(points(page)) == 60
    page.locator('[data-name="table"] tbody a').nth(59).click()
    page.locator("#cell-59 pre").first.wait_for(state="visible")
    by_reach = itertools.pairwise(points(page)[n]["width"] for n in range(60))
    assert all(a < b for a, b in by_reach)
    assert re.search(r"one seed: no interval", page.locator("#chart-caption").inner_text())
