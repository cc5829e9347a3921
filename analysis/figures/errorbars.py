"""Error bars of hundreds of points: those of one style in one call, since each call takes long."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

Errors = NDArray[np.float64] | None  # (2, 1): below and above
MANY = 100  # points; fewer are drawn one by one, each an artist of its own


class Gathered:
    """Stands in for axes where `errorbar` is called a point at a time; `draw` draws them."""

    def __init__(self, axes: Axes) -> None:
        self._axes = axes
        self._groups: dict[Any, list[tuple[float, float, Errors, Errors]]] = {}
        self._styles: dict[Any, dict[str, Any]] = {}

    def errorbar(self, x: float, y: float, xerr: Errors, yerr: Errors, **style: Any) -> None:
        """Arguments of `Axes.errorbar` for one point, without drawing it."""
        key = (xerr is None, yerr is None, repr(sorted(style.items())))
        self._styles[key] = style
        self._groups.setdefault(key, []).append((x, y, xerr, yerr))

    def draw(self) -> None:
        """One call a style and kind of interval."""
        for key, points in self._groups.items():
            x, y, xerr, yerr = zip(*points, strict=True)
            self._axes.errorbar(x, y, xerr=_joined(xerr), yerr=_joined(yerr), **self._styles[key])


def _joined(errors: tuple[Errors, ...]) -> Errors:
    known = [one for one in errors if one is not None]
    return np.hstack(known) if known else None
