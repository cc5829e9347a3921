"""Data-parallel training: one process a GPU, or several on CPU, on one machine.

Each process takes its share of every batch, and DistributedDataParallel (Li et al. 2020,
arXiv:2006.15704) sums the gradients, so that a step is the step of one process with the whole
batch, up to rounding. Two things stay a process's own, as is usual: the statistics of BatchNorm
(those of rank 0 are kept) and the noise of dropout.
"""

import os
import queue
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessExitedException, start_processes
from torch.nn.parallel import DistributedDataParallel

POLL_S = 0.2
# Rank 0 validates while the others wait for its next step. A rank that dies is seen by who
# started it, not by this limit.
PATIENCE = timedelta(days=1)


class ProcessesError(RuntimeError):
    """A process of a data-parallel run died."""


class Group:
    """Communication of a run with its fellow processes; alone, nothing is sent anywhere.

    Attributes:
        rank: This process, from 0.
        size: Processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def share(self, items: Sequence[int]) -> tuple[Sequence[int], float]:
        """This process's items of a batch, and the weight of their mean loss in the batch's.

        With fewer items than processes the ones left over repeat the first item with weight 0:
        every process has to take part in every step.
        """
        own = items[self.rank :: self.size]
        if not len(own):
            return items[:1], 0.0
        return own, self.size * len(own) / len(items)  # the gradients' mean is taken over `size`

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model whose backward pass sums gradients over the processes."""
        if self.size == 1:
            return model
        ids = [device.index] if device.type == "cuda" else None
        # Static: every step uses the same parameters, and one that no clip reaches is no error.
        return DistributedDataParallel(model, device_ids=ids, static_graph=True)

    def sum(self, value: Tensor) -> Tensor:
        """Sum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def agree(self, answer: Callable[[], bool], device: torch.device) -> bool:
        """Answer of rank 0."""
        if self.size == 1:
            return answer()
        said = torch.tensor(int(self.rank == 0 and answer()), device=device)
        dist.broadcast(said, src=0)
        return bool(said)

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values


class Body(Protocol):
    """Work of each process."""

    def __call__(
        self,
        group: Group,
        device: torch.device,
        report: Callable[[int, int], None],
        should_stop: Callable[[], bool],
    ) -> None:
        """Train as a member of the group."""


def run_in_group(
    body: Body,
    size: int,
    device: torch.device,
    report: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> None:
    """Run `body` in `size` fresh processes, on the GPUs from `device`'s on; all end together.

    Args:
        body: Picklable.
        size: Processes.
        device: Of rank 0; on CUDA rank r takes the r-th GPU from there.
        report: Told what rank 0 reports.
        should_stop: Asked here a few times a second.

    Raises:
        ProcessesError: If a process dies, or there are fewer GPUs than processes.
        Exception: What the first of them raised.
    """
    if device.type == "cuda" and (device.index or 0) + size > torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ProcessesError(f"train.processes: {size} need a GPU each, and {count} are here")
    context = mp.get_context("spawn")
    said, stop = context.Queue(), context.Event()
    with tempfile.TemporaryDirectory(prefix="vlf-") as folder:
        arguments = (body, size, device, f"{folder}/meet", said, stop)
        group = start_processes(  # type: ignore[no-untyped-call]
            _rank, arguments, size, join=False, start_method="spawn"
        )
        raised: Exception | None = None
        over = False
        try:
            while not over and raised is None:
                over = group.join(timeout=POLL_S)
                if should_stop():
                    stop.set()
                raised = _listen(said, report)
            # Its fellows lose the connection to one that was killed: then that is the reason.
            group.join(timeout=POLL_S)
        except ProcessExitedException as error:
            raise ProcessesError(f"{error} (of {size})") from None
        finally:
            for process in group.processes:
                process.kill()
                process.join()
    if raised is not None:
        raise raised


def _listen(said: Any, report: Callable[[int, int], None]) -> Exception | None:
    """Pass on what the processes have said; the first exception, if one has raised."""
    while True:
        try:
            message = said.get_nowait()
        except queue.Empty:
            return None
        if isinstance(message, Exception):
            return message
        report(*message)


def _rank(
    rank: int,
    body: Body,
    size: int,
    device: torch.device,
    meet: str,
    said: Any,
    stop: Any,
) -> None:
    """Body of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; who started us decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if Path("/sys/class/net/lo").exists():  # one machine: the host's name need not resolve
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    if device.type == "cuda":
        device = torch.device("cuda", (device.index or 0) + rank)
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, f"file://{meet}", timeout=PATIENCE, rank=rank, world_size=size)
    try:
        body(Group(rank, size), device, lambda *at: said.put(at), stop.is_set)
    except Exception as error:
        said.put(error)
        said.close()
        said.join_thread()  # it has left before our fellows notice that we are gone
        return
    dist.destroy_process_group()


def _die_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
