"""The rooms and arrows drawn in docs/internals/architecture.md, enforced."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

# Room -> what of ours it may import besides itself. A module belongs to the longest name it fits.
MAY_IMPORT = {
    "vlf.config": "",
    "vlf.weights": "vlf.config",
    "vlf.models": "vlf.config vlf.weights",
    "vlf.data": "vlf.config",
    "vlf": "vlf.config vlf.models vlf.data",
    "study.records": "",
    "study.spec": "vlf.config study.records study.executors analysis.stats",
    "study.executors": "vlf.config study.records",
    "study.measure.metrics": "study.records study.spec",
    "study.measure": "study.records study.spec study.measure.metrics",
    "study.plan": "vlf study.records study.spec study.executors study.measure",
    "study.estimate": (
        "vlf.config study.records study.spec study.executors study.measure study.plan"
    ),
    "study.match": "vlf.config study.records study.spec study.measure study.plan study.estimate",
    "study.run": (
        "vlf study.records study.spec study.executors study.measure "
        "study.plan study.estimate study.match"
    ),
    "study.manage": "vlf.config study.records study.spec study.executors study.plan study.match",
    "study.cli": "vlf.config study analysis",
    "analysis.stats": "",
    "analysis.results": "vlf.config study.records study.spec analysis.stats",
    "analysis.findings": "study.records study.spec analysis.stats analysis.results",
    "analysis.tables": "study.records study.spec analysis.stats analysis.results analysis.findings",
    "analysis.figures": (
        "vlf.config study.records study.spec analysis.stats analysis.results analysis.findings "
        "analysis.tables"
    ),
    "analysis.prose": (
        "study.records analysis.stats analysis.results analysis.findings analysis.tables"
    ),
    "analysis.report": (
        "vlf.config study.records study.spec analysis.stats analysis.results analysis.findings "
        "analysis.tables analysis.prose analysis.figures"
    ),
    "analysis.notebook": "vlf.config study analysis",
    "analysis": "analysis.notebook",
    "run_study": "study",
}
# What must load without torch, and so may not import it or what does.
NO_TORCH = (
    "vlf.config",
    "study.records.record",
    "study.spec.settings",
    "study.executors",
    "study.spec.study",
    "study.plan.planner",
    "study.plan.jobs",
    "study.plan.keys",
    "study.run.session",
    "analysis",
    "run_study",
)
TORCH = {"torch", "torchvision", "timm", "fvcore", "transformers"}

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for place in ("vlf", "study", "analysis", "run_study.py")
    for path in ([ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")))
]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def room_of(module: str) -> str:
    return max((room for room in [*MAY_IMPORT, "study"] if inside(module, room)), key=len)


@cache
def imports(text: str) -> frozenset[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


def forbidden(module: str, text: str) -> list[str]:
    room = room_of(module)
    ours = [name for name in imports(text) if name.split(".")[0] in ("vlf", "study", "analysis")]
    wrong = [
        name
        for name in ours
        if room_of(name) != room and not any(inside(name, ok) for ok in MAY_IMPORT[room].split())
    ]
    if any(inside(module, quiet) for quiet in NO_TORCH):
        wrong += [name for name in imports(text) if name.split(".")[0] in TORCH]
    return wrong


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_room_imports_only_what_it_may_know(path):
    assert forbidden(module_of(path), path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("analysis.results.frame", "import torch"),
        ("analysis.results.frame", "from vlf.models import build_model"),
        ("study.measure.metrics.macs", "from vlf.models import build_model"),
        ("study.executors.process", "from study.run.train import run_job"),
        ("vlf.config.model", "import torch"),
        ("vlf.train", "from study.records.record import Record"),
        ("vlf.models.vlf", "import vlf.data"),
        ("vlf.weights.vivit", "from vlf.models import build_model"),
    ],
)
def test_a_planted_violation_is_found(module, line):
    assert forbidden(module, line) != []


def test_no_file_of_a_torch_free_path_loads_torch_when_imported():
    code = (
        "import sys, run_study, analysis.report.report, analysis.report.terminal\n"
        "import study.plan.planner, study.run.session, study.cli.plan_view\n"
        "import study.spec.grid, study.records.environment\n"
        "import study.measure.timing\n"
        "sys.exit(' '.join(m for m in ('torch', 'timm', 'av') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_one_scheduler_is_one_folder():
    named = {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8").lower().count("slurm")
        for path in FILES
        if "slurm" in path.read_text("utf-8").lower() and path.is_relative_to(ROOT / "study")
    }
    rooms = ("study/executors/slurm/", "study/cli/")
    elsewhere = {name: count for name, count in named.items() if not name.startswith(rooms)}
    assert elsewhere.pop("study/executors/__init__.py") == 3  # one line: name, module and class
    assert [*elsewhere] == ["study/spec/settings.py"]
