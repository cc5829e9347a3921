"""The race: effect of each claim and its confidence sequence, seed after seed."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    Drawing,
    new_figure,
    panel_columns,
    panel_grid,
    width_of,
    wrapped,
)
from analysis.findings.claims import Comparison, compare
from analysis.findings.race import race_of, standing_of
from analysis.results.results import Results
from analysis.stats.anytime import t_sequence
from analysis.stats.estimates import CONFIDENCE
from analysis.stats.format import plural
from study.spec.claims import Claim, Question
from study.spec.race import Standing

MOST_PANELS = 12
PANEL_COLUMNS = 3
TITLE_WIDTH = 34  # characters that fit above a panel
COLORS = {"supported": "#1b7837", "contradicted": "#b2182b"}
OPEN = "#444444"


def draw_race(results: Results) -> Drawing | None:
    """One panel a comparison; None without a race, or before its first round."""
    race = race_of(results)
    if race is None or not race.rounds:
        return None
    questions = [one.question for one in race.rounds[-1] if not one.question.claim.is_wins]
    panels = [
        (question, comparison)
        for question in questions
        for comparison in compare(results, question.claim)
        if len(comparison.samples) > 1
    ]
    shown = panels[:MOST_PANELS]
    if not shown:
        return None
    width = width_of(results, COLUMN_WIDTH if len(shown) == 1 else PAGE_WIDTH)
    columns = panel_columns(width, len(shown), PANEL_COLUMNS)
    rows = -(-len(shown) // columns)
    figure = new_figure(width, 0.5 + (2.2 if rows == 1 else 1.7 * rows))
    grid = panel_grid(figure, len(shown), columns, sharex=True)
    for axes, (question, comparison) in zip(grid, shown, strict=False):
        standing = standing_of(race, question.claim)
        axes.set_title(wrapped(_title(question, comparison), TITLE_WIDTH))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
        _draw_sequence(axes, question.claim, comparison.samples, standing)
    for axes in grid[max(0, len(shown) - columns) : len(shown)]:  # also above a gap
        axes.tick_params(axis="x", labelbottom=True)
    figure.supxlabel("Seeds", fontsize=7.5)
    figure.supylabel("Effect (points)", fontsize=7.5)
    caption = (
        "The race: mean effect of each claim (line), its 95 % confidence sequence (band, not "
        "corrected over claims) and the effect at each seed (dots); dashed, the border of the "
        f"claim. {plural(sum(race.counts.values()), 'training run')} in all."
    )
    if len(panels) > len(shown):
        caption += f" The first {len(shown)} of {len(panels)} comparisons."
    return Drawing(figure, caption)


def _title(question: Question, comparison: Comparison) -> str:
    left = comparison.left.label
    if comparison.right is None:
        return question.claim.text if len(question.pairs) == 1 else left
    factor = question.claim.factor
    times = "" if factor == 1 else f"{factor:g} \N{MULTIPLICATION SIGN} "
    return f"{left} \N{MINUS SIGN} {times}{comparison.right.label}"


def _draw_sequence(
    axes: Axes, claim: Claim, samples: Sequence[float], standing: Standing | None
) -> None:
    seeds = np.arange(1, len(samples) + 1)
    means = np.cumsum(samples) / seeds
    lows, highs = t_sequence(samples, CONFIDENCE)
    lows = np.minimum(np.maximum.accumulate(lows), means)
    highs = np.maximum(np.minimum.accumulate(highs), means)
    bounded = np.isfinite(lows) & np.isfinite(highs)
    word = standing.word if standing else ""
    color = COLORS.get(word, OPEN)
    for edge in claim.region:
        if math.isfinite(edge):
            axes.axhline(edge, color="#555555", linewidth=0.7, linestyle="--", zorder=1)
    axes.plot(seeds, samples, linestyle="none", marker=".", markersize=3, color="#999999")
    axes.plot(seeds, means, color=color, linewidth=1.2)
    if bounded.any():
        low, high = claim.possible
        at, below, above = seeds[bounded], lows[bounded].clip(low, high), highs[bounded]
        above = above.clip(low, high)
        axes.fill_between(at, below, above, color=color, alpha=0.18, linewidth=0)
        axes.vlines(at, below, above, color=color, linewidth=0.8, gid="interval")
    text = word.partition(" (")[0]
    axes.annotate(
        text, (0.02, 0.97), xycoords="axes fraction", ha="left", va="top", fontsize=6.5,
        color=color,
    )  # fmt: skip
