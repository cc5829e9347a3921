"""Executors of jobs: one module and one line here each. They know no model."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.executors.executor import Executor

# A name of `run.executor` -> "module:Class" of study/executors/executor.py.
EXECUTORS: dict[str, str] = {
    "process": "study.executors.process:ProcessExecutor",  # a fresh process a job: the default
    "inline": "study.executors.inline:InlineExecutor",  # in this process, for a debugger
    "slurm": "study.executors.slurm.executor:SlurmExecutor",  # job arrays on a cluster
}


def executor_class(name: str) -> "type[Executor]":
    """The class that a name stands for."""
    module, _, attribute = EXECUTORS[name].partition(":")
    found: type[Executor] = getattr(import_module(module), attribute)
    return found


def executor_folders() -> tuple[str, ...]:
    """Names of the folders that executors have in a results folder."""
    return tuple(filter(None, (executor_class(name).folder for name in EXECUTORS)))


def open_executor(
    name: str, settings: Mapping[str, Any], study: str, root: Path, detach: bool = False
) -> "Executor":
    """An executor for one study; see `Executor` for the arguments."""
    return executor_class(name)(settings, study, root, detach)
