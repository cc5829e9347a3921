import subprocess
import sys

import pytest

from study.records import environment
from study.records.environment import device_model, resolve_device, snapshot, source_state

GPU = "Model: \t\t NVIDIA H200\nIRQ:   \t\t 59\nBus Type: \t PCIe\n"


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """A machine whose driver shows two GPUs, by the files that a driver leaves."""
    monkeypatch.setattr(environment, "NVIDIA", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for bus, text in (("0000:01:00.0", GPU), ("0000:02:00.0", GPU.replace("H200", "L4"))):
        (tmp_path / "gpus" / bus).mkdir(parents=True)
        (tmp_path / "gpus" / bus / "information").write_text(text)
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26\nGCC version: 12\n"
    )


@pytest.fixture
def no_driver(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "NVIDIA", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi either
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(
    ("machine", "visible", "device"),
    [
        ("driver", None, "cuda"),
        ("driver", "", "cpu"),
        ("driver", "-1", "cpu"),
        ("no_driver", None, "cpu"),
    ],
)
def test_auto_is_cuda_just_where_a_driver_shows_a_gpu(
    request, monkeypatch, machine, visible, device
):
    request.getfixturevalue(machine)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert resolve_device("auto") == device


def test_a_device_that_is_named_is_never_replaced_in_silence(no_driver):
    assert resolve_device("cuda") == "cuda"
    assert resolve_device("cpu") == "cpu"


@pytest.mark.parametrize(
    ("visible", "name"), [(None, "NVIDIA H200"), ("1", "NVIDIA L4"), ("1,0", "NVIDIA L4")]
)
def test_the_device_model_is_that_of_the_first_visible_gpu(driver, monkeypatch, visible, name):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert device_model("cuda") == name


def test_a_gpu_that_cannot_be_named_is_unknown(no_driver):
    assert device_model("cuda") == "unknown"


def test_where_there_are_no_files_of_the_driver_its_tool_is_asked(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA A100-SXM4-40GB'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(environment, "NVIDIA", tmp_path / "missing")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert resolve_device("auto") == "cuda"
    assert device_model("cuda") == "NVIDIA A100-SXM4-40GB"


def test_the_drivers_version_is_read(driver):
    assert environment._driver() == "570.124.06"


def test_the_cpu_is_named_as_its_system_names_it(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC 7763\ncores: 2\n")
    monkeypatch.setattr(environment, "CPUINFO", cpuinfo)

    assert device_model("cpu") == "AMD EPYC 7763"


def test_a_snapshot_names_software_hardware_and_source_in_words(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")

    words = snapshot("cpu")

    assert words["device_model"] == device_model("cpu")
    assert words["python"] == ".".join(map(str, sys.version_info[:3]))
    assert words["omp_wait_policy"] == "ACTIVE"
    assert words["torch"].startswith("2.")
    assert int(words["threads"]) >= 1
    assert all(isinstance(value, str) and value for value in words.values())


def test_the_commit_is_the_sources_and_a_changed_file_makes_it_dirty(tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        command = ("git", "-C", str(tmp_path), *who, *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")

    assert source_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": "no"}
    (tmp_path / "code.py").write_text("x = 2\n")
    assert source_state(tmp_path)["dirty"] == "yes"


def test_without_git_the_commit_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert source_state() == {"commit": "unknown", "dirty": "unknown"}


def test_the_device_is_found_without_torch(root):
    code = (
        "import sys, study.records.environment as e\n"
        "import study.measure.timing, study.measure.supervision\n"
        "e.device_model(e.resolve_device('auto'))\n"
        "sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
