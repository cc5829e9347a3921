"""What the command line refuses, in one line, before anything is run or written."""

import pytest

import run_study
from study.cli.main import parse_options
from study.plan.known_studies import keep_study
from study.spec.study import StudyError, load_study

TEXT = """\
question: q
factors:
  variant: {VLF: {}, no g: {model.spatial_depth: 0}}
  data.frames: [4, 8]
exclude: [{variant: no g, data.frames: 4}]
seeds: [0, 1]
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "depth.yaml"
    path.write_text(TEXT, "utf-8")
    return path


def refusal(path, *options):
    """The line on which the command ends."""
    with pytest.raises(StudyError) as caught:
        parse_options([str(path), *options]).load()
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--only varaint=VLF", '--only: varaint: unknown factor; did you mean "variant"? (allowed'),
        ("--only variant=VFL", "--only: variant: unknown level 'VFL'; did you mean \"VLF\"?"),
        ("--only variant=", "--only: variant: unknown level '' (allowed: VLF, no g)"),
        ("--only seed=7", "--only: seed: unknown level '7' (allowed: 0, 1)"),
        ("--only variant=VLF,variant=VLF", "--only: variant: is named twice"),
        ("--only variant=VLF --only variant=VLF", "--only: variant: is named twice"),
        ("--set train.epochs=2 --set train.epochs=2", "--set: train.epochs: is set 2 times"),
        ("--set train.epochs=", "--set: base.train.epochs: expected a whole number, got nothing"),
        ("--set data.limit=", "--set: base.data.limit: expected a whole number, got nothing (null"),
        ("--slurm partition=", "--slurm: partition: expected text, got nothing (null is none)"),
        ("--slurm qos=a,qos=b", "--slurm: qos: is set twice; say it once"),
        ("--slurm options.x=a --slurm options.x=b", "--slurm: options.x: is set twice"),
        ("--pln", 'unrecognized arguments: --pln; did you mean "--plan"? (--help has all options)'),
        ("--plan --status", "argument --status: not allowed with argument --plan (--help"),
        ("--workers 0", "argument --workers: must be a whole number of at least 1, got '0'"),
        ("--json", "--json: goes with --plan or --status or --report or --claims"),
        ("--status --modules 2", "--modules: goes with --plan"),
        ("--gate 0%", "--gate: goes with --compare"),
        ("--report --yes", "--yes: goes with --gc"),
        ("--detach", "--detach: goes with --executor slurm (run.executor: slurm)"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(study, options, message):
    told = refusal(study, *options.split(" "))

    assert told.startswith(message)
    assert "\n" not in told


def test_an_empty_argument_is_told_in_one_line(study):
    assert refusal(study, "").startswith("unrecognized arguments: ")


def test_levels_that_no_cell_has_together_are_refused(study, tmp_path, capsys):
    results = tmp_path / "results"
    options = ["--status", "--results", str(results), "--only", "variant=no g,data.frames=4"]

    assert run_study.main([str(study), *options]) == 2

    told = "error: --only: no cell of the study has variant=no g, data.frames=4\n"
    assert capsys.readouterr().err == told
    assert not results.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dpeth.yaml", 'no such file; did you mean "depth"?'),
        ("depth", "no such file; there is depth.yaml"),
        ("elsewhere/depth.yaml", "no such file"),
        ("folder", "is not a file, but a folder"),
        ("record.json", "is no study file (YAML); a record goes with --reproduce"),
        ("study.zip", "is no study file (YAML); an archive goes with --import"),
        ("empty.yaml", "is empty"),
        ("comment.yaml", "is empty"),
    ],
)
def test_what_is_no_study_file_is_told_in_one_line(study, name, message):
    folder = study.parent
    (folder / "folder").mkdir()
    for file, content in {"record.json": "{}", "study.zip": "\0", "empty.yaml": ""}.items():
        (folder / file).write_text(content, "utf-8")
    (folder / "comment.yaml").write_text("# question: q\n---\n", "utf-8")

    assert refusal(folder / name) == f"{folder / name}: {message}"


def test_a_study_whose_report_would_replace_that_of_another_is_refused(study, tmp_path):
    results = tmp_path / "results"
    other = tmp_path / "other" / study.name
    other.parent.mkdir()
    other.write_text(TEXT.replace("question: q", "question: another?"), "utf-8")
    keep_study(load_study(other), "cpu", results)
    options = ["--results", str(results)]

    assert refusal(study, *options) == (
        f"{study}: its report would replace that of {other} in {results / 'depth'}; "
        "rename the file, or say --results"
    )
    assert parse_options([str(study), "--plan", *options]).load().question == "q"
    assert parse_options([str(other), *options]).load().question == "another?"

    other.write_text(TEXT, "utf-8")  # a copy
    assert parse_options([str(study), *options]).load().question == "q"

    other.unlink()  # moved
    assert parse_options([str(study), *options]).load().question == "q"
