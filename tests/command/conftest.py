import fcntl
import os

import pytest
from study_runs import STUDY, Ran, run, run_apart

WATCHED = STUDY + "run: {tensorboard: true}\n"


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """Results of STUDY, planned and run once for all processes of pytest; read or copied only."""
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
