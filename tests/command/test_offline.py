"""A run opens no connection, unless its study asks for published weights."""

import os
import shutil
import subprocess
import sys

import pytest
from study_runs import ALONE, command, run_apart

# Python runs this before anything else, in every process of a run that is started by python.
GUARD = """\
import os
import sys

def watch(event, args):
    local = event == "socket.connect" and isinstance(args[1], (str, bytes))  # a Unix socket
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") and not local:
        with open(os.environ["SOCKET_LOG"], "a") as file:
            file.write(f"{event} {args[1:]}\\n")
        raise OSError("no network in this test")

sys.addaudithook(watch)
with open(os.environ["SOCKET_LOG"] + ".watched", "a") as file:
    file.write(f"{os.getpid()}\\n")
"""
SMALL = ALONE.replace("seeds: [0, 1]", "seeds: [0]").replace("epochs: 2", "epochs: 1")


@pytest.fixture
def attempts(tmp_path, monkeypatch):
    """Refuses connections and keeps what was tried, even where who tried went on without."""
    folder = tmp_path / "guard"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(GUARD, "utf-8")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("SOCKET_LOG", str(tmp_path / "sockets"))
    return lambda: (
        (tmp_path / "sockets").read_text("utf-8") if (tmp_path / "sockets").exists() else ""
    )


def test_the_guard_sees_and_refuses_what_it_should(attempts):
    code = "import socket; socket.socket().connect(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "OSError: no network in this test" in done.stderr
    assert attempts() == "socket.connect (('127.0.0.1', 9),)\n"


def without_network():
    """What starts a command where no interface is up; nothing where that takes rights."""
    own = ["unshare", "--net"]
    can = os.geteuid() == 0 and shutil.which("unshare") and not subprocess.call([*own, "true"])
    return own if can else []


def test_a_study_runs_and_reports_without_trying_to_connect(study, attempts, tmp_path):
    study.write_text(SMALL, "utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [*without_network(), *command(study)],
        cwd=study.parent,
        capture_output=True,
        text=True,
        env=environment,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 planned = 2 done + 0 reused + 0 skipped + 0 failed + 0 not run" in done.stdout
    assert attempts() == ""
    watched = (tmp_path / "sockets.watched").read_text("utf-8").split()
    assert len(set(watched)) > 2  # the command, and processes of its jobs


@pytest.mark.slow
def test_a_study_that_asks_for_published_weights_does_try_and_says_so(study, attempts, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(study.parent / "hub"))
    published = 'heads: 2, backbone: "timm:resnet10t", pretrained: true'
    study.write_text(SMALL.replace("heads: 2", published), "utf-8")

    said = run_apart(study, code=2).stderr

    assert 'cannot fetch the weights of "timm:resnet10t" (' in said
    assert "socket." in attempts()
