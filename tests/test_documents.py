"""README, docs and the messages that name them: links, anchors, named files, the reading path."""

import ast
import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs/internals/architecture.md"
MARKDOWN = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("benchmarks/README.md", "results/README.md")),
]


def name_of(path):
    return str(path.relative_to(ROOT))


@cache
def prose_of(path):
    """A page without its fenced and indented blocks, which hold no links and no headings."""
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


@cache
def anchors_of(path):
    """The anchors of a page's headings, as GitHub makes them."""
    anchors = set()
    for title in re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE):
        kept = (
            char
            for char in title.strip().lower()
            if char in " -_" or unicodedata.category(char)[0] in "LN"
        )
        anchors.add("".join(kept).replace(" ", "-"))
    return anchors


def broken_links(path, text):
    """The links of a page to files or headings that do not exist."""
    broken = []
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        is_page = target.suffix == ".md"
        if not target.exists() or (anchor and is_page and anchor not in anchors_of(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_links_anchors_and_named_files_in_the_documents_exist(path):
    named = re.findall(
        r"`((?:vlf|study|analysis|ablations|docs|tests|benchmarks|tools)/[a-z0-9_/.\-]+\.(?:py|yaml|md))`",
        prose_of(path) if path.name != "CHANGELOG.md" else "",  # which names files of its day
    )

    assert broken_links(path, prose_of(path)) == []
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "link", ["missing.md", "images/missing.png", "data.md#no-such-heading", "#no-such-heading"]
)
def test_a_broken_link_is_found(link):
    assert broken_links(ROOT / "docs/costs.md", f"[text]({link})") == [link]


def test_every_page_that_code_or_a_study_names_exists():
    places = ("vlf", "study", "analysis", "ablations", "tests", "benchmarks", "tools")
    kinds = {".py", ".yaml", ".j2", ".js", ".ipynb", ".toml", ".in"}
    files = [path for place in places for path in (ROOT / place).rglob("*") if path.suffix in kinds]
    files += [ROOT / name for name in ("run_study.py", "Makefile", "pyproject.toml")]
    named = {
        (name_of(path), page)
        for path in files
        for page in re.findall(
            r"(?<![\w/])docs/[a-z0-9_/.\-]+\.(?:md|ipynb|png)", path.read_text("utf-8")
        )
    }

    assert ("study/cli/main.py", "docs/study_format.md") in named
    assert {(name, page) for name, page in named if not (ROOT / page).exists()} == set()


def test_every_page_is_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose_of(path))
        ahead += [(path.parent / link).resolve() for link in links]

    assert set((ROOT / "docs").rglob("*.md")) - reached == set()


def test_the_readme_fits_two_screens():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()

    assert len(lines) <= 90
    assert max(len(line) for line in lines if not line.startswith("|")) <= 120


def test_the_map_of_the_rooms_fits_one_screen_and_names_every_room():
    section = ARCHITECTURE.read_text("utf-8").split("## Rooms\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("    ")]
    top = ("vlf", "study", "analysis")
    rooms = {path.parent for name in top for path in (ROOT / name).glob("*/*.py")}
    drawn = {word for row in rows for word in re.findall(r"^ +(\w+)/", row)}

    assert len(rows) <= 45
    assert {room.name for room in rooms if room.name not in top} - drawn == set()


# The reading path of docs/internals/architecture.md: | step | file | what to read | ... | from |


def reading_path():
    """Step -> its file, the function to read, and the step whose file leads to it."""
    section = ARCHITECTURE.read_text("utf-8").split("## From the command to a number\n")[1]
    row = re.compile(r"^\| (\d+) \| `([\w/.]+)` \| `([\w.]+)` \|.*\| (\d*) ?\|$", re.MULTILINE)
    rows = row.findall(section.split("\n## ")[0])
    return {int(step): (path, name, int(origin or 0)) for step, path, name, origin in rows}


def defined_in(path):
    """Functions, and methods as "Class.method", that a file defines."""
    names = set()
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{item.name}" for item in node.body if hasattr(item, "name")}
        elif hasattr(node, "name"):
            names.add(node.name)
    return names


def modules_named_in(path):
    """Modules that a file imports, or names in a string such as "package.module:function"."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{item.name}" for item in node.names)}
        elif isinstance(node, ast.Import):
            names |= {item.name for item in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(re.findall(r"^([\w.]+):\w+$", node.value))
    return names


def leads_to(path, target):
    """Whether a file names another, by itself or through the package that lists it."""
    module = target.removesuffix(".py").replace("/", ".")
    package, _, _ = module.rpartition(".")
    named = modules_named_in(path)
    listing = f"{package.replace('.', '/')}/__init__.py"
    return module in named or (package in named and module in modules_named_in(listing))


def test_the_reading_path_is_numbered_and_has_at_most_twenty_files():
    path = reading_path()

    assert list(path) == list(range(1, len(path) + 1))
    assert path[1][0] == "study/cli/main.py"
    assert 10 <= len({file for file, _, _ in path.values()}) <= 20


@pytest.mark.parametrize("step", reading_path())
def test_a_step_of_the_reading_path_is_true(step):
    path, name, origin = reading_path()[step]

    assert name in defined_in(path)
    if step > 1:
        assert origin < step
        assert leads_to(reading_path()[origin][0], path)


def test_an_arrow_that_does_not_hold_is_found():
    assert leads_to("study/cli/commands/run.py", "study/run/train.py")
    assert not leads_to("run_study.py", "vlf/evaluate.py")
    assert not leads_to("vlf/train.py", "study/run/train.py")
