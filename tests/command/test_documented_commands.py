"""The commands of README.md and of the quick starts, in a short form; the whole form is slow."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from study_runs import ROOT, run

from vlf.data.preparation.write_video import write_video

PAGES = ("README.md", "docs/quickstart.md", "docs/quickstart_videos.md")
SLOW = ("python run_study.py mine.yaml",)  # trains six runs
ASKED = "python run_study.py asked.yaml --plan --json"  # the README's own question
FEW_CLIPS = """\
base:
  data: {name: motion, frames: 8, size: 32, train_clips: 20, val_clips: 10, test_clips: 10}
"""

# Runs each command line by the function that it names, in one process: torch is imported once.
IN_ONE_PROCESS = """
import contextlib, importlib, io, json, sys
for line in json.loads(sys.argv[1]):
    module, *argv = line
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = importlib.import_module(module).main(argv)
        except SystemExit as ending:
            code = ending.code
    print(json.dumps([code or 0, said.getvalue()]))
"""


def commands_of(page):
    """The command lines of a page's blocks and of its text, without their comments."""
    text = (ROOT / page).read_text("utf-8")
    blocks = re.findall(r"^    ((?:python|make|pip) .*)$", text, re.MULTILINE)
    spans = re.findall(r"`((?:python|make|pip) [^`]*)`", text)
    return [line.partition("  #")[0].strip() for line in (*blocks, *spans)]


def study_of(page, name):
    """The study file that a page tells its reader to write."""
    text = (ROOT / page).read_text("utf-8")
    if page == "README.md":
        lines = text.split(f"    # {name}\n")[1].split("\n\n")[0].splitlines()
        return "\n".join(line[4:] for line in lines) + "\n"
    return text.split("```yaml\n")[1].split("```")[0]


def short_form(line):
    """A command's module and arguments, with options that shorten it."""
    _, *argv = shlex.split(line)
    if argv[:1] == ["-m"]:
        few = ["--train", "4", "--val", "4", "--test", "4"]
        return [*argv[1:], *(few if argv[1] == "vlf.data.footage" else [])]
    assert argv[0] == "run_study.py", line
    return ["run_study", *argv[1:], *(["--plan"] if "--quick" in argv else [])]


def run_all(lines, folder):
    """Exit code and output of each command line, run in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(lines)],
        cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_film(path):
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8)
    write_video(path, np.stack([np.roll(noise, 2 * k, axis=1) for k in range(240)]))


def test_every_command_of_the_pages_is_one_that_is_tested_here():
    lines = [line for page in PAGES for line in commands_of(page)]

    assert len(lines) >= 14
    programs = {line.split()[0] for line in lines}
    assert programs <= {"python", "make"}


def test_the_targets_of_make_run_what_the_pages_say():
    targets = {line for page in PAGES for line in commands_of(page) if line.startswith("make ")}
    recipes = dict(
        re.findall(r"^(\w+): install.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    )
    assert targets == {"make study", "make test"}
    assert "/python run_study.py $(STUDY)" in recipes["study"]
    assert "STUDY ?= ablations/factorization.yaml" in (ROOT / "Makefile").read_text("utf-8")
    assert "-m pytest" in recipes["test"]


def test_the_readme_and_the_quick_start_ask_the_same_question():
    assert study_of("README.md", "question.yaml") == study_of("docs/quickstart.md", "")


@pytest.fixture(scope="module")
def ended(tmp_path_factory, ran):
    """Command line -> exit code and output, each run once on a study that has run before."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ran.results, folder / "results")
    (folder / "ablations").mkdir()
    without_figures = ran.study.read_text("utf-8").replace("report: {", "report: {figures: [], ")
    for name in ("question.yaml", "ablations/factorization.yaml"):
        (folder / name).write_text(without_figures, "utf-8")
    export = ["vlf.data.export", "few.yaml", "--as", "h264", "--out", "data/mine"]
    (folder / "few.yaml").write_text(FEW_CLIPS, "utf-8")
    (folder / "mine.yaml").write_text(study_of("docs/quickstart_videos.md", ""), "utf-8")
    write_film(folder / "FILM.mp4")
    (folder / "asked.yaml").write_text(study_of("README.md", "question.yaml"), "utf-8")
    (folder / "ablations/shared").symlink_to(ROOT / "ablations/shared")
    lines = dict.fromkeys(line for page in PAGES for line in commands_of(page))
    lines = [line for line in lines if line.startswith("python") and line not in SLOW]
    made, *results = run_all([export, *map(short_form, (*lines, ASKED))], folder)
    assert made[0] == 0, made[1]
    return dict(zip((*lines, ASKED), results, strict=True))


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_succeed(page, ended):
    lines = [line for line in commands_of(page) if line in ended]

    assert len(lines) >= 3
    assert {line: ended[line] for line in lines if ended[line][0] != 0} == {}


def test_a_plain_run_of_the_readme_reports_what_has_run(ended):
    _, said = ended["python run_study.py question.yaml"]

    assert "6 reused" in said


def test_the_check_of_ones_own_videos_opens_all_of_them(ended):
    _, said = ended["python -m vlf.data.check mine.yaml"]

    assert "20 listed, 20 opened, 0 missing, 0 broken" in said


def test_the_question_of_the_readme_plans(ended):
    _, said = ended[ASKED]

    assert len({job["cell"] for job in json.loads(said)["jobs"]}) == 4


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_quick_forms_run_whole(tmp_path):
    (tmp_path / "ablations").symlink_to(ROOT / "ablations")
    study, mine = tmp_path / "question.yaml", tmp_path / "mine.yaml"
    study.write_text(study_of("README.md", "question.yaml"), "utf-8")
    mine.write_text(study_of("docs/quickstart_videos.md", ""), "utf-8")
    (tmp_path / "few.yaml").write_text(FEW_CLIPS, "utf-8")
    export = ["vlf.data.export", "few.yaml", "--as", "h264", "--out", "data/mine"]
    assert run_all([export], tmp_path)[0][0] == 0

    for path in (study, mine, tmp_path / "ablations/factorization.yaml"):
        said = run(path, "--quick", "--results", str(tmp_path / "results")).stdout
        assert "0 skipped + 0 failed + 0 not run" in said
    assert "0 failed" in run(mine, "--set", "train.epochs=1").stdout
