"""`report.html` in a real browser: what it shows, what its controls do, and that nothing leaves it.

The truth is the records' own statistics and the tables' own renderings, read back from the page.
"""

import csv
import io

import pytest
from pages import (
    CHROMIUM,
    FRAMES,
    heading,
    rows,
    saved,
    tool,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


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
