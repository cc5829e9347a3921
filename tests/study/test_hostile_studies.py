"""Study files that are made to hurt: refused in seconds, in one line that names the place."""

import pytest

from study.cli.main import parse_options
from study.spec.grid import expand
from study.spec.study import StudyError, load_study

pytestmark = pytest.mark.timeout(60)  # a hang fails; nothing here takes more than seconds

HEAD = "question: q\nbase: {data: {name: motion, frames: 8}}\n"
SEEDS = "[" + ",".join(map(str, range(9000))) + "]"
GRID = f"factors: {{data.seed: {SEEDS}, train.epochs: [1, 2, 3, 4, 5]}}\n"


def bomb(levels):
    """Lists of nine aliases each, level upon level."""
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"]
    for below, name in zip("abcdefgh"[:levels], "bcdefghi", strict=False):
        lines.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n")
    return "".join(lines)


def ten_levels_each(factors):
    levels = ", ".join(f"l{one}: {{train.epochs: {one + 1}}}" for one in range(10))
    return "factors:\n" + "".join(f"  f{number}: {{{levels}}}\n" for number in range(factors))


HOSTILE = {
    "ten megabytes": (HEAD + "#" * 10_000_000, "is larger than 1,048,576 bytes"),
    "an alias bomb": (HEAD + bomb(8), ":3: holds more than 200,000 values"),
    "a grid of 10^9 cells": (HEAD + ten_levels_each(9), "= 1,000,000,000 cells, more than 100,000"),
    "10^9 training runs": (
        HEAD + f"factors: {{data.seed: {SEEDS}}}\nseeds: {SEEDS}",
        ":4: seeds: 9,000 cells x 9,000 seeds = 81,000,000 training runs",
    ),
    "brackets in brackets": (HEAD + "factors: " + "[" * 500_000, "nested more than 20 levels deep"),
    "blocks in blocks": (
        HEAD + "factors:\n" + "".join(" " * one + "a:\n" for one in range(1, 1000)),
        "nested more than 20 levels deep",
    ),
    "many excludes": (
        HEAD + GRID + "exclude: [" + ",".join(f"{{data.seed: {i}}}" for i in range(8000)) + "]",
        ":4: exclude: 8,000 entries x 9,005 levels",
    ),
    "many claims": (
        HEAD + GRID + "claims:\n" + "".join(f"  - top1[data.seed={i}] > 5\n" for i in range(8000)),
        ":4: claims: 8,000 entries x 9,005 levels",
    ),
    "claims of many cells": (
        HEAD + GRID + "claims:\n" + "".join(f"  - top1[data.seed={i}] > 5\n" for i in range(900)),
        ":4: claims: 900 x 45,000 cells = 40,500,000 comparisons",
    ),
    "a claim of brackets": (HEAD + "claims: ['top1" + "[" * 400_000 + "']", ":3: claims[0]: "),
    "a number of a million digits": (HEAD + f"seeds: [{'1' * 900_000}]", "is too large a number"),
    "a key of a million letters": (
        HEAD + f"? {chr(39)}{'x' * 900_000}{chr(39)}\n: 1",
        "unknown key",
    ),
    "a null byte": (HEAD + 'extends: "a\\0b.yaml"', ":3: extends: holds the control character"),
    "an escape of a terminal": (HEAD + 'report: {title: "\\e[31m"}', "holds the control character"),
    "a name no system takes": (HEAD + "extends: " + "a" * 5000, ":3: extends: "),
    "a device": (HEAD + "extends: /dev/zero", ":3: extends: no such file: /dev/zero"),
    "a folder": (HEAD + "extends: .", ":3: extends: no such file: "),
    "a Python object": (HEAD + "seeds: !!python/object/apply:os.system [id]", "is not read"),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_study_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "hostile.yaml"
    path.write_text(text, "utf-8")

    with pytest.raises(StudyError) as error:
        expand(load_study(path))

    told = str(error.value)
    assert told.startswith(str(path))
    assert message in told
    assert "\n" not in told
    assert len(told) < 5000


@pytest.mark.parametrize(
    "where",
    [
        "base: {model: {name: timesformer, weights: NAME}}",
        "base: {data: {name: video_list, root: NAME}}",
        "base: {data: {name: video_list, root: ., train: NAME}}",
    ],
)
def test_a_file_name_that_no_system_takes_is_told_by_the_plan(tmp_path, where, capsys):
    import run_study

    path = tmp_path / "long.yaml"
    path.write_text("question: q\n" + where.replace("NAME", "a" * 5000), "utf-8")

    assert run_study.main([str(path), "--status", "--results", str(tmp_path / "results")]) in (1, 2)
    assert "Traceback" not in capsys.readouterr().err


KEPT = ["records", "artifacts", "attempts", "leases", "slurm", "quick"]  # folders of the store


@pytest.mark.parametrize(
    ("name", "message"),
    [(f"{name}.yaml", f"{name}.*rename the file") for name in KEPT]
    + [(name, "names no folder for the report") for name in ("..yaml", "...yaml")],
)
def test_a_report_cannot_lie_where_the_store_keeps_its_files_or_above(tmp_path, name, message):
    path = tmp_path / name
    path.write_text(HEAD, "utf-8")

    with pytest.raises(StudyError, match=message):
        parse_options([str(path)]).load()


@pytest.mark.parametrize(
    "name", ["order.yaml", ".yaml", "a/../b.yaml", "ablations/../../c.yaml", "ablations/a/d.yaml"]
)
def test_no_name_of_a_study_leaves_the_results_folder(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ablations").mkdir()
    options = parse_options([name, "--results", str(tmp_path / "results")])

    folder = options.report_folder.resolve()

    assert folder.is_relative_to(tmp_path / "results")
    assert folder != tmp_path / "results"
