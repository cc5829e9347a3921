"""The command, started by a Python that has none of its packages, says how to start it."""

import shutil
import subprocess
import sys
import venv

import pytest
from study_runs import ROOT


@pytest.fixture
def bare(tmp_path):
    """A Python without packages."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    return tmp_path / "bare" / "bin" / "python"


def start(python, script, folder):
    done = subprocess.run([python, script, "x.yaml"], cwd=folder, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr


@pytest.fixture
def project(tmp_path):
    """The command alone, where there may be an environment or not."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "run_study.py", folder)
    for name in ("study", "vlf", "analysis"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_it_names_the_environment_that_is_there(bare, project):
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").touch()

    code, said = start(bare, project / "run_study.py", project)

    assert code == 2
    assert said.startswith(f"error: {bare} has no package ")
    assert "run `source .venv/bin/activate` first, or .venv/bin/python run_study.py ..." in said


def test_without_an_environment_it_says_how_one_is_made(bare, project):
    code, said = start(bare, project / "run_study.py", project.parent)

    assert code == 2
    assert "run `make install`, then `source .venv/bin/activate`" in said


def older_pythons():
    names = (f"python3.{minor}" for minor in (8, 9, 10))
    found = [path for name in names if (path := shutil.which(name))]
    works = (subprocess.run([one, "-c", ""], capture_output=True).returncode == 0 for one in found)
    return [path for path, is_working in zip(found, works, strict=True) if is_working]


@pytest.mark.parametrize("python", older_pythons())
def test_an_old_python_is_told_that_it_is_old(python, project):
    code, said = start(python, project / "run_study.py", project)

    assert code == 2
    assert "is too old (3.11 or newer is needed)" in said


def test_what_is_read_before_the_check_uses_no_syntax_that_old_pythons_lack():
    code = (
        "import ast, sys; [ast.parse(open(p).read(), feature_version=(3, 8)) for p in sys.argv[1:]]"
    )
    names = ("run_study.py", "study/__init__.py", "study/cli/__init__.py", "study/cli/outside.py")
    files = [ROOT / name for name in names]

    subprocess.run([sys.executable, "-c", code, *files], check=True)


def test_a_mistake_of_ours_keeps_its_traceback(bare, project):
    (project / "study").unlink()
    (project / "study" / "cli").mkdir(parents=True)
    shutil.copy(ROOT / "study" / "cli" / "outside.py", project / "study" / "cli")
    (project / "study" / "cli" / "console.py").write_text("from study import nothing_there\n")

    done = subprocess.run(
        [bare, project / "run_study.py", "x.yaml"], capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "nothing_there" in done.stderr
