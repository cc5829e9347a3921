"""A key with nothing behind it is told with its line, whichever key of a study file it is."""

import re

import pytest

from study.spec.errors import field_names
from study.spec.factors import SECTIONS, kinds
from study.spec.grid import expand
from study.spec.settings import CostConfig, ReportConfig, RunSettings, SlurmSettings, ViewConfig
from study.spec.study import KEYS, StudyError, load_study
from study.spec.tuning import TUNABLE

HEAD = "question: q\n"
REQUIRED = {"root": ".", "num_classes": "2", "architecture": "r3d_18"}
VARIANTS = "factors: {variant: {a: {}, b: {data.seed: 1}}}\n"


def fields():
    """Section, a class of it, and each field that no class before has."""
    for section in SECTIONS:
        seen = set()
        for name, cls in kinds(section).items():
            for field in field_names(cls):
                if field not in seen:
                    seen.add(field)
                    yield section, name, cls, field


def runs():
    """Every key of a run: in base, as a factor, as its level, in a labelled level."""
    for section, kind, cls, field in fields():
        said = {"name": kind} if kind else {}
        said |= {key: REQUIRED[key] for key, one in cls.model_fields.items() if one.is_required()}
        said.pop(field, None)
        others = "".join(f"    {key}: {value}\n" for key, value in said.items())
        base = f"base:\n  {section}:\n{others}"
        name = f"{section}.{field}"
        yield f"base.{name}", f"{base}    {field}:\n"
        yield f"factors.{name}", f"factors:\n  {name}:\n"
        yield f"factors.{name}[0]", f"factors:\n  {name}:\n    -\n"
        if field not in REQUIRED:  # a base without one is refused first
            level = f"{base if said else ''}factors:\n  v:\n    a:\n"
            yield f"factors.v.a.{name}", f"{level}      {name}:\n"
            yield f"factors.v.a.{section}.{field}", f"{level}      {section}:\n        {field}:\n"


def levels():
    """What is around the keys of a labelled level."""
    yield "factors.v", "factors:\n  v:\n"
    yield "factors.v.a", "factors:\n  v:\n    a:\n"
    for section in (*SECTIONS, "run", "run.slurm"):
        yield f"factors.v.a.{section}", f"factors:\n  v:\n    a:\n      {section}:\n"
    for field in field_names(SlurmSettings):
        name = f"run.slurm.{field}"
        yield f"factors.v.a.{name}", f"factors:\n  v:\n    a:\n      {name}:\n"


def settings():
    """Every key of the sections beside a run."""
    for section, cls in (("cost", CostConfig), ("run", RunSettings), ("report", ReportConfig)):
        for field in field_names(cls):
            yield f"{section}.{field}", f"{section}:\n  {field}:\n"
    for field in field_names(SlurmSettings):
        yield f"run.slurm.{field}", f"run:\n  slurm:\n    {field}:\n"
    yield "run.slurm.options.a", "run:\n  slurm:\n    options:\n      a:\n"
    for field in field_names(ViewConfig):
        name = "" if field == "name" else "name: n, "
        yield f"report.views[0].{field}", f"report:\n  views:\n    - {{{name}\n      {field}: }}\n"
    for section, key in (("tune", "seeds"), ("tune", "epochs"), ("tune", "metric")):
        told = "train.lr: [0.1, 0.2]" + ("" if key == "seeds" else "\n  seeds: [7]")
        yield f"{section}.{key}", f"{section}:\n  {told}\n  {key}:\n"
    for key in TUNABLE:
        yield f"tune.{key}", f"tune:\n  {key}:\n"
    for key in ("metric", "to", "by", "within"):
        said = {"metric": "macs", "by": "{vlf: model.width}"}
        said.pop(key, None)
        others = "".join(f"  {one}: {value}\n" for one, value in said.items())
        yield f"match.{key}", f"{VARIANTS}match:\n{others}  {key}:\n"
    for key in ("key", "min", "max"):
        said = "" if key == "key" else "      key: model.width\n"
        text = f"{VARIANTS}match:\n  metric: macs\n  by:\n    vlf:\n{said}      {key}:\n"
        yield f"match.by.vlf.{key}", text
    for key in ("exclude", "include"):
        yield f"{key}[0].variant", f"{VARIANTS}{key}:\n  - variant:\n"
    yield "report.baseline.variant", f"{VARIANTS}report:\n  baseline:\n    variant:\n"
    for key in ("seeds", "claims", "exclude", "include", "paired"):
        yield f"{key}[0]", f"{key}:\n  -\n"


def sections():
    """The keys of a study file, and of its base."""
    for section in SECTIONS:
        yield f"base.{section}", f"base:\n  {section}:\n"
    for key in KEYS:
        yield key, f"{key}:\n"


@pytest.mark.parametrize("enumerate_keys", [sections, runs, levels, settings])
def test_every_key_with_nothing_behind_it_is_an_error_at_its_line(tmp_path, enumerate_keys):
    path = tmp_path / "c.yaml"
    for key, text in enumerate_keys():
        text = text if key == "question" else HEAD + text
        path.write_text(text, "utf-8")

        with pytest.raises(StudyError) as caught:
            pytest.fail(f"{key} is dropped: {expand(load_study(path))}")

        place = f"{path}:{text.count(chr(10))}: {key}: "
        assert str(caught.value).startswith(f"{place}expected "), text
        assert re.search("[,;] got nothing", str(caught.value)), text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds:", "seeds: expected a list of whole numbers, got nothing"),
        ("seeds: null", "seeds: expected a list of whole numbers, got null"),
        ("seeds: # [0, 1]", "seeds: expected a list of whole numbers, got nothing"),
        ("factors: {model.width: }", "factors.model.width: expected a list of levels, got nothing"),
        (
            "factors: {v: {a: }}",
            "factors.v.a: expected a mapping of keys that the level sets ({} is the base), "
            "got nothing",
        ),
        ("cost: {rounds: }", "cost.rounds: expected a whole number, got nothing"),
        (
            "cost: {sweep_to: }",
            "cost.sweep_to: expected a whole number, got nothing (null is none)",
        ),
        ("design:", "design: expected one of grid, one_at_a_time, got nothing"),
        ("tune: {}", "tune: names no key to choose, such as train.lr: [1.0e-3, 2.0e-3]"),
    ],
)
def test_the_complaint_says_what_is_expected(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + text, "utf-8")

    with pytest.raises(StudyError) as caught:
        expand(load_study(path))

    assert str(caught.value) == f"{path}:2: {message}"


def test_a_blank_entry_of_match_leaves_a_level_as_it_is(tmp_path):
    path = tmp_path / "c.yaml"
    variants = "factors: {variant: {a: {}, b: {data.seed: 1}, c: {data.seed: 2}}}\n"
    by = "match: {metric: macs, by: {b: model.width, c: }}"
    path.write_text(HEAD + variants + by, "utf-8")

    scales = load_study(path).match.by

    assert [(one.name, one.field) for one in scales] == [("b", "width"), ("c", "")]


def test_null_is_a_value_where_a_key_may_be_without_one(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + "base: {data: {limit: null}}\nfactors: {model.stage: [~, 2]}\n", "utf-8")

    cells = expand(load_study(path))

    assert [cell.name for cell in cells] == ["model.stage=~", "model.stage=2"]
    assert [cell.config.model.stage for cell in cells] == [None, 2]
