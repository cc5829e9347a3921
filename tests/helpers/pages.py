"""The page of a report in a browser: what is on it, and its controls."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
EVIL = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>\"'&"
PAGE_VARIANTS = ("VLF", "VTN-like", "TimeSformer-like")
FRAMES = (2, 4, 8, 16)
YAML = """\
question: Which part pays for its cost?
factors:
  variant: {VLF: {}, VTN-like: {model.spatial_depth: 0}, TimeSformer-like: {model.heads: 2}}
  data.frames: [2, 4, 8, 16]
cost: {batch_sizes: [1, 8]}
"""
WINDOW = {"width": 1200, "height": 900}


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
