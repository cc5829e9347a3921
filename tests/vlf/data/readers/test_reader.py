"""Seeking gives the frames that decoding from the start gives, pixel for pixel."""

import gc
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from film_files import plain_frames, write_film

from vlf.data.readers import reader
from vlf.data.readers.container import VideoError
from vlf.data.readers.films import TimedVideo, VideoFile, VideoStretch
from vlf.data.readers.index import FrameIndex, read_index
from vlf.data.readers.packets import LostError
from vlf.data.readers.reader import SEEK, FrameReader, Run, cost, iterate_frames, plan

LENGTH = 200
WANTED = [199, 12, 12, 40, 64, 63, 150, 97]


def film(path, stamps=range(LENGTH), base=Fraction(1, 25), options=None, **how):
    """Frames that all differ: a field of noise that moves one pixel a frame."""
    field = np.random.default_rng(0).integers(0, 255, (40, 64 + LENGTH, 3)).astype(np.uint8)
    frames = (field[:, number : number + 64] for number in range(LENGTH))
    options = {"g": "32", **(options or {})}
    return write_film(path, frames, rate=25, stamps=stamps, base=base, options=options, **how)


X264 = {"preset": "veryfast"}
FILMS = {
    "closed groups.mp4": {"options": {**X264, "bf": "0"}},
    "b frames.mp4": {"options": {**X264, "bf": "3", "b-adapt": "0"}},
    "open groups.mp4": {
        "options": {**X264, "bf": "3", "b-adapt": "0", "x264-params": "open-gop=1"}
    },
    "open groups.mkv": {
        "options": {**X264, "bf": "3", "b-adapt": "0", "x264-params": "open-gop=1"}
    },
    "open groups.ts": {"options": {**X264, "bf": "3", "b-adapt": "0", "x264-params": "open-gop=1"}},
    "variable rate.mkv": {
        "options": {**X264, "bf": "2"},
        "stamps": [40 * n + 700 * (n // 50) for n in range(LENGTH)],
        "base": Fraction(1, 1000),
    },
    "late start.mp4": {"options": {**X264, "bf": "2"}, "stamps": range(500, 500 + LENGTH)},
    "late start.mkv": {"options": {**X264, "bf": "2"}, "stamps": range(500, 500 + LENGTH)},
    "intra refresh.mkv": {"options": {**X264, "x264-params": "intra-refresh=1"}},
    "all keys.mp4": {"options": {**X264, "g": "1"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "keyint=32:log-level=none"},
    },
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "12"}},
    "vp8.webm": {"codec": "libvpx", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
}

UNSURE = ("open groups.ts", "intra refresh.mkv")  # where a seek may fail, and is noticed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module", params=FILMS)
def path(request, folder):
    codec = FILMS[request.param].get("codec", "libx264")
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV has no {codec} here")
    return film(folder / request.param, **FILMS[request.param])


def test_frames_are_those_of_decoding_from_the_start(path, monkeypatch):
    expected = plain_frames(path)
    assert len({frame.tobytes() for frame in expected}) == LENGTH  # or a wrong one would pass
    film = VideoFile(path)
    assert film.count() == LENGTH
    assert np.array_equal(film.decode(np.array(WANTED)), expected[WANTED])
    rng = np.random.default_rng(1)
    for _ in range(6):
        some = rng.integers(0, LENGTH, 4)
        assert np.array_equal(film.decode(some), expected[some])
    index = read_index(path)
    assert (index.pictures is not None) == (path.name == "mpeg4.avi")
    monkeypatch.setattr(reader, "GAIN", 1e9)  # also where it would not pay: each by a seek
    for number in range(0, LENGTH, 7):
        try:
            [(_, frame)] = iterate_frames(path, index, [number])
        except LostError:
            assert path.name in UNSURE
            continue
        assert np.array_equal(frame, expected[number])


def test_a_part_by_time_has_the_same_frames(path):
    index = read_index(path)
    shown = index.seconds() - index.seconds()[0]
    expected = plain_frames(path)
    for begin, end in [(0, 20), (61, 70), (55, 99), (151, 200)]:
        film = VideoStretch(path, shown[begin] + 0.001, shown[end - 1] + 0.03)
        assert film.count() == end - begin
        assert np.array_equal([*film.iterate(0, end - begin)], expected[begin:end])
        some = np.array([end - begin - 1, 0, 3, 3])
        assert np.array_equal(film.decode(some), expected[begin + some])


def test_a_part_that_a_seek_does_not_give_is_decoded_from_the_start(folder):
    path = film(folder / "refreshed.mkv", **FILMS["intra refresh.mkv"])
    part = VideoStretch(path, 150.5 / 25, 160.5 / 25)
    assert part.count() == 11
    with pytest.raises(LostError):  # its keyframes are whole some frames later
        [*iterate_frames(path, part._reader.index, [part._begin])]
    assert np.array_equal([*part.iterate(0, 11)], plain_frames(path)[150:161])


def test_the_open_groups_here_are_open(folder):
    path = film(folder / "open.mp4", **FILMS["open groups.mp4"])
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    at = [n for n, packet in enumerate(packets) if packet.is_keyframe][1]
    assert packets[at + 1].pts < packets[at].pts  # shown before the keyframe, coded after it


def test_the_index_says_where_decoding_can_begin(folder):
    path = film(folder / "told.mp4", options={**X264, "bf": "0", "sc_threshold": "0"})
    index = read_index(path)
    assert index.keys.tolist() == list(range(0, LENGTH, 32))
    assert len(index.shown) == LENGTH
    assert index.pictures is None


INDEX = FrameIndex(np.arange(300), Fraction(1, 25), 300, np.arange(0, 300, 32))


def test_a_plan_seeks_over_what_it_need_not_decode():
    assert plan(INDEX, [10, 20, 200]) == [Run(0, (10, 20)), Run(192, (200,))]
    assert cost([Run(0, (10, 20)), Run(192, (200,))]) == 21 + 9 + SEEK
    # Frame 64 is the next keyframe but one after 62: going on is cheaper than a seek.
    assert plan(replace(INDEX, is_part=True), [62, 65]) == [Run(32, (62, 65))]


@pytest.mark.parametrize(
    ("numbers", "starts"),
    [
        ([5, 199], [0, 192]),
        ([5, 20], [0]),  # near the start
        (range(0, 200, 2), [0]),  # nearly all of them are decoded anyway
        ([31, 63, 95, 127, 159, 191], [0]),  # the last of every group
    ],
)
def test_seeks_are_taken_only_where_they_save_decoding(folder, numbers, starts):
    path = film(folder / "ways.mp4", options={**X264, "bf": "0", "sc_threshold": "0"})
    assert [run.key for run in plan(read_index(path), list(numbers))] == starts
    expected = plain_frames(path)
    for kind in (VideoFile, TimedVideo):
        assert np.array_equal(kind(path).decode(np.array(numbers)), expected[list(numbers)])


def test_a_seek_that_leads_elsewhere_is_noticed_and_never_tried_again(folder):
    path = film(folder / "moved.mp4", options={**X264, "bf": "0", "sc_threshold": "0"})
    right = read_index(path)
    shown = right.shown.copy()
    shown[150:] -= 20  # an index that is wrong by less than the distance of frames
    with pytest.raises(LostError):
        [*iterate_frames(path, replace(right, shown=shown), [5, 199])]
    wrong_keys = replace(right, keys=right.keys + (right.keys > 0))  # one frame behind each
    film_reader = FrameReader(path, lambda: wrong_keys)
    assert np.array_equal(film_reader.decode(np.array([5, 199])), plain_frames(path)[[5, 199]])
    assert film_reader.index.keys.tolist() == []


def test_a_frame_beyond_the_end_is_told_as_without_seeking(folder):
    path = film(folder / "short.mp4", options=X264)
    with pytest.raises(VideoError, match="has 200 frames; frame 260 was asked for"):
        VideoFile(path).decode(np.array([3, 260]))


def test_pictures_are_freed_without_the_garbage_collector(tmp_path):
    path = film(tmp_path / "film.mp4", options=X264)
    gc.collect()
    gc.disable()
    try:
        VideoFile(path).decode(np.array(WANTED))
        alive = [thing for thing in gc.get_objects() if type(thing) is av.VideoFrame]
    finally:
        gc.enable()
    assert len(alive) <= 1
