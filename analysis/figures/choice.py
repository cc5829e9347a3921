"""Selection of cells for a figure that has room for fewer than the study has."""

from collections.abc import Sequence

from analysis.findings.effects import place_of, reference_of
from analysis.results.results import Results, Variant


def choose(results: Results, cells: Sequence[Variant], most: int) -> tuple[list[Variant], str]:
    """Up to `most` cells, and a sentence on those left out, for the end of a caption.

    Of more, those that differ in colour alone are compared best: all other factors are at the
    baseline's levels.
    """
    if len(cells) <= most:
        return list(cells), ""
    alike, where = at_baseline(results, cells, (results.series_factor,))
    if len(alike) < 2 or not where:
        return list(cells[:most]), f" The first {most} of {len(cells)} cells."
    shown = alike[:most]
    return shown, f" {len(shown)} of {len(cells)} cells, those at {where}."


def at_baseline(
    results: Results, cells: Sequence[Variant], free: Sequence[str | None]
) -> tuple[list[Variant], str]:
    """The cells whose factors other than `free` are at the baseline's levels; these in words."""
    at = {name: reference_of(results, name) for name in results.factors if name not in free}
    return [cell for cell in cells if at.items() <= cell.levels.items()], place_of(at)
