"""`--gc`: show what no study of a results folder needs, and with `--yes` remove it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from study.manage.garbage import GOING, Leftover, Survey, Traces, survey, traces_of
from study.records.files import sync_entries
from study.records.text_table import print_rows
from study.records.units import size
from study.spec.study import Study

MOST_LINES = 20  # of one kind of remark


def keep_house(study: Study, device: str, root: Path, is_meant: bool, console: Console) -> int:
    """Show what may go, and remove it if that is meant.

    Args:
        study: Counts as known to the folder.
        device: That the study is run on.
        root: The results folder.
        is_meant: Without it nothing is removed.
        console: Where it is told.

    Returns:
        0, or 1 if something stays since it cannot be told whether it is needed.

    Raises:
        OSError: If something cannot be removed; what was removed before stays so.
    """
    found = survey(root, study, device)
    may_go = found.may_go
    sizes = {one.path: _bytes_of(one.path) for one in found.leftovers}
    if may_go:
        _print_table(may_go, sizes, console)
    _tell(found, console)
    total = size(sum(sizes[one.path] for one in may_go))
    if not may_go:
        console.print("nothing to remove")
    elif not is_meant:
        console.print(f"nothing was removed; --gc --yes removes these {total}")
    else:
        removed = remove(root, may_go, found.traces)
        if removed < len(may_go):
            console.print("stopped: a run began here meanwhile; the same command goes on")
            return 1
        console.print(f"removed {total}")
    return int(is_meant and len(may_go) < len(found.leftovers)) or int(bool(found.unknown))


def _print_table(leftovers: Sequence[Leftover], sizes: dict[Path, int], console: Console) -> None:
    groups: dict[tuple[str, str], list[int]] = {}
    for one in leftovers:
        groups.setdefault((one.what, one.why), []).append(sizes[one.path])
    rows = [(what, why, f"{len(each):,}", size(sum(each))) for (what, why), each in groups.items()]
    headings = ("what", "why it may go", "number", "size")
    print_rows(headings, rows, console, title="what no study needs", words=2)


def _tell(found: Survey, console: Console) -> None:
    """Print the studies that count, and why only debris may be removed."""

    def say(lines: Sequence[str], word: str) -> None:
        for line in lines[:MOST_LINES]:
            console.print(f"{word}{line}", markup=False, highlight=False, soft_wrap=True)
        if len(lines) > MOST_LINES:
            console.print(f"{word}... and {len(lines) - MOST_LINES:,} more")

    say(found.studies, "known: ")
    say(found.at_work.who, "at work: ")
    say(found.unknown, "cannot be told: ")
    stays = len(found.leftovers) - len(found.may_go)
    if found.unknown:
        console.print("so records, and all that studies share, stay", soft_wrap=True)
    elif stays:
        console.print(f"so {stays:,} more stay until the work is done", soft_wrap=True)


def _bytes_of(path: Path) -> int:
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        return sum(one.lstat().st_size for one in path.rglob("*") if not one.is_dir())
    except OSError:  # it is going, or not ours to see
        return 0


def remove(root: Path, leftovers: Sequence[Leftover], traces: Traces) -> int:
    """Remove them in their order; how many, fewer if a run began since the traces were taken.

    Killed at any point it leaves a folder that is valid: a record goes before the files that it
    names, which without it are debris; a folder gets another name before it is taken apart.
    """
    synced = False
    for number, one in enumerate(leftovers):
        if not one.is_debris and not traces_of(root) <= traces:
            return number
        if one.what != "records" and not synced:
            if (root / "records").is_dir():
                sync_entries(root / "records")  # names that are gone are gone on disk too
            synced = True
        _remove(one.path)
    return len(leftovers)


def _remove(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    if not path.name.endswith(GOING):
        going = path.with_name(f".{path.name}{GOING}")
        path.rename(going)
        path = going
    shutil.rmtree(path)
