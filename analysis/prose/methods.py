"""The methods paragraph: what was done, from the records alone, as Markdown and LaTeX to edit.

A setting stands here because a record has it, never because it is a default. What no record tells
(why, and what else was tried) is left to the author.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from analysis.findings.tuning import method_words
from analysis.prose.protocol import costs, evaluation, hardware, statistics
from analysis.prose.recipe import data_sentences, training_sentences
from analysis.prose.rendering import environment
from analysis.prose.settings import (
    Done,
    Section,
    Settings,
    cells_words,
    listed,
    settings_of,
    value_words,
)
from analysis.results.results import Results, Variant
from analysis.stats.format import plural, prefix_for, significant
from analysis.tables.latex import escape_latex
from analysis.tables.matched import matched_columns, matched_remarks
from analysis.tables.table import escape_markdown
from study.records.files import write_atomic
from study.records.record import Kind, Record

MOST_ITEMS = 30  # of a list; records.csv has all
ARCHITECTURES = {  # name -> what a paper calls it
    "vlf": "VideoLightFormer (arXiv:2107.00451)",
    "tsn": "TSN (arXiv:1608.00859)",
    "tsm": "TSM (arXiv:1811.08383)",
    "timesformer": "TimeSformer (arXiv:2102.05095)",
    "vivit": "ViViT (arXiv:2103.15691)",
    "vtn": "VTN (arXiv:1905.08711)",
    "vtn_longformer": "VTN (arXiv:2102.00719)",
}


def write_methods(results: Results, folder: Path) -> list[Path]:
    """Write `methods.md` and `methods.tex`, a part for a paper; gives their paths."""
    sections = methods(results)
    return [
        write_atomic(folder / f"methods.{ending}", _render(f"methods.{ending}", sections))
        for ending in ("md", "tex")
    ]


def methods(results: Results) -> list[Section]:
    """Methods paragraphs from the records; a section without a record is left out."""
    trained, timed = _done(results, "train"), _done(results, "cost")
    sections = [
        _design(results, trained),
        *_data(results, trained),
        _models(results, [*trained, *timed]),  # a cost record does not tell of weights
        _training(results, trained),
        evaluation(trained),
        costs(results, timed),
        statistics(results),
        hardware(results, trained, timed),
        _missing(results, [*trained, *timed]),
    ]
    return [_shorten(one) for one in sections if one.sentences or one.items]


def _shorten(section: Section) -> Section:
    more = len(section.items) - MOST_ITEMS
    if more <= 0:
        return section
    items = [*section.items[:MOST_ITEMS], f"and {more} more, which records.csv has"]
    return Section(section.title, section.sentences, items)


def _done(results: Results, kind: Kind) -> list[tuple[Variant, Record]]:
    """Every finished record of a kind, beside its cell."""
    return [
        (variant, one.record)
        for variant in results.variants
        for one in results.jobs(variant)
        if one.kind == kind and one.status in ("done", "reused") and one.record is not None
    ]


def _design(results: Results, trained: Done) -> Section:
    study = results.study
    sentences = []
    if study.quick:
        sentences.append("This was a smoke run (--quick), whose numbers answer nothing.")
    sentences.append(f"The study asks: {study.question.rstrip()}")
    if study.factors:
        every = math.prod(len(levels) for levels in study.factors.values())
        some = "all" if len(results.variants) == every else f"of the {every}"
        grid = f"{some} combinations"
        kind = grid if study.design == "grid" else "the baseline and single changes of it, out"
        factors = [
            f"{name} ({', '.join(level.label for level in levels)})"
            for name, levels in study.factors.items()
        ]
        cells = plural(len(results.variants), "cell")
        sentences.append(f"It has {cells}: {kind} of {listed(factors)}.")
    if study.baseline and len(results.variants) > 1:
        named = [f"{name} {label}" for name, label in study.baseline.items()]
        sentences.append(f"Cells are compared with the baseline, {listed(named)}.")
    planned = sum(one.kind == "train" for one in results.outcomes)
    if planned:
        seeds = sorted({record.seed for _, record in trained if record.seed is not None})
        words = f"{len(trained)} of {planned} planned training runs are finished"
        with_seeds = f", with the seeds {listed([str(seed) for seed in seeds])}" if seeds else ""
        sentences.append(f"{words}{with_seeds if len(seeds) != 1 else f', with seed {seeds[0]}'}.")
    remarks = list(matched_remarks(results))
    items = [
        f"{variant.label}: {show(variant).text}"
        for _, show in matched_columns(results)
        for variant in results.variants
    ]
    return Section("Design", [*sentences, *remarks], items)


def _data(results: Results, trained: Done) -> list[Section]:
    """One section a dataset."""
    every = settings_of((v, r.config["data"]) for v, r in trained if "data" in r.config)
    sections = []
    for name in every.values("name"):
        data = every.where("name", name)
        title = "Data" if len(every.values("name")) == 1 else f"Data: {name}"
        items = data.differing(results, skip=("root", "videos", *_factors(results, "data")))
        sections.append(Section(title, data_sentences(data), items))
    return sections


def _models(results: Results, records: Done) -> Section:
    """One item a different model; of a cell's records the first tells it."""
    first: dict[str, tuple[Variant, dict[str, object]]] = {}
    for variant, record in records:
        if "model" in record.config:
            first.setdefault(variant.cell, (variant, _said(record.config["model"])))
    groups: dict[str, tuple[dict[str, object], list[Variant]]] = {}
    for variant, model in first.values():
        groups.setdefault(json.dumps(model, sort_keys=True), (model, []))[1].append(variant)
    items = []
    for model, cells in groups.values():
        words = [_architecture(model), *_model_words(model)]
        counts = [_count_words(results, cells, *one) for one in _COUNTS]
        told = ", ".join([", ".join(words), *filter(None, counts)])
        items.append(f"{cells_words(results, cells)}: {told}")
    return Section("Models", [], items)


_COUNTS = (("parameters", "parameters"), ("macs", "MACs a clip"))


def _said(model: dict[str, object]) -> dict[str, object]:
    """Options that are not switched off; a depth of 0 is named."""
    said = {n: v for n, v in model.items() if v is not None and v is not False}
    return {name: value for name, value in said.items() if value not in ("", {})}


def _architecture(model: dict[str, object]) -> str:
    name = str(model["name"])
    if name in ("torchvision", "transformers"):
        return f"{model.get('architecture')} of {name}"
    return ARCHITECTURES.get(name, name)


def _model_words(model: dict[str, object]) -> list[str]:
    return [
        f"{name.replace('_', ' ')} {value_words(value)}"
        for name, value in model.items()
        if name not in ("name", "architecture")
    ]


def _count_words(results: Results, cells: Sequence[Variant], metric: str, words: str) -> str:
    """A count, or its range over the cells that share a model."""
    found = sorted({c for one in cells if (c := results.count(one, metric)) is not None})
    if not found:
        return ""
    factor, prefix = prefix_for(found)
    shown = list(dict.fromkeys(significant(one / factor) for one in (found[0], found[-1])))
    return f"{' to '.join(shown)} {prefix} {words}".replace("  ", " ")


def _training(results: Results, trained: Done) -> Section:
    train = settings_of((v, r.config["train"]) for v, r in trained if "train" in r.config)
    if not train.rows:
        return Section("Training", [])
    sentences = training_sentences(train)
    if len({variant.cell for variant, _ in trained}) > 1:
        sentences.append(
            "Order of clips, sampling and augmentation are drawn from the seed and not from the "
            "model, so that runs of one seed on the same data see the same clips."
        )
    sentences.append(f"A process computes on {train.say_many('threads', 'thread')}.")
    if results.study.tune is not None:
        sentences.append(method_words(results.study.tune))
    skip = [*_unused(train), *_factors(results, "train")]
    return Section("Training", sentences, train.differing(results, skip))


def _factors(results: Results, section: str) -> list[str]:
    """Fields that are factors, whose levels name the cells."""
    dotted = [name.partition(".") for name in results.factors]
    return [field for outer, _, field in dotted if outer == section]


def _unused(train: Settings) -> list[str]:
    """Settings that only some optimisers and schedules read, where none does."""
    found = [] if "sgd" in train.values("optimizer") else ["momentum"]
    found += [] if "muon" in train.values("optimizer") else ["muon_lr"]
    return found if "step" in train.values("schedule") else [*found, "milestones"]


def _missing(results: Results, done: Done) -> Section:
    """Jobs without a result, and what records ask their reader to know."""
    lines: dict[str, None] = {}
    for one in results.outcomes:
        if one.status not in ("done", "reused"):
            what = f"{one.cell}, its costs" if one.seed is None else one.job
            reason = one.reason or (one.record.reason if one.record else "")
            lines[f"{what}: {one.status}" + (f" ({reason})" if reason else "")] = None
    sentences = []
    if lines:
        sentences.append(f"{plural(len(lines), 'planned job')} {_have(len(lines))} no result.")
    others = sum(bool(o.reason) for o in results.outcomes if o.status in ("done", "reused"))
    if others:
        sentences.append(f"{plural(others, 'result')} {_have(others)} a remark in the plan.")
    notes: dict[str, dict[str, Variant]] = {}  # remark -> its cells
    for variant in results.variants:
        for one in results.jobs(variant):
            if one.reason and one.status in ("done", "reused"):
                notes.setdefault(one.reason, {})[variant.cell] = variant
    for variant, record in done:
        for note in record.notes:
            notes.setdefault(note, {})[variant.cell] = variant
    told = [f"{cells_words(results, [*cells.values()])}: {note}" for note, cells in notes.items()]
    return Section("Missing, and remarks", sentences, [*lines, *told])


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _render(name: str, sections: Sequence[Section]) -> str:
    templates = environment(is_html=False)
    templates.filters["md"] = escape_markdown
    templates.filters["tex"] = escape_latex
    return templates.get_template(f"{name}.j2").render(sections=sections)
