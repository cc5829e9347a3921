"""The machine and the software that a number belongs to.

Only `snapshot` and what it calls import torch: a run with nothing to do asks for the device, too.
"""

import contextlib
import importlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
NVIDIA = Path("/proc/driver/nvidia")
SOURCE = Path(__file__).resolve().parents[2]
STATE_FILE = ".source_state.json"  # in a copy of the code, which has no repository
UNKNOWN = "unknown"
PACKAGES = ("torch", "torchvision", "timm", "transformers", "numpy", "fvcore", "av")

Device = Literal["cpu", "cuda"]


def resolve_device(setting: Literal["auto", "cpu", "cuda"]) -> Device:
    """The device type that a setting means here: "auto" is CUDA where a driver shows a GPU.

    A device asked for by name is given back as it is: whether it works is seen when it is used, and
    a job never falls back in silence.
    """
    if setting != "auto":
        return setting
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if not hidden and _gpu_names() else "cpu"


def device_model(device: str) -> str:
    """Name of the CPU or of the first visible GPU: "AMD EPYC 7763", "NVIDIA H200"."""
    if device == "cpu":
        return _cpu_name()
    names = _gpu_names()
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    index = int(first) if first.isdigit() else 0
    return names[index] if index < len(names) else UNKNOWN


def visible_gpus() -> int:
    """Number of GPUs that jobs of this process may use, by the driver and CUDA_VISIBLE_DEVICES."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = len(_gpu_names())
    if visible is None:
        return count
    return min(count, len([one for one in visible.split(",") if one not in ("", "-1")]))


def snapshot(device: str) -> dict[str, str]:
    """All that a cost or an accuracy may depend on besides the study file, in words.

    Imports torch, and on "cuda" asks the driver: call it in the process that makes the numbers.
    """
    return {
        "device": device,
        "device_model": device_model(device),
        "cpu_model": _cpu_name(),
        "cores": str(_cores()),
        "memory_gib": _memory_gib(),
        "hostname": platform.node(),
        "os": platform.platform(),
        "python": sys.version.split()[0],
        **{package: _version(package) for package in PACKAGES},
        **_torch_state(device),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "unset"),
        **source_state(),
    }


def source_state(root: Path = SOURCE) -> dict[str, str]:
    """{"commit": ..., "dirty": "yes" or "no"} of the code under `root`, "unknown" without git."""
    copied = root / STATE_FILE
    if copied.exists():
        state: dict[str, str] = json.loads(copied.read_text("utf-8"))
        return state
    commit = _lines_of("git", "-C", str(root), "rev-parse", "HEAD")
    if not commit:
        return {"commit": UNKNOWN, "dirty": UNKNOWN}
    changed = _lines_of("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit[0], "dirty": "yes" if changed else "no"}


def _lines_of(*command: str) -> list[str]:
    """Output lines of a command; none if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


@contextlib.contextmanager
def set_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, which processes started meanwhile inherit, and put them back."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _cpu_name() -> str:
    try:
        text = CPUINFO.read_text()
    except OSError:
        text = ""
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or UNKNOWN


def _gpu_names() -> list[str]:
    """Names of NVIDIA GPUs, in the order of their bus; by the driver's files, else its tool."""
    names = []
    for path in sorted(NVIDIA.glob("gpus/*/information")):
        found = re.search(r"^Model:\s*(.+)$", path.read_text(), re.MULTILINE)
        names.append(found[1].strip() if found else UNKNOWN)
    return names or _lines_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> str:
    try:
        found = re.search(r"^MemTotal:\s*(\d+) kB", MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        return UNKNOWN
    return f"{int(found[1]) / 2**20:.1f}" if found else UNKNOWN


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _torch_state(device: str) -> dict[str, str]:
    torch = importlib.import_module("torch")
    state = {
        "threads": str(torch.get_num_threads()),
        "cpu_capability": str(torch.backends.cpu.get_cpu_capability()),
        "mkl": str(torch.backends.mkl.is_available()),
        "mkldnn": str(torch.backends.mkldnn.is_available()),
        "matmul_precision": str(torch.get_float32_matmul_precision()),
    }
    if device == "cuda":
        state |= {
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            "cudnn_tf32": str(torch.backends.cudnn.allow_tf32),
            "driver": _driver(),
            "cuda_device": str(torch.cuda.get_device_name()),
        }
    return state


def _driver() -> str:
    try:
        first = (NVIDIA / "version").read_text().splitlines()[0]
    except (OSError, IndexError):
        return next(
            iter(_lines_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")),
            UNKNOWN,
        )
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", first)
    return found[1] if found else UNKNOWN
