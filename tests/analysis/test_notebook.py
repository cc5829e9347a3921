"""`analysis.load`, and the notebook of the documents, on records that are written by hand."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import nbformat
import pandas as pd
import pytest

from analysis import load
from analysis.notebook import figure, open_study, table
from analysis.report.report import write_report
from analysis.tables.main import main_table
from study.plan.planner import Choice, make_plan
from study.records.store import Store
from study.spec.grid import expand
from study.spec.study import StudyError, load_study

STUDY = """\
question: Does order matter?
base: {data: {name: motion, frames: 4}}
factors:
  variant: {VLF: {}, NA: {model.spatial_depth: 0}, TSN: {model: {name: tsn}}}
  data.frames: [4, 8]
seeds: [0, 1]
run: {device: cpu}
report: {tables: [main], figures: []}
"""
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=sys.argv[2])
nbformat.write(notebook, sys.argv[3])
"""


@pytest.fixture
def stored(maker, tmp_path):
    """A study file and a results folder with a record of every job but one."""
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    study, store = load_study(path), Store(maker.root)
    plan = make_plan(study, expand(study), store, "cpu", Choice())
    for number, job in enumerate(plan.jobs[:-1]):
        made = (
            maker.train(job.cell.levels, job.seed, 60.0 + number)
            if job.kind == "train"
            else maker.cost(job.cell.levels, 1e5, 1e7 * (number + 1), 2.0 + number)
        )
        key = {"identity": job.key.identity, "fingerprint": job.key.fingerprint}
        store.add(job.key, dataclasses.replace(made.record, config=job.key.config, **key))
    return path, maker.root


def test_a_study_is_loaded_as_one_row_a_sample_and_a_row_for_what_is_missing(stored):
    frame = load(*stored)

    top1 = frame[(frame["metric"] == "top1") & (frame["split"] == "test")]
    assert top1["value"].tolist() == [66.0 + number for number in range(11)]
    assert top1["seed"].tolist() == [0, 1] * 5 + [0]
    missing = frame[frame["status"] == "not run"]
    assert missing[["cell", "seed"]].values.tolist() == [["variant=TSN, data.frames=8", 1]]


def test_the_folder_of_a_report_gives_the_same_numbers(stored, tmp_path):
    path, root = stored
    results = open_study(path, root)
    write_report(results.study, results.outcomes, tmp_path / "report", root)

    frame, again = load(path, root), load(tmp_path / "report")

    assert again.columns.tolist() == frame.columns.tolist()
    for name in ("seed", "round", "batch_size", "views", "value"):
        pd.testing.assert_series_equal(again[name], frame[name], rtol=1e-12)
    for name in ("cell", "variant", "data.frames", "metric", "status", "part"):
        assert again[name].tolist() == frame[name].fillna("").tolist()
    with pytest.raises(FileNotFoundError, match="name a study file, or a report's folder"):
        load(root)


def test_tables_and_figures_are_those_of_the_report(stored):
    results = open_study(*stored)

    assert table(results) == main_table(results)
    assert table(results)._repr_html_() == main_table(results).to_html()
    picture = figure(results, "accuracy_macs")
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert "MACs of one clip" in picture.caption
    with pytest.raises(StudyError, match=r'no "acuracy_macs"; did you mean "accuracy_macs"\?'):
        figure(results, "acuracy_macs")
    with pytest.raises(StudyError, match="no such file"):
        open_study("missing.yaml", stored[1])


def test_reading_a_study_writes_nothing(stored, tmp_path):
    before = sorted(tmp_path.rglob("*"))

    table(open_study(*stored), "claims")

    assert sorted(tmp_path.rglob("*")) == before


def test_the_notebook_of_the_documents_runs_from_top_to_bottom(stored, root, tmp_path):
    path, results = stored
    made = tmp_path / "made.ipynb"
    surroundings = {
        **os.environ, "STUDY": str(path), "RESULTS": str(results), "PYTHONPATH": str(root),
        "JUPYTER_PLATFORM_DIRS": "1", "IPYTHONDIR": str(tmp_path / "ipython"),
    }  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(root / "docs/notebook.ipynb"), str(root), str(made)],
        env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    cells = [one for one in nbformat.read(made, as_version=4).cells if one.cell_type == "code"]
    kinds = [sorted(out.get("data", {"stream": ""})) for one in cells for out in one.outputs]
    assert ["image/png", "text/plain"] in kinds
    shown = json.dumps([one.outputs for one in cells])
    assert main_table(open_study(path, results)).rows[0][3].text in shown  # top-1 of the first cell
    assert "AdamW" in shown


def test_the_notebook_is_kept_small_without_outputs_or_paths_of_a_machine(root):
    text = (root / "docs/notebook.ipynb").read_text("utf-8")
    cells = json.loads(text)["cells"]

    assert len(text) < 10_000
    assert all(one["outputs"] == [] for one in cells if one["cell_type"] == "code")
    assert not re.search(r"/(home|tmp|usr|work|root)/", text)
