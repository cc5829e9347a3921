"""Notes beside numbers: failures, mixtures, and the meaning of marks."""

import math
from collections.abc import Iterable, Sequence

from analysis.findings.tuning import edge_notes
from analysis.results.frame import device_model
from analysis.results.results import BASELINE, Results, Variant, short_label
from analysis.stats.anytime import half_width
from analysis.stats.estimates import Difference, Estimate, correlation_time, median_interval
from analysis.stats.format import (
    NONE,
    Spread,
    decimals_for,
    interval,
    p_value,
    plural,
    prefix_for,
    significant,
)
from analysis.tables.table import Entry, Mark
from study.records.record import Kind, Outcome

UNSTABLE = 0.1  # half an interval, as a share of the median
FEWEST = 5  # rounds that are independent of each other
REASON_LENGTH = 40  # characters of a reason inside the table; a note has the whole
ASIDES = ("energy", "training memory", "throughput sweep", "memory at batch", "machine's peak")
COUNTED = {"parameters": "parameters:", "macs": "MACs"}  # metric -> how remarks on it begin

DESIGN = {  # key of a model's config -> its values in words
    "attention_init": {
        "tied": "Keys start equal to queries",
        "glorot": "Keys start independent of queries",
    },
    "readout": {
        "mean": "The mean of the tokens is classified",
        "class_token": "A class token is classified",
    },
    "head": {"mlp": "MLP head", "linear": "Linear head"},
}


def absent(results: Results, variant: Variant, kind: Kind, notes: tuple[str, ...]) -> Entry:
    """The entry of a number that is missing: its status and the start of the reason."""
    jobs = [one for one in results.jobs(variant) if one.kind == kind]
    for status in ("failed", "not run", "skipped"):
        if job := next((one for one in jobs if one.status == status), None):
            text = status_words(job)
            if len(text) <= REASON_LENGTH:
                return Entry(text, notes=notes if kind == "cost" or len(jobs) > 1 else ())
            return Entry(text[: REASON_LENGTH - 1].rstrip() + "…", notes=notes or (text,))
    return Entry("not planned" if not jobs else "no number", notes=notes)


def train_notes(results: Results, variant: Variant) -> tuple[str, ...]:
    """Seeds without a result and why; remarks of records; seeds made by different code."""
    jobs = [one for one in results.jobs(variant) if one.kind == "train"]
    notes = [f"{_seeds(group)} {text}" for text, group in _missing(jobs).items()]
    if len(notes) == 1 and len(next(iter(_missing(jobs).values()))) == len(jobs):
        notes = []  # the entry says it already
    finished = [one for one in jobs if one.is_done]
    records = [one.record for one in finished if one.record]
    notes += [note for record in records for note in record.notes]
    notes += [one.reason for one in finished if one.reason]
    notes += edge_notes(results, variant)
    if len({record.fingerprint for record in records}) > 1:
        notes.append("its seeds were made by different versions of the code")
    models = {device_model(record) for record in records}
    if len(models) > 1:
        notes.append(f"its seeds were trained on different devices: {', '.join(sorted(models))}")
    return tuple(dict.fromkeys(notes))


def count_notes(results: Results, variant: Variant, metric: str) -> tuple[str, ...]:
    """Remarks of the cost record on a count, such as what its MACs leave out."""
    record = results.cost_record(variant)
    notes = record.notes if record else ()
    return tuple(note for note in notes if note.startswith(COUNTED[metric]))


def cost_notes(results: Results, variant: Variant) -> tuple[str, ...]:
    """Remarks of the cost record on timings, and whether they are from elsewhere than the first."""
    record = results.cost_record(variant)
    if record is None:
        return ()
    elsewhere = (*COUNTED.values(), *ASIDES)
    notes = [note for note in record.notes if not note.startswith(elsewhere)]
    batch = quoted_batch(results)
    rounds = list(results.by_round(variant, "latency", batch).values()) if batch else []
    notes = [*unstable(rounds, batch or 0), *notes]
    job = next(one for one in results.jobs(variant) if one.kind == "cost" and one.record is record)
    if job.reason:
        notes.append(job.reason)
    first = next(found for v in results.variants if (found := results.cost_record(v)))
    if device_model(record) != device_model(first):
        notes.append(f"measured on {device_model(record)}, not on {device_model(first)}")
    return tuple(dict.fromkeys(notes))


def aside_notes(results: Results, variant: Variant, *starts: str) -> tuple[str, ...]:
    """Remarks of the cost record that stand in a table of their own, by how they begin."""
    record = results.cost_record(variant)
    return tuple(note for note in (record.notes if record else ()) if note.startswith(starts))


def unstable(rounds: Sequence[float], batch: int) -> list[str]:
    """One note if a latency's rounds disagree too much to be printed as if they did not."""
    if not rounds:
        return []
    independent = len(rounds) / correlation_time(rounds)
    estimate = median_interval(rounds)
    half = 0.0
    if estimate.low is not None and estimate.high is not None:
        half = (estimate.high - estimate.low) / 2 / estimate.value
    if independent >= FEWEST and half <= UNSTABLE:
        return []
    return [
        f"unstable: latency at batch {batch} varies from round to round: its interval is "
        f"{half:.0%} of the median to each side, and {plural(len(rounds), 'round')} say as much as "
        f"{max(1, round(independent))} independent ones; measure again on a quiet machine"
    ]


def ratio_notes(results: Results, variant: Variant) -> tuple[str, ...]:
    """Reason why a ratio is missing although the cell has been timed."""
    if results.cost_record(variant) is None:
        return ()
    baseline = results.baseline_of(variant)
    if baseline is None:
        return ("no ratio: its baseline is not in the study",)
    if results.cost_record(baseline) is None:
        return ("no ratio: the baseline has not been timed",)
    return ("no ratio: not timed in one timing run with the baseline",)


def quoted_batch(results: Results) -> int | None:
    """The batch size that latency is quoted at: the first that the study asks for."""
    measured = results.batch_sizes("latency")
    first = results.study.cost.batch_sizes[0]
    return first if first in measured else next(iter(measured), None)


def eager_remarks(results: Results) -> tuple[str, ...]:
    """Remark on metrics of eager calls where another mode is quoted."""
    metrics = ("peak_memory", "training_memory", "sweep_throughput")
    if results.mode == "eager" or not any(map(results.batch_sizes, metrics)):
        return ()
    return (
        f"Latency is that of mode {results.mode}; memory and the sweep over batch sizes are those "
        "of eager calls.",
    )


def one_model_words(results: Results) -> str:
    """The costs that all cells of a study share, in a sentence; "" where models differ."""
    if not results.is_one_model:
        return ""
    first = results.variants[0]
    words = []
    for metric, name in (("parameters", "parameters"), ("macs", "MACs a clip")):
        if (value := results.count(first, metric)) is not None:
            factor, prefix = prefix_for([value])
            words.append(f"{significant(value / factor)} {prefix}".rstrip() + f" {name}")
    batch = quoted_batch(results)
    if batch is not None and (latency := results.cost(first, "latency", batch)):
        words.append(f"latency {timing_words(latency)} ms at batch {batch}")
    costs = f": {', '.join(words)}" if words else ""
    return f"All cells are the same model, so their costs are the same{costs}."


def model_entry(results: Results, cells: Sequence[Variant], notes: tuple[str, ...] = ()) -> Entry:
    """The name of a row that is of a model: of its first cell, with the others in a note."""
    if results.is_one_model:
        return Entry("all cells: the same model", notes=notes)
    if len(cells) == 1:
        return Entry(cells[0].label, notes=notes)
    others = "; ".join(variant.label for variant in cells[1:])
    return Entry(cells[0].label, notes=(*notes, f"also the model of: {others}"))


def timing_words(found: Spread) -> str:
    """A median to three significant digits, with its interval."""
    return interval(found, min(3, decimals_for([found.value])))


def timing_entry(found: Estimate | None, mark: Mark = "", notes: tuple[str, ...] = ()) -> Entry:
    """The entry of a median over timing rounds."""
    if found is None:
        return Entry(NONE)
    return Entry(timing_words(found), mark, notes + spread_notes(found, "round"))


def p_words(p: float | None) -> str:
    """A p value, or a dash where nothing could be tested."""
    return NONE if p is None else p_value(p)


def spread_notes(found: Estimate | Difference | None, unit: str = "seed") -> tuple[str, ...]:
    """Reason why equal samples have no interval."""
    if found is None or found.n < 2 or found.low is not None:
        return ()
    return (f"no interval: equal in all {plural(found.n, unit)}, which does not show certainty",)


def seed_notes(results: Results, found: Estimate | Difference | None) -> tuple[str, ...]:
    """Reason why equal seeds, or the few of a race, have no interval."""
    notes = spread_notes(found)
    if notes and found and results.study.race and not math.isfinite(half_width(found.n)):
        return (f"no interval: {plural(found.n, 'seed')} are too few for a confidence sequence",)
    return notes


def interval_name(results: Results) -> str:
    """The kind of interval of an accuracy."""
    return "confidence sequence" if results.study.race else "Student t interval"


def untested_words(differences: Iterable[Difference]) -> str:
    """Reason why none of the differences could be tested."""
    if all(one.n == 1 for one in differences):
        return "One seed in common with the baseline: no interval, no test."
    return "No difference has a spread over seeds: no interval, no test."


def views_remarks(results: Results) -> tuple[str, ...]:
    """Remark that costs are for one view, where answers take several."""
    most = max((views for v in results.variants for views in results.views(v)), default=1)
    if most == 1:
        return ()
    return (
        "MACs, latency, throughput and memory are of one view; an answer takes as many times the "
        "MACs as it has views.",
    )


def main_remarks(results: Results) -> tuple[str, ...]:
    """Meaning of the marks and of the corrected p values in the table."""
    remarks = []
    if results.single_changes:
        remarks.append(
            f"{BASELINE}: {short_label(results.study.baseline)}; each other cell is named by what "
            "it changes."
        )
    if results.differences:
        tested = sum(p is not None for _, p in results.differences.values())
        if tested:
            test = "paired t test over seeds"
            if results.study.race is not None:
                test = "of a confidence sequence over seeds, which a race added"
            family = plural(tested, "comparison")
            remarks.append(f"p: {test}, Holm-corrected over {family} of this table.")
        else:
            remarks.append(untested_words([d for d, _ in results.differences.values()]))
    else:
        found = [estimate for v in results.variants if (estimate := results.accuracy(v))]
        if found and all(estimate.n == 1 for estimate in found):
            remarks.append("One seed: no interval.")
    remarks.append(
        "Bold: significantly best (5 %); underlined (italic in Markdown): not significantly "
        "different from the best; 2nd, where one is best: best of the rest, or not significantly "
        "different from it; a MAC is one multiply-accumulate, two FLOPs."
    )
    return (*remarks, *views_remarks(results))


def design_remarks(results: Results) -> tuple[str, ...]:
    """Choices of transformers that differ between the cells although no level names them."""
    named = {
        setting
        for levels in results.study.factors.values()
        for level in levels
        for key, value in level.patch.items()
        for setting in (value if key == "model" else (key.removeprefix("model."),))
    }
    groups = []
    for key, words in DESIGN.items():
        cells: dict[str, list[str]] = {}
        for variant in results.variants:
            records = [one.record for one in results.jobs(variant) if one.kind == "train"]
            configs = [record.config for record in records if record and "model" in record.config]
            for model in (config["model"] for config in configs[:1]):
                if key in model and not (key == "attention_init" and model.get("weights")):
                    cells.setdefault(words[model[key]], []).append(variant.label)
        if key not in named and len(cells) > 1:
            groups.append("; ".join(f"{word}: {', '.join(cells[word])}" for word in cells))
    if not groups:
        return ()
    return (f"The models differ in more than their names say. {'. '.join(groups)}.",)


def _missing(jobs: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for job in jobs:
        if not job.is_done:
            groups.setdefault(status_words(job), []).append(job)
    return groups


def reason_of(job: Outcome) -> str:
    """Reason of an outcome, or of its record."""
    return job.reason or (job.record.reason if job.record else "")


def status_words(job: Outcome) -> str:
    """Text such as "failed: out of memory"."""
    return ": ".join(filter(None, (job.status, reason_of(job))))


def _seeds(jobs: Sequence[Outcome]) -> str:
    numbers = ", ".join(str(job.seed) for job in jobs)
    return f"seed {numbers}" if len(jobs) == 1 else f"seeds {numbers}"
