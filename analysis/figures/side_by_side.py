"""Many figures at once: copies of this process draw with it, a process for each core."""

import contextlib
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIG_IGN, SIGINT, SIGTERM, signal

from analysis.figures import FIGURES
from analysis.figures.fonts import readable
from analysis.figures.save import SavedFigure, save_figure
from analysis.results.results import Results

MOST_PROCESSES = 8  # one or two figures each; more would wait for the slowest

Drawn = dict[int, SavedFigure | None]  # by place in the list of names; None: it had no data


@dataclass(frozen=True)
class _Answer:
    """Result of a copy.

    Attributes:
        drawn: Its figures.
        problems: Artifacts that it could not read, in words.
        damaged: The damaged ones of these: place of the outcome, and name of the artifact.
    """

    drawn: Drawn
    problems: list[str]
    damaged: list[tuple[int, str]]


class _Places:
    """Places in a list, each given to one process; a pipe, which none that dies leaves locked."""

    def __init__(self, count: int) -> None:
        self._end, start = os.pipe()
        # The last of FIGURES take longest; begun first, none of them is left for the end.
        os.write(start, bytes(range(count)[::-1]))
        os.close(start)

    def __iter__(self) -> Iterator[int]:
        while place := os.read(self._end, 1):
            yield place[0]

    def close(self) -> None:
        os.close(self._end)


def draw_figures(names: Sequence[str], results: Results, folder: Path) -> list[SavedFigure]:
    """Write figures of FIGURES in all formats; those that have data, in the order of `names`.

    What a copy leaves out, since it was killed or could not draw it, is drawn here once more: an
    error shows as it is.
    """

    def draw(places: Iterable[int], drawn: Drawn) -> None:
        for place in places:
            drawn[place] = save_figure(names[place], FIGURES[names[place]], results, folder)

    for variant in results.variants:  # here, or each copy would search the installed fonts
        readable(variant.label)
    drawn: Drawn = {}
    with _copies(_processes(len(names)) - 1, len(names), draw, results) as (places, copies):
        draw(places, drawn)
        for copy in copies:
            _take(copy, drawn, results)
    draw([place for place in range(len(names)) if place not in drawn], drawn)
    return [figure for _, figure in sorted(drawn.items()) if figure is not None]


def _processes(figures: int) -> int:
    """Number of drawing processes, this one included.

    A process with threads may not be copied, and where torch is loaded, as after a run in this
    process, there are some that Python does not know of.
    """
    is_alone = threading.active_count() == 1 and "torch" not in sys.modules
    if not is_alone or sys.platform != "linux":
        return 1
    return max(1, min(figures, len(os.sched_getaffinity(0)), MOST_PROCESSES))


@contextmanager
def _copies(
    count: int, figures: int, draw: Callable[[Iterable[int], Drawn], None], results: Results
) -> Iterator[tuple[_Places, list[Connection]]]:
    """Forked drawing processes; yields their numbers, to draw with them, and their results."""
    context, places = multiprocessing.get_context("fork"), _Places(figures)
    started, answers = [], []
    try:
        for _ in range(count):
            answer, ours = context.Pipe(duplex=False)
            copy = context.Process(
                target=_draw_and_tell, args=(ours, places, draw, results), daemon=True
            )
            with ours, warnings.catch_warnings():  # closed here, an answer ends when its copy dies
                # Of threads: numpy's own are made ready for a copy.
                warnings.simplefilter("ignore", DeprecationWarning)
                try:
                    copy.start()
                except OSError:  # no memory for one more: those that draw will do
                    break
            started.append(copy)
            answers.append(answer)
        yield places, answers
    finally:
        for _ in places:  # after an error or Ctrl-C the copies end with what they are at
            pass
        places.close()
        for answer in answers:
            answer.close()
        for copy in started:
            copy.join()


def _draw_and_tell(
    told: Connection,
    places: _Places,
    draw: Callable[[Iterable[int], Drawn], None],
    results: Results,
) -> None:
    """Body of a copy."""
    for number in (SIGINT, SIGTERM):  # sent to the whole group; who started us decides
        signal(number, SIG_IGN)
    drawn: Drawn = {}
    artifacts = results.artifacts
    with contextlib.suppress(Exception):  # shown by who started us, who draws what we did not
        draw(places, drawn)
    outcomes = [id(outcome) for outcome in results.outcomes]
    damaged = [(outcomes.index(id(outcome)), name) for outcome, name in artifacts.damaged]
    with contextlib.suppress(BrokenPipeError):  # who started us did not wait for an answer
        told.send(_Answer(drawn, artifacts.problems, damaged))


def _take(copy: Connection, drawn: Drawn, results: Results) -> None:
    """Wait for a copy, and take over what it has drawn and found; nothing from one that died."""
    try:
        answer: _Answer = copy.recv()
    except EOFError:
        return
    drawn |= answer.drawn
    artifacts = results.artifacts
    damaged = [(results.outcomes[place], name) for place, name in answer.damaged]
    artifacts.damaged += [one for one in damaged if one not in artifacts.damaged]
    artifacts.problems += [one for one in answer.problems if one not in artifacts.problems]
