"""Training curves of one cell as small inline SVG: one line a seed; its style is the page's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from analysis.stats.format import significant

Arrays = Mapping[str, NDArray[Any]]
Line = tuple[NDArray[np.float64], NDArray[np.float64]]

WIDTH, HEIGHT = 220, 110  # pixels of the plot itself
LEFT, TOP, BELOW = 44, 18, 26  # for tick labels, the title, the epochs
MOST_POINTS = 80  # a line; longer curves show every k-th epoch, and the last


def draw_curves(seeds: Mapping[int, Arrays]) -> Markup:
    """Validation top-1, and training and validation loss, by epoch; "" without any."""
    top1 = [line for arrays in seeds.values() if (line := _line(arrays, "val_top1"))]
    train = [line for arrays in seeds.values() if (line := _line(arrays, "train_loss"))]
    val = [line for arrays in seeds.values() if (line := _line(arrays, "val_loss"))]
    panels = [
        _panel("validation top-1 (%)", top1, []),
        _panel("loss: training, validation dashed", train, val),
    ]
    return Markup("").join(panels)


def _line(arrays: Arrays, name: str) -> Line | None:
    epoch, values = arrays.get("epoch"), arrays.get(name)
    if epoch is None or values is None or len(epoch) != len(values):
        return None
    finite = np.isfinite(values)
    epoch, values = np.asarray(epoch[finite], float), np.asarray(values[finite], float)
    if not len(epoch):
        return None
    every = -(-len(epoch) // MOST_POINTS)
    kept = np.unique([*range(0, len(epoch), every), len(epoch) - 1])
    return epoch[kept], values[kept]


def _panel(title: str, solid: Sequence[Line], dashed: Sequence[Line]) -> Markup:
    lines = [*solid, *dashed]
    if not lines:
        return Markup("")
    x_low, x_high = _range([x for x, _ in lines])
    y_low, y_high = _range([y for _, y in lines])

    def place(line: Line) -> str:
        x = LEFT + WIDTH * (line[0] - x_low) / (x_high - x_low)
        y = TOP + HEIGHT * (1 - (line[1] - y_low) / (y_high - y_low))
        return "M" + " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    drawn = [
        Markup('<path class="{}" d="{}"/>').format(name, "".join(map(place, kind)))
        for name, kind in (("solid", solid), ("dashed", dashed))
        if kind
    ]
    bottom = TOP + HEIGHT
    texts = [
        _text(LEFT, 11, "start", title),
        _text(LEFT - 4, TOP + 8, "end", significant(y_high)),
        _text(LEFT - 4, bottom, "end", significant(y_low)),
        _text(LEFT, bottom + 14, "start", f"epoch {x_low:g}"),
        _text(LEFT + WIDTH, bottom + 14, "end", f"{x_high:g}"),
    ]
    size = f"{LEFT + WIDTH + 8} {bottom + BELOW}"
    frame = Markup('<path class="frame" d="M{0} {1}V{2}H{3}"/>').format(
        LEFT, TOP, bottom, LEFT + WIDTH
    )
    return Markup('<svg class="curve" viewBox="0 0 {}" role="img" aria-label="{}">{}</svg>').format(
        size, title, Markup("").join([frame, *drawn, *texts])
    )


def _range(values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(x, y, anchor, text)
