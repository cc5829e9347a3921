"""The budgets of files and folders, and that imports form no circle."""

import ast
import graphlib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("vlf", "study", "analysis", "benchmarks", "tools")
FILES = [path for place in CODE for path in sorted((ROOT / place).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 400
MOST_FILES = 14
MOST_ROOMS = 11
FREE = {"tables", "figures"}  # folders where a file is added for every table or figure


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[-1] != "__init__" else parts[:-1])


def cycle_of(sources):
    """A circle of imports among modules, name -> source; none is []."""
    graph = {}
    for name, source in sources.items():
        targets = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module:
                below = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= (below & sources.keys()) or {node.module}
            elif isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
        graph[name] = (targets & sources.keys()) - {name}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_a_file_has_at_most_400_lines():
    sizes = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in [*FILES, *TESTS]}
    assert {name: size for name, size in sizes.items() if size > MOST_LINES} == {}


def test_a_folder_has_at_most_14_python_files():
    sizes = Counter(path.parent for path in FILES if path.parent.name not in FREE)
    assert {str(path) for path, size in sizes.items() if size > MOST_FILES} == set()


def test_study_has_at_most_11_entries_at_its_top():
    entries = {path.relative_to(ROOT / "study").parts[0] for path in (ROOT / "study").rglob("*.py")}
    assert len(entries) <= MOST_ROOMS


def test_no_import_goes_in_a_circle():
    sources = {name_of(path): path.read_text("utf-8") for path in FILES}
    # A script of benchmarks imports its neighbours by their bare names.
    scripts = [name for name in sources if name.startswith("benchmarks.")]
    sources |= {name.removeprefix("benchmarks."): sources[name] for name in scripts}
    assert cycle_of(sources) == []


def test_a_planted_circle_is_found():
    planted = {"a": "from b import x", "b": "def f():\n    import c", "c": "import a"}
    assert set(cycle_of(planted)) == {"a", "b", "c"}
