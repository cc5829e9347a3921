"""A real scheduler: `make slurm` brings one up on this machine and runs these tests."""

import os
import shutil
import subprocess

import pytest
from slurm_runs import write_study
from study_runs import run


def unreachable():
    """Why there is no cluster here; "" if there is one."""
    if shutil.which("sbatch") is None:
        return "no sbatch on PATH"
    try:
        done = subprocess.run(["sinfo", "-h"], capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return "sinfo does not answer"
    return " ".join(done.stderr.split())


@pytest.fixture(scope="session", autouse=True)
def cluster():
    if why := unreachable():
        if os.environ.get("VLF_SLURM_TESTS") == "required":
            pytest.fail(f"SLURM is required and not reachable: {why}")
        pytest.skip(f"SLURM is not reachable ({why}); `make slurm` brings one up and runs these")


@pytest.fixture(scope="session")
def costs(tmp_path_factory, cluster):
    """A results folder with the costs of both variants, timed by a job; read or copied only."""
    study = write_study(tmp_path_factory.mktemp("costs"))
    run(study, "--cost-only")
    return study.parent / "results"
