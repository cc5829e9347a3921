"""One of each kind is added by the steps of docs/internals/extending.md alone, and a study run."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ARCHITECTURE = '''\
"""A clip is classified by the mean of its pixels."""

from torch import Tensor, nn

from vlf.config import DataConfig
from vlf.config.model import MeanColourConfig


class MeanColour(nn.Module):
    """Mean colour, then one linear layer."""

    def __init__(self, config: MeanColourConfig, data: DataConfig) -> None:
        super().__init__()
        self.f = nn.Linear(3, config.width)
        self.head = nn.Linear(config.width, data.classes)

    def forward(self, clip: Tensor) -> Tensor:
        """(B, T, 3, H, W) -> (B, K)."""
        return self.head(self.f(clip.mean((1, 3, 4))))
'''
DATASET = '''\
"""The embedded clips, darker."""

from vlf.config.published import DarkConfig
from vlf.data import Split
from vlf.data.datasets.motion import Motion


class Dark(Motion):
    """Half as bright."""

    def load(self, index, rng):
        """(T, 3, S, S) uint8."""
        return super().load(index, rng) // 2

    def load_views(self, index):
        """(1, T, 3, S, S) uint8."""
        return super().load_views(index) // 2
'''
METRIC = '''\
"""How many layers have weights."""

from study.measure.metrics.subject import Reading, Subject
from study.records.record import measured


def measure_layers(subject: Subject) -> Reading:
    """Modules with a weight."""
    count = sum(hasattr(module, "weight") for module in subject.model.modules())
    return Reading((measured("layers", (count,)),))
'''
EXECUTOR = '''\
"""Jobs run in this process, with a line each."""

from study.executors.inline import InlineExecutor


class LoudExecutor(InlineExecutor):
    """As inline, and says so."""

    def train(self, tasks, run_job, placement, notify):
        """Yield each record as its job ends."""
        print(f"loud: {len(tasks)} jobs")
        yield from super().train(tasks, run_job, placement, notify)
'''
TABLE = '''\
"""The number of layers of each cell."""

from analysis.tables.table import Entry, Table


def layers_table(results):
    """One row a cell."""
    rows = [(Entry(v.label), Entry(f"{results.count(v, 'layers'):g}")) for v in results.variants]
    return Table("layers", ("cell", "layers"), tuple(rows), ("left", "right"), "Layers.")
'''
FILES = {
    "vlf/models/mean_colour.py": ARCHITECTURE,
    "vlf/data/datasets/dark.py": DATASET,
    "study/measure/metrics/layers.py": METRIC,
    "study/executors/loud.py": EXECUTOR,
    "analysis/tables/layers.py": TABLE,
}
LINES = [  # file, the text before which it is put, what is put there
    (
        "vlf/models/__init__.py",
        '    "tsn":',
        '    "mean_colour": "vlf.models.mean_colour:MeanColour",\n',
    ),
    (
        "vlf/config/model.py",
        "class TSNConfig(",
        'class MeanColourConfig(Weights):\n    """Width."""\n\n'
        '    name: Literal["mean_colour"] = "mean_colour"\n    width: int = Field(8, ge=1)\n\n\n',
    ),
    ("vlf/config/model.py", "    | TSNConfig\n", "    | MeanColourConfig\n"),
    ("vlf/data/__init__.py", '    "packed":', '    "dark": "vlf.data.datasets.dark:Dark",\n'),
    (
        "vlf/config/published.py",
        "DataConfig = Annotated[",
        'class DarkConfig(MotionConfig):\n    """Darker."""\n\n'
        '    name: Literal["dark"] = "dark"\n\n\n',
    ),
    ("vlf/config/published.py", "    | VideoListConfig\n", "    | DarkConfig\n"),
    ("study/measure/metrics/__init__.py", '    "macs":', '    "layers": Count(measure_layers),\n'),
    (
        "study/measure/metrics/__init__.py",
        "from study.measure.metrics.macs",
        "from study.measure.metrics.layers import measure_layers\n",
    ),
    (
        "study/records/metric_names.py",
        '    "latency":',
        '    "layers": MetricInfo("Layers", "1", "lower", "none", "count"),\n',
    ),
    (
        "study/executors/__init__.py",
        '    "inline":',
        '    "loud": "study.executors.loud:LoudExecutor",\n',
    ),
    (
        "analysis/tables/__init__.py",
        '    "main":',
        '    "layers": "analysis.tables.layers:layers_table",\n',
    ),
]
STUDY = """\
question: Are layers needed?
base:
  data: {name: dark, frames: 2, size: 16, train_clips: 20, val_clips: 10, test_clips: 20}
  train: {epochs: 1, batch_size: 10}
factors:
  variant:
    TSN: {model: {name: tsn}}
    mean colour: {model: {name: mean_colour, width: 4}}
seeds: [0, 1]
claims: ["layers[mean colour] < layers[TSN]"]
cost: {rounds: 5, batch_sizes: [1]}
run: {executor: loud}
report:
  tables: [main, layers]
  figures: []
  views: [{name: layers, x: layers, y: top1}]
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project with one of each added; the study in it, run."""
    project = tmp_path_factory.mktemp("project")
    for name in ("vlf", "study", "analysis"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run_study.py", project)
    for name, text in FILES.items():
        (project / name).write_text(text, "utf-8")
    for name, before, line in LINES:
        text = (project / name).read_text("utf-8")
        assert text.count(before) == 1, (name, before)
        (project / name).write_text(text.replace(before, line + before), "utf-8")
    study = project / "layers.yaml"
    study.write_text(STUDY, "utf-8")
    done = subprocess.run(
        [sys.executable, "run_study.py", study.name],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    return done, project / "results"


def test_a_study_of_what_was_added_runs_to_its_end(extended):
    done, results = extended

    assert done.returncode == 0, done.stdout + done.stderr
    assert "loud: 4 jobs" in done.stdout
    assert len(list((results / "records").glob("train-*.json"))) == 4


def test_the_metric_is_in_the_csv_the_table_the_claim_and_the_page(extended):
    _, results = extended
    report = results / "layers"
    with (report / "records.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "layers"]
    values = {row["cell"]: (float(row["value"]), row["unit"], row["better"]) for row in rows}

    assert values["variant=mean colour"] == (2.0, "1", "lower")
    assert values["variant=TSN"][0] > 2
    assert "| mean colour | 2 |" in (report / "tables" / "layers.md").read_text("utf-8")
    claims = (report / "tables" / "claims.md").read_text("utf-8")
    assert "layers" in claims
    assert "supported" in claims
    assert "Layers" in (report / "report.html").read_text("utf-8")
