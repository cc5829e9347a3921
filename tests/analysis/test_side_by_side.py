import multiprocessing
import os
import signal
import sys
import threading
import time

import pytest

from analysis.figures import FIGURES, side_by_side
from analysis.figures.save import save_figure
from analysis.figures.side_by_side import draw_figures
from analysis.results.results import Results

NAMES = ["accuracy_macs", "accuracy_energy", "accuracy_parameters", "seeds", "training_curves"]
HERE = os.getpid()

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process draws all")


@pytest.fixture
def three(monkeypatch):
    """Three processes draw, whatever this machine has and whoever runs the tests has started."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.fixture
def during(monkeypatch):
    """Have something done before a figure is drawn, in whichever process; False: it is not."""

    def do(action):
        def saved(name, *rest):
            if action(name) is False:
                return None
            return save_figure(name, *rest)

        monkeypatch.setattr(side_by_side, "save_figure", saved)

    return do


def until(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, "no copy has drawn"
        time.sleep(0.01)


def test_copies_draw_the_figures_that_one_process_draws(three, during, seven, tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()

    def note(name):
        (pids / str(os.getpid())).touch()
        if os.getpid() == HERE:
            until(pids / "copy")
        else:
            (pids / "copy").touch()

    alone = [save_figure(name, FIGURES[name], seven, tmp_path / "alone") for name in NAMES]
    during(note)
    together = draw_figures(NAMES, seven, tmp_path / "together")

    assert [one.name for one in together] == [one.name for one in alone if one]
    assert "accuracy_energy" not in {one.name for one in together}  # nobody measured it
    for one, other in zip([one for one in alone if one], together, strict=True):
        assert other.caption == one.caption
        assert [p.read_bytes() for p in other.paths] == [p.read_bytes() for p in one.paths]
    assert {str(HERE)} < {path.name for path in pids.iterdir()} - {"copy"}
    assert multiprocessing.active_children() == []


def test_what_a_killed_copy_had_taken_is_drawn_all_the_same(three, during, seven, tmp_path):
    killed = tmp_path / "killed"

    def die(name):
        if os.getpid() == HERE:
            until(killed)
        else:
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    during(die)
    drawn = draw_figures(NAMES, seven, tmp_path / "figures")

    assert [one.name for one in drawn] == [name for name in NAMES if name != "accuracy_energy"]
    assert all(path.is_file() for one in drawn for path in one.paths)


def test_a_figure_that_cannot_be_drawn_ends_all_with_its_own_error(three, during, seven, tmp_path):
    def fail(name):
        if name == "seeds":
            raise ZeroDivisionError("of seeds")

    during(fail)
    with pytest.raises(ZeroDivisionError, match="of seeds"):
        draw_figures(NAMES, seven, tmp_path / "figures")

    assert multiprocessing.active_children() == []


def test_ctrl_c_ends_the_copies_after_what_they_are_at(three, during, seven, tmp_path):
    begun = tmp_path / "begun"

    def interrupt(name):
        if os.getpid() == HERE:
            until(begun)
            raise KeyboardInterrupt
        (tmp_path / f"{name}.begun").touch()
        begun.touch()
        time.sleep(3)  # so that the places are taken away meanwhile, on a busy machine too

    during(interrupt)
    with pytest.raises(KeyboardInterrupt):
        draw_figures(NAMES * 4, seven, tmp_path / "figures")

    assert multiprocessing.active_children() == []
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    started = {path.stem for path in tmp_path.glob("*.begun")}
    assert drawn <= started  # what the copies had begun, one each
    assert len(started) <= 2
    assert list((tmp_path / "figures").glob(".*")) == []


def test_what_a_copy_finds_damaged_is_in_the_report(three, during, maker, seven_study, tmp_path):
    outcomes, told = maker.seven(), tmp_path / "told"
    damaged = maker.root / outcomes[0].record.artifacts["curves"].path
    damaged.write_bytes(b"no longer")

    def leave_it_to_a_copy(name):
        if os.getpid() == HERE:
            until(told)
            return False
        told.touch()
        return None

    during(leave_it_to_a_copy)
    results = Results(seven_study, outcomes, maker.root)
    draw_figures(["training_curves", "training_curves"], results, tmp_path / "figures")

    assert results.artifacts.damaged == [(outcomes[0], "curves")]
    assert ["could not be read: damaged" in one for one in results.artifacts.problems] == [True]
