"""Leases: two commands on one results folder never run the same job. No torch.

    leases/<name>.<term>.json    the highest term holds; the file's time of change is the heartbeat

Nothing is locked: a lease is a file that `link` makes, which only one of many can, on a shared
folder too. Its holder touches it every few seconds. Who finds it unchanged for `EXPIRY_S` seconds
of its own monotonic clock makes the next term and is the holder; no clock is compared with
another machine's, so one that jumps ends no lease. On the machine where its holder died, a lease
is over at once. A holder that was only silent sees the higher term, or that its file is gone,
and stops; what it has written until then is its own attempt's, and of two records the first wins.
"""

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console

BEAT_S = 5.0
EXPIRY_S = 60.0
WAIT_S = 1.0  # between two attempts to take the lease of timings
FORGOTTEN_S = 86_400.0  # by wall clocks, which may differ by less


@dataclass
class _Held:
    path: Path
    token: str
    beaten: float  # monotonic clock, s
    is_lost: bool = False


class Leases:
    """The leases that this process holds under a results folder; a thread keeps them alive.

    Attributes:
        folder: Where they are; made with the first.
        beat_s: Between two heartbeats.
        expiry_s: A lease that does not change for so long is over.
    """

    def __init__(self, root: Path, beat_s: float = BEAT_S, expiry_s: float = EXPIRY_S) -> None:
        self.folder = root / "leases"
        self.beat_s, self.expiry_s = beat_s, expiry_s
        self._held: dict[str, _Held] = {}
        self._seen: dict[Path, tuple[object, float]] = {}  # as it was, and since when
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Leases":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        for name in list(self._held):
            self.drop(name)

    def take(self, name: str) -> bool:
        """Hold the lease of this name, unless a live other does.

        Raises:
            OSError: If the folder cannot be written.
        """
        terms = self._terms(name)
        if terms and not self._has_ended(terms[max(terms)]):
            return False
        token = uuid.uuid4().hex
        term = max(terms, default=0) + 1
        path = self.folder / f"{name}.{term}.json"
        if not self._make(path, token):
            return False
        if max(self._terms(name), default=0) > term:  # we were slow, and others went on
            path.unlink(missing_ok=True)
            return False
        for old in terms.values():
            old.unlink(missing_ok=True)
        self._held[name] = _Held(path, token, time.monotonic())
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)
            self._thread.start()
        return True

    def holds(self, name: str) -> bool:
        """True if a lease that was taken is still ours."""
        held = self._held.get(name)
        if held is None or held.is_lost:
            return False
        # A folder that does not answer may look to others as if we were gone.
        return time.monotonic() - held.beaten < self.expiry_s

    def drop(self, name: str) -> None:
        """Let others have it; nothing is done to a lease that was lost."""
        held = self._held.pop(name, None)
        if held is not None and _read(held.path)[1].get("token") == held.token:
            held.path.unlink(missing_ok=True)

    def holder(self, name: str) -> str:
        """Text such as "process 7 on node1"; "" without a holder."""
        terms = self._terms(name)
        said = _read(terms[max(terms)])[1] if terms else {}
        return f"process {said['pid']} on {said['host']}" if {"pid", "host"} <= said.keys() else ""

    def _make(self, path: Path, token: str) -> bool:
        """Write a lease whole, if there is none of its term."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{token}.draft"
        try:
            # Not synced: after a power failure nobody is at anything.
            draft.write_text(json.dumps({"token": token, **myself()}), "utf-8")
            try:
                os.link(draft, path)
            except FileExistsError:
                # A server's answer can be lost and the call repeated: then the file is ours.
                return draft.stat().st_nlink == 2
            return True
        finally:
            draft.unlink(missing_ok=True)

    def _terms(self, name: str) -> dict[int, Path]:
        found = {}
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return {}
        for file in names:
            term = file.removeprefix(f"{name}.").removesuffix(".json")
            if file == f"{name}.{term}.json" and term.isdecimal():
                found[int(term)] = self.folder / file
        return found

    def _has_ended(self, path: Path) -> bool:
        changed, said = _read(path)
        if is_dead(said):
            return True
        state = (changed, said.get("token"))
        before, since = self._seen.get(path, (None, 0.0))
        if state != before:
            self._seen[path] = (state, time.monotonic())
            return False
        return time.monotonic() - since >= self.expiry_s

    def _beat(self) -> None:
        while not self._over.wait(self.beat_s):
            for name, held in list(self._held.items()):
                newest = max(self._terms(name).values(), key=_term, default=None)
                if newest != held.path or not self._touch(held):
                    held.is_lost = True

    def _touch(self, held: _Held) -> bool:
        """A heartbeat; False if the lease is not ours any more."""
        try:
            with held.path.open("rb") as file:
                if json.load(file)["token"] != held.token:
                    return False
                os.utime(file.fileno())  # of the very file that was read
        except (FileNotFoundError, ValueError, KeyError):
            return False
        except OSError:  # the folder does not answer; `holds` knows for how long
            return True
        held.beaten = time.monotonic()
        return True


@contextlib.contextmanager
def alone_at_timing(root: Path, console: Console) -> Iterator[None]:
    """Hold the lease of timings: two commands that time on one machine disturb each other.

    Waits for a holder, whose name is printed.

    Raises:
        OSError: If the folder cannot be written.
    """
    told = ""
    with Leases(root) as leases:
        while not leases.take("timing"):
            holder = leases.holder("timing")
            if holder and holder != told:
                console.print(f"waiting for the timing of costs by {holder}", soft_wrap=True)
                told = holder
            time.sleep(WAIT_S)
        yield


def survey_leases(root: Path) -> tuple[dict[str, str], list[Path]]:
    """Active leases, without waiting: name -> holder; and files of expired leases.

    Of a machine that cannot be asked, a lease is over when its file has not changed for a day.
    """
    held, over = {}, []
    by_name: dict[str, list[Path]] = {}
    for path in (root / "leases").glob("*.json"):
        name, _, term = path.name.removesuffix(".json").rpartition(".")
        if term.isdecimal():
            by_name.setdefault(name, []).append(path)
    for name, paths in by_name.items():
        newest = max(paths, key=_term)
        said = _read(newest)[1]
        try:
            silent_s = time.time() - newest.stat().st_mtime
        except FileNotFoundError:  # dropped meanwhile
            continue
        if is_dead(said) or silent_s > FORGOTTEN_S:
            over += paths
        else:
            held[name] = f"process {said.get('pid', '?')} on {said.get('host', '?')}"
    return held, over


def _term(path: Path) -> int:
    return int(path.name.rsplit(".", 2)[1])


def _read(path: Path) -> tuple[int, dict[str, Any]]:
    """Time of change in ns, and what a lease says; (0, {}) where it is gone or torn."""
    try:
        with path.open("rb") as file:  # opened anew: a file system may remember an older state
            changed, said = os.fstat(file.fileno()).st_mtime_ns, json.load(file)
    except (OSError, ValueError):
        return 0, {}
    return changed, said if isinstance(said, dict) else {}


def myself() -> dict[str, Any]:
    """This process, as told to others that may ask whether it still lives."""
    pid = os.getpid()
    return {"host": os.uname().nodename, "pid": pid, "machine": _machine(), "began": _began(pid)}


@cache
def _machine() -> str:
    """This boot of this machine, and what its process numbers mean; "" where nobody can tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process of this machine began, in ticks since boot; "" if it has ended or hides."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def is_dead(said: dict[str, Any]) -> bool:
    """True if who `said` this (`myself`) was a process of this machine that is gone."""
    machine, pid = _machine(), said.get("pid")
    if not machine or said.get("machine") != machine or not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)  # asks only
    except ProcessLookupError:
        return True
    except PermissionError:  # another person's, and so perhaps hidden in /proc
        return _began(pid) not in ("", said.get("began"))
    return _began(pid) != said.get("began")
