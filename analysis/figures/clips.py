"""A few test clips: what the data look like, and what each cell answers."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes

from analysis.figures.strips import (
    MOST_WIDE,
    Cell,
    Strips,
    class_name,
    kept_cells,
    row_grid,
)
from analysis.figures.style import PAGE_WIDTH, Drawing, is_page, width_of, wrapped
from analysis.results.artifacts import read_heads
from analysis.results.results import Results

MOST_CLIPS = 4
MOST_CELLS = 8  # answers beside a clip
RIGHT, WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"
ROOM = 2.2  # inches for answers that stand beside their clip
LINE = 0.105  # inches, of an answer
SMALL = 22  # characters an inch, of answers


def draw_clips(results: Results) -> Drawing | None:
    """Strips of frames with their label and every cell's answer; None where none were kept."""
    cells = kept_cells(results, "frames")[:MOST_CELLS]
    if not cells:
        return None
    width = width_of(results, PAGE_WIDTH)
    beside = is_page(width)  # in a column the answers stand below their clip
    strips = Strips.of(cells[0], width, MOST_CLIPS)
    count, label = strips.count, strips.labels
    strip = min(width - (ROOM if beside else 0) - label, MOST_WIDE * len(strips.shown))
    room = width - label - (strip if beside else 0)
    answers = [_answer_lines(cells, number, room) for number in range(count)]
    tall, lines = strips.height(strip), LINE * (max(map(len, answers)) + 0.5)
    rows = count if beside else 2 * count
    height = (max(tall, lines) if beside else tall + lines) * count + 0.2
    ratios, heights = ([label, strip, room], [1.0] * count) if beside else ([label, room], None)
    figure, grid = row_grid(width, height, rows, ratios, heights or [tall, lines] * count)
    for number in range(count):
        left, middle, *rest = grid[number if beside else 2 * number]
        strips.show(left, middle, number)
        if not beside:
            blank, below = grid[2 * number + 1]
            blank.set_axis_off()
            rest = [below]
        _write_answers(rest[0], answers[number])
    strips.number_frames(grid[0][1])
    return Drawing(figure, _caption(cells, strips, len(results.variants)))


def answers_to(cell: Cell, index: int) -> Counter[int]:
    """Class number -> how many seeds give it as the answer to the test clip of that index."""
    found: Counter[int] = Counter()
    for arrays in cell.predictions.values():
        for head in read_heads(arrays)[:1]:  # of verb and noun the verb
            if index < len(head.scores):
                found[int(head.scores[index].argmax())] += 1
    return found


def _answer_lines(cells: Sequence[Cell], number: int, room: float) -> list[str]:
    """A cell's answers, the commonest first, with how many seeds gave each, in lines that fit."""
    first, names = cells[0].first, cells[0].class_names
    label, index = int(first["labels"][number]), int(first["index"][number])
    lines: list[str] = []
    for cell in cells:
        found = answers_to(cell, index)
        several = sum(found.values()) > 1
        words = [
            f"{RIGHT if answer == label else WRONG} {class_name(names, answer)}"
            + (f" ({times})" if several else "")
            for answer, times in found.most_common()
        ]
        text = f"{cell.variant.label}: {', '.join(words) or 'no answer'}"
        lines += wrapped(text, max(16, round(room * SMALL))).replace("\n", "\n    ").split("\n")
    return lines


def _write_answers(axes: Axes, lines: Sequence[str]) -> None:
    axes.set_axis_off()
    text = axes.text(
        0.01, 0.5, "\n".join(lines), fontsize=5, va="center", transform=axes.transAxes,
        linespacing=1.3,
    )  # fmt: skip
    text.set_in_layout(False)  # it is wrapped to fit


def _caption(cells: Sequence[Cell], strips: Strips, planned: int) -> str:
    seeds = max(len(cell.predictions) for cell in cells)
    caption = (
        "Test clips as the models get them (at most 64 pixels a side), their class in bold, and "
        f"the answer of each cell ({RIGHT} right, {WRONG} wrong"
        + ("; in brackets how many seeds give it)." if seeds > 1 else ").")
        + f" {strips.words} Chosen by number, not by how well they are answered."
    )
    if len(cells) < planned:
        caption += f" {len(cells)} of {planned} cells: the others kept other clips, or none."
    return caption
