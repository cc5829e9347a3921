import io
import re

import pytest
from rich.console import Console

from study.executors.task import Event
from study.records.units import duration
from study.run.progress import LiveView, Tally


def test_the_share_done_weighs_tasks_by_their_expected_time():
    tally = Tally({"short": 10.0, "long": 30.0}, workers=2)

    tally.take(Event("short", "started"))
    tally.take(Event("long", "started"))
    tally.take(Event("short", "ended", status="done"))
    tally.take(Event("long", "epoch", done=1, total=3))

    assert tally.share == pytest.approx((10 + 30 / 3) / 40)
    assert tally.left_s(elapsed_s=60.0) == pytest.approx(60.0)


def test_there_is_no_time_left_before_there_is_a_pace():
    assert Tally({"one": 10.0}, workers=1).left_s(elapsed_s=5.0) is None


def test_a_failure_is_counted_apart_from_what_is_done():
    tally = Tally({"one": 1.0, "two": 1.0}, workers=1)

    tally.take(Event("one", "ended", status="failed", reason="diverged"))
    tally.take(Event("two", "ended", status="done"))

    assert (tally.done, tally.failed, tally.share) == (1, {"one": "diverged"}, 1.0)


def test_without_a_terminal_there_is_a_plain_line_for_each_start_and_end():
    out = io.StringIO()
    view = LiveView(Tally({"[a] b": 1.0}, workers=1), Console(file=out, width=80))

    with view.show():
        view.notify(Event("[a] b", "started"))
        view.notify(Event("[a] b", "epoch", done=1, total=2))
        view.notify(Event("[a] b", "ended", status="failed", reason="killed [by] signal 9"))

    assert out.getvalue().splitlines() == [
        "[0/1] started  [a] b",
        "[1/1] FAILED   [a] b: killed [by] signal 9",
    ]


def test_in_a_terminal_a_failure_stays_on_the_screen():
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    view = LiveView(Tally({"one": 1.0, "two": 1.0}, workers=1), console)

    with view.show():
        view.notify(Event("one", "started"))
        view.notify(Event("one", "ended", status="failed", reason="diverged"))

    assert "failed: one: diverged" in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (4.4, "4 s"),
        (300, "5 min"),
        (3 * 3600, "3.0 h"),
        (49 * 3600, "2 days"),
        (729 * 86400, "729 days"),
        (50178.1 * 3600, "5.7 years"),
    ],
)
def test_durations_are_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_live_view_cuts_no_word_on_a_narrow_terminal(width):
    task = "train.learning_rate=5e-4, train.optimizer=adamw, seed=0"
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    view = LiveView(Tally({task: 1.0, "two": 1.0}, workers=1), console)

    with view.show():
        view.notify(Event(task, "started"))
        view.notify(Event(task, "epoch", done=3, total=16))

    text = out.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    words = set(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split())
    expected = {"running", "failed", "waiting", "epoch", "3/16"}
    assert expected | (set(task.split()) if width > 40 else set()) <= words
