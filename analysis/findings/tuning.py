"""Choices of tuning for each cell, their place in the range, and their words."""

from analysis.results.results import Results, Variant
from analysis.stats.format import plural
from study.spec.study import Tuning

MOST_NAMED = 6


def choice_of(results: Results, variant: Variant) -> dict[str, str]:
    """Dotted key -> label of the value that was chosen for a cell; {} without a choice."""
    tune = results.study.tune
    if tune is None:
        return {}
    outcomes = results.tuning(variant)
    chosen = tune.decide(outcomes).chosen
    return {} if chosen is None else dict(tune.scores(outcomes)[chosen].tried)


def edge_words(results: Results, variant: Variant) -> list[str]:
    """Text such as "train.lr 4.0e-3, the largest tried" for choices at the end of a range."""
    tune, tried = results.study.tune, choice_of(results, variant)
    if tune is None or not tried:
        return []
    return [f"{key} {tried[key]}, the {end} tried" for key, end in tune.edges(tried).items()]


def edge_notes(results: Results, variant: Variant) -> tuple[str, ...]:
    """A warning for whoever reads a cell's accuracy; none where its choice is inside."""
    words = "; ".join(edge_words(results, variant))
    if not words:
        return ()
    return (f"tuned to the edge of its range ({words}): a value beyond it may be better",)


def tuning_lines(results: Results) -> list[str]:
    """Answer lines on tuning: how recipes were chosen, and choices that a wider range may alter."""
    tune = results.study.tune
    if tune is None or not any(results.tuning(v) for v in results.variants):
        return []
    lines = [
        f"Each cell has the {_keys(tune)} that did best of the same {tune.budget} on validation, "
        f"chosen with {_seeds(tune)}; the test split was not read for it."
    ]
    edges = [(v, words) for v in results.variants if (words := edge_words(results, v))]
    if edges:
        named = [f"{v.label} ({'; '.join(words)})" for v, words in edges[:MOST_NAMED]]
        if len(edges) > MOST_NAMED:
            named.append(f"{len(edges) - MOST_NAMED} more")
        lines.append(
            f"Tuning chose at the edge of the range for {_join(named)}: a value beyond may be "
            "better, so that a comparison may do these cells less than justice."
        )
    without = [v for v in results.variants if results.tuning(v) and not choice_of(results, v)]
    if without:
        cells = plural(len(without), "cell")
        lines.append(f"Tuning has made no choice for {cells} (table tuning).")
    return lines


def diverged_lines(results: Results) -> list[str]:
    """Answer lines on tuning runs that ended in NaN or infinity."""
    tune = results.study.tune
    if tune is None:
        return []
    found = [(v, tried) for v in results.variants if (tried := _diverged(tune, results, v))]
    if not found:
        return []
    named = [f"{v.label} ({tried})" for v, tried in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        named.append(f"{len(found) - MOST_NAMED} more")
    return [f"Tuning runs diverged, and count as worst: {_join(named)}."]


def _diverged(tune: Tuning, results: Results, variant: Variant) -> str:
    """The values with a run that diverged, as "train.lr=1; train.lr=10"."""
    scores = tune.scores(results.tuning(variant))
    tried = (one.tried.items() for one in scores if one.diverged)
    return "; ".join(", ".join(f"{key}={label}" for key, label in one) for one in tried)


def method_words(tune: Tuning) -> str:
    """Sentences for a paper on how the choice was made."""
    values = "; ".join(
        f"{key} in {{{', '.join(level.label for level in levels)}}}"
        for key, levels in tune.values.items()
    )
    length = "as long as the runs that count"
    if tune.epochs is not None:
        length = f"of {plural(tune.epochs, 'epoch')}"
    return (
        f"Hyperparameters were chosen for each cell from the same {budget_words(tune)} "
        f"({values}) by mean top-1 on the validation split over {_seeds(tune)}, in runs {length}; "
        "these seeds are none of those that accuracies are reported for, and the test split was "
        "not read. A run that diverged counted as worst; a tie took the smaller learning rate, "
        "then the value listed first."
    )


def budget_words(tune: Tuning) -> str:
    """Text such as "4 values", or "8 combinations" of several keys."""
    return f"{tune.budget} {'values' if len(tune.values) == 1 else 'combinations'}"


def _keys(tune: Tuning) -> str:
    return _join(list(tune.values))


def _seeds(tune: Tuning) -> str:
    numbers = ", ".join(map(str, tune.seeds))
    return f"seed {numbers}" if len(tune.seeds) == 1 else f"seeds {numbers}"


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
