"""Forest plot: every effect of a factorial design with its interval and its seeds."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import (
    PAGE_WIDTH,
    Drawing,
    add_legend,
    is_page,
    mean_over_seeds,
    new_figure,
    row_labels,
    width_of,
)
from analysis.findings.effects import Effect, effects_of, most_telling
from analysis.results.results import Results
from analysis.tables.effects import INTERACTION, effect_name

MOST_ROWS = 40
INK, SEEDS = "#1a1a1a", "#8a8a8a"
LOOKS = {  # kind -> marker, size, face
    "main": ("D", 3.8, INK),
    "simple": ("o", 3.2, INK),
    "interaction": ("s", 3.8, "white"),
}
WORDS = {
    "main": "on average over the other factors",
    "simple": "at one level of them",
    "interaction": "interaction",
}
SEED_OFFSET = 0.24  # rows below the interval, so that neither hides the other


def draw_effects(results: Results) -> Drawing | None:
    """One row an effect, grouped by factor; None unless two factors or more are crossed."""
    effects = effects_of(results)
    if not effects:
        return None
    shown = most_telling(effects, MOST_ROWS)
    width = width_of(results, PAGE_WIDTH * 0.75)
    named = [(one.kind, *effect_name(one)) for one in shown]
    names = [f"at {at}" if kind == "simple" else title for kind, title, at in named]
    labels, lines = row_labels(names, width)
    figure = new_figure(width, 0.75 + 0.17 * len(shown) + 0.1 * lines)
    axes = figure.add_subplot()
    axes.axvline(0, color="#555555", linewidth=0.7, zorder=1)
    for row, effect in enumerate(shown):
        _draw_effect(axes, row, effect)
    axes.set_yticks(range(len(shown)), labels)
    for effect, text in zip(shown, axes.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if effect.kind == "main" else "normal")
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Effect on top-1 (points)")
    _separate(axes, shown)
    _add_legend(figure, shown, 3 if is_page(width) else 1)
    caption = (
        f"Effects of the factors on top-1 ({mean_over_seeds(results)}; grey dots: the seeds). "
        f"{INTERACTION}; intervals hold one by one."
    )
    if len(shown) < len(effects):
        caption += f" {len(shown)} of {len(effects)} effects: no simple ones."
    return Drawing(figure, caption)


def _draw_effect(axes: Axes, row: int, effect: Effect) -> None:
    marker, size, face = LOOKS[effect.kind]
    found = effect.difference
    values = list(effect.values.values())
    if len(values) > 1:
        axes.plot(
            values, [row + SEED_OFFSET] * len(values), linestyle="none", marker=".", markersize=2.5,
            color=SEEDS, zorder=2, gid="seeds",
        )  # fmt: skip
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [row, row], color=INK, linewidth=0.9, zorder=3)
    axes.plot(
        [found.value], [row], linestyle="none", marker=marker, markersize=size, color=INK,
        markerfacecolor=face, markeredgewidth=0.8, zorder=4, gid=effect.kind,
    )  # fmt: skip


def _separate(axes: Axes, effects: list[Effect]) -> None:
    """A thin line above each main effect and above the first interaction."""
    for row in range(1, len(effects)):
        kind, before = effects[row].kind, effects[row - 1].kind
        if kind == "main" or (kind == "interaction" and before != "interaction"):
            axes.axhline(row - 0.5, color="#dddddd", linewidth=0.5, zorder=0)


def _add_legend(figure: Figure, effects: list[Effect], columns: int) -> None:
    handles = []
    for kind in dict.fromkeys(one.kind for one in effects):
        marker, size, face = LOOKS[kind]
        handle = Line2D([], [], linestyle="none", marker=marker, label=WORDS[kind], color=INK)
        handle.set(markersize=size, markerfacecolor=face)
        handles.append(handle)
    names = [str(one.get_label()) for one in handles]
    add_legend(figure, handles, names, columns, handletextpad=0.2)
