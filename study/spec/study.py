"""Study files: `load_study` reads a YAML file into a `Study` (docs/study_format.md)."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from study.spec.claims import Claim, read_claims
from study.spec.errors import InvalidError
from study.spec.factors import (
    SECTIONS,
    Factors,
    Level,
    default_name,
    fields_of,
    read_factors,
    read_match,
)
from study.spec.match import Matching, read_matching
from study.spec.resolve import Draft, draft_run, fault, place_of, resolve
from study.spec.sections import (
    entries,
    items,
    read_config,
    read_design,
    read_paired,
    read_race,
    read_report,
    read_seeds,
    read_text_line,
    settle_views,
)
from study.spec.settings import CostConfig, Race, ReportConfig, RunSettings
from study.spec.tuning import Tuning, read_tune
from study.spec.yaml_nodes import (
    OVERRIDE,
    Key,
    Node,
    StudyError,
    complain,
    merge,
    read_file,
    read_text,
)
from vlf.config import ConfigError, nearest

__all__ = ["Claim", "Level", "Matching", "Study", "StudyError", "Tuning", "load_study", "locate"]

KEYS = (
    "question", "extends", "base", "factors", "paired", "design", "exclude", "include", "seeds",
    "tune", "match", "claims", "cost", "run", "report",
)  # fmt: skip
MAX_COMPARISONS = 10_000_000  # of excludes, includes and claims with levels and cells
QUICK_ROUNDS = 5


@dataclass(frozen=True)
class Study:
    """A question, and everything needed to answer it.

    Attributes:
        path: The study file.
        digest: sha256 of its text (and of the files it extends).
        texts: File -> its text, the study file first, then what it extends in turn.
        question: In a sentence; printed above the tables.
        base: The run that factors change, as nested plain values; a valid run by itself.
        factors: Factor -> its levels, in the file's order.
        design: "grid": all combinations; "one_at_a_time": the baseline and single changes of it.
        paired: Groups of factors whose levels move together.
        exclude: Partial matches (factor -> label) taken out of the design.
        include: Partial matches of the whole grid, in the study whatever design and exclude say.
        seeds: One training run a cell and seed; none is a study of costs alone. In a race, all that
            it may take.
        claims: Written before the run; judged by the report.
        cost: The cost protocol.
        run: Where jobs run.
        report: What is shown; its baseline has labels and is never empty where there are factors.
        tune: What each cell's recipe is chosen from, on validation and with seeds of its own.
        quick: True for a smoke version.
        match: Which cells are scaled to equal cost; None scales nothing.
        race: How seeds are added until claims are decided; None runs all seeds.
        overrides: Of `base`, as the command line gave them.
        places: Key of the file -> "file:line", for complaints.
    """

    path: Path
    digest: str
    question: str
    base: Mapping[str, Any]
    factors: Mapping[str, tuple[Level, ...]]
    design: Literal["grid", "one_at_a_time"]
    paired: tuple[tuple[str, ...], ...]
    exclude: tuple[Mapping[str, str], ...]
    include: tuple[Mapping[str, str], ...]
    seeds: tuple[int, ...]
    claims: tuple[Claim, ...]
    cost: CostConfig
    run: RunSettings
    report: ReportConfig
    tune: Tuning | None = None
    quick: bool = False
    match: Matching | None = None
    race: Race | None = None
    overrides: tuple[str, ...] = ()
    texts: Mapping[Path, str] = field(default_factory=dict, repr=False, compare=False)
    places: Mapping[Key, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def baseline(self) -> dict[str, str]:
        """Factor -> label of the cells that others are compared with; {} without factors."""
        return {name: str(label) for name, label in self.report.baseline.items()}

    def error(self, key: Key, message: str) -> StudyError:
        """A complaint about a key of the file, such as ("claims", 1), with its line."""
        return complain(place_of(self.places, key) or str(self.path), key, message)

    def draft(self, levels: Mapping[str, str]) -> Draft:
        """The run of a combination (factor -> label), not validated."""
        chosen = [
            level
            for name, choices in self.factors.items()
            for level in choices
            if level.label == levels[name]
        ]
        return draft_run(self.base, chosen)


class Combination(Protocol):
    """A cell, as far as complaints need it."""

    @property
    def levels(self) -> Mapping[str, str]:
        """Factor -> label."""


def load_study(path: Path, overrides: Sequence[str] = (), quick: bool = False) -> Study:
    """Read a study file.

    Args:
        path: The file, shown in complaints as it is given.
        overrides: "train.epochs=2": dotted keys of `base` with YAML values (`--set`).
        quick: Make the smoke version: one seed, few timing rounds; `expand` lowers the rest.

    Raises:
        StudyError: One line, `file:line: key: what is wrong`, with the first mistake.
    """
    root, texts = _read_chain(path)
    parts = entries(root, KEYS)
    if "question" not in parts:
        raise complain(root.place, (), "question: is required")
    factors = read_factors(parts.get("factors"))
    base = _read_base(parts.get("base"), overrides, factors)
    design = read_design(parts.get("design"))
    paired = read_paired(parts.get("paired"), factors)
    cost = read_config(CostConfig, parts.get("cost"))
    report = read_report(parts.get("report"), factors, design, paired)
    race = read_race(parts.get("seeds"))
    seeds = tuple(range(race.end)) if race else read_seeds(parts.get("seeds"))
    tune = read_tune(parts.get("tune"), factors, seeds)
    _check_overrides(overrides, tune)
    study = Study(
        path=path,
        digest=hashlib.sha256("\0".join(texts.values()).encode()).hexdigest(),
        question=read_text_line(parts["question"]),
        base={section: base.value[section].plain() for section in SECTIONS},
        factors=factors,
        design=cast(Literal["grid", "one_at_a_time"], design),
        paired=paired,
        exclude=_read_matches(parts.get("exclude"), factors),
        include=_read_matches(parts.get("include"), factors),
        seeds=seeds,
        race=race,
        claims=read_claims(_few(parts.get("claims"), "claims", factors), factors, cost),
        cost=cost,
        run=read_config(RunSettings, parts.get("run")),
        report=settle_views(report, parts.get("report"), factors, cost),
        match=read_matching(parts.get("match"), factors, report.baseline),
        tune=tune,
        overrides=tuple(overrides),
        texts=texts,
        places=_places(root) | _places(base),
    )
    _check_trained(study)
    return _make_quick(study) if quick else study


def locate(study: Study, cell: Combination, error: ConfigError) -> StudyError:
    """The error at the place of the study file that set a value which cannot be built."""
    section, *names = error.key.split(".")
    if section not in SECTIONS:
        key: Key = ("base",)
        shown = ", ".join(f"{factor}={label}" for factor, label in cell.levels.items())
        return study.error(key, f"{error} (cell {shown})" if shown else str(error))
    invalid = InvalidError((section, *names), error.message, "cross")
    return fault(study.draft(cell.levels), invalid, study.places, cell.levels)


def _check_trained(study: Study) -> None:
    for number, claim in enumerate(study.claims):
        if claim.kind == "accuracy" and not study.seeds:
            raise study.error(
                ("claims", number), f"{claim.metric} needs training, and seeds is empty"
            )


def _make_quick(study: Study) -> Study:
    cost = study.cost.model_copy(update={"rounds": min(study.cost.rounds, QUICK_ROUNDS)})
    tune = study.tune.quick() if study.tune else None
    return dataclasses.replace(
        study, quick=True, seeds=study.seeds[:1], cost=cost, tune=tune, race=None
    )


def _check_overrides(overrides: Sequence[str], tune: Tuning | None) -> None:
    names = [override.partition("=")[0].strip() for override in overrides]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(f"--set: {name}: is set {names.count(name)} times; say it once")
        if tune and name in tune.values:
            raise StudyError(f"--set: {name}: is chosen by tune of this study")


def _read_chain(path: Path) -> tuple[Node, dict[Path, str]]:
    """A file merged over those that it extends, and all their texts."""
    tree, text = read_file(path)
    texts, trees = {path: text}, [tree]
    seen = [path.resolve()]
    while (extends := entries(trees[-1], KEYS).get("extends")) is not None:
        # normpath: a complaint shows ablations/x.yaml, not ablations/big/../x.yaml.
        path = Path(os.path.normpath(path.parent / read_text_line(extends)))
        try:
            real, is_file = path.resolve(), path.is_file()
        except (OSError, RuntimeError) as error:  # too long a name, a circle of links
            raise extends.error(f"{path} cannot be read ({error})") from None
        if real in seen:
            raise extends.error(f"{path} extends this file, so neither can come first")
        seen.append(real)
        if not is_file:
            raise extends.error(f"no such file: {path}")
        tree, texts[path] = read_file(path)
        trees.append(tree)
    return reduce(
        lambda under, over: merge(_without_replaced(under, over), over), trees[::-1]
    ), texts


def _without_replaced(under: Node, over: Node) -> Node:
    """An extended file less those sections of its base for which `over` chooses another `name`."""
    lower, upper = _mapping(_mapping(under).get("base")), _mapping(_mapping(over).get("base"))
    kept = dict(lower)
    for section in SECTIONS:
        old, new = (_mapping(base.get(section)).get("name") for base in (lower, upper))
        if new is not None and new.value != (old.value if old else default_name(section)):
            kept.pop(section, None)
    if len(kept) == len(lower):
        return under
    base = dataclasses.replace(under.value["base"], value=kept)
    return dataclasses.replace(under, value={**under.value, "base": base})


def _mapping(node: Node | None) -> dict[str, Node]:
    """The nodes of a mapping; none of what is no mapping, perhaps not yet."""
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _read_base(node: Node | None, overrides: Sequence[str], factors: Factors) -> Node:
    """The base with its overrides, found valid by itself."""
    key: Key = ("base",)
    tree = Node({section: Node({}, "", (*key, section), "") for section in SECTIONS}, "", key, "")
    if node is not None:
        for name, one in entries(node).items():
            if "." in name and name.partition(".")[0] in SECTIONS:
                outer, _, inner = name.partition(".")
                hint = f"write {outer}: {{{inner}: ...}}"
                raise one.error(f"dotted keys belong to factors; {hint}")
        for one in entries(node, SECTIONS).values():
            entries(one)
        tree = merge(tree, node)
    for override in overrides:
        _override(tree, override, factors)
    draft = draft_run({section: tree.value[section].plain() for section in SECTIONS}, ())
    try:
        resolve(draft)
    except InvalidError as error:
        raise fault(draft, error, _places(tree), {}) from None
    return tree


def _places(tree: Node) -> dict[Key, str]:
    return {node.key: node.place for node in tree.walk() if node.place}


def _override(tree: Node, override: str, factors: Factors) -> None:
    name, equals, text = override.partition("=")
    section, _, rest = name.strip().partition(".")
    if not equals or not rest:
        raise StudyError(f"--set: expected KEY=VALUE such as train.epochs=2, got {override!r}")
    if section not in SECTIONS or rest not in fields_of(section):
        names = [f"{one}.{key}" for one in SECTIONS for key in fields_of(one)]
        near = nearest(name.strip(), names)
        raise StudyError(f"--set: {name.strip()}: unknown key of base{near}")
    if f"{section}.{rest}" in factors:
        raise StudyError(f"--set: {section}.{rest}: is a factor of this study, which sets it")
    value = read_text(text, OVERRIDE, lines=False)
    fields = tree.value[section].value
    current = fields["name"].value if "name" in fields else default_name(section)
    if rest == "name" and value.value != current:
        fields.clear()  # as in a patch: another architecture inherits nothing
    fields[rest] = Node(value.value, value.text, ("base", section, rest), OVERRIDE)


def _read_matches(node: Node | None, factors: Factors) -> tuple[Mapping[str, str], ...]:
    nodes = _few(node, "{factor: level}", factors)
    return tuple(read_match(one, factors) for one in nodes)


def _few(node: Node | None, what: str, factors: Factors) -> list[Node]:
    """The nodes of a list, each of which is looked up among all levels."""
    nodes, levels = items(node, what), sum(map(len, factors.values()))
    if node is not None and len(nodes) * levels > MAX_COMPARISONS:
        many = f"{len(nodes):,} entries x {levels:,} levels"
        raise node.error(f"{many} are too many, more than {MAX_COMPARISONS:,}")
    return nodes
