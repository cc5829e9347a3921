import fcntl
import os
import shutil
from pathlib import Path

import pytest
from study_runs import QUIET, STUDY, TRUE_CLAIM, Ran, copy_records, run, run_apart

WATCHED = f"{STUDY}claims:\n  - {TRUE_CLAIM}\nrun: {{tensorboard: true}}\n"
CONFUSED = QUIET.replace("figures: []", "figures: [confusion]")


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """Results of WATCHED, planned and run once for all processes of pytest; read or copied only."""
    base = tmp_path_factory.getbasetemp()
    own = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = own / "ran"
    folder.mkdir(exist_ok=True)
    path, plan, out = (folder / name for name in ("order.yaml", "plan.json", "said.txt"))
    with (own / "ran.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers wait for the first
        if not out.exists():
            path.write_text(WATCHED, "utf-8")
            plan.write_text(run(path, "--plan", "--json").stdout, "utf-8")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("VLF_TEST_MARK", str(folder))  # of all processes of the run
                said = run_apart(path).stdout
            out.write_text(said, "utf-8")
    return Ran(path, plan.read_text("utf-8"), out.read_text("utf-8"))


@pytest.fixture(scope="session")
def quiet(tmp_path_factory, ran):
    """A finished study of one seed and a claim, with records of `ran`; read or copied only."""
    path = tmp_path_factory.mktemp("quiet") / "order.yaml"
    path.write_text(CONFUSED + "claims: ['top1[VLF] > top1[TSN]']\n", "utf-8")
    copy_records(ran.results, path.parent / "results")
    run(path)
    return path


@pytest.fixture
def copied(quiet, tmp_path):
    """The finished study in a folder of the test's own."""
    shutil.copytree(quiet.parent / "results", tmp_path / "results")
    return Path(shutil.copy(quiet, tmp_path / "order.yaml"))
