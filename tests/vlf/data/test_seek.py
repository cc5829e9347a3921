"""Seeking gives the frames that decoding from the start gives, pixel for pixel."""

from fractions import Fraction

import av
import numpy as np
import pytest
from film_files import write_film

from vlf.data import seek
from vlf.data.film import TimedVideo, VideoFile
from vlf.data.seek import (
    FrameIndex,
    LostError,
    Run,
    SeekingReader,
    cost,
    plan,
    read_index,
)
from vlf.data.stretch import VideoStretch
from vlf.data.video import VideoError, decode_frames

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


def test_frames_are_those_of_decoding_from_the_start(path):
    expected = decode_frames(path, range(LENGTH))
    assert len({frame.tobytes() for frame in expected}) == LENGTH  # or a wrong one would pass
    reader = SeekingReader(path)
    assert np.array_equal(reader.decode(WANTED), expected[WANTED])
    rng = np.random.default_rng(1)
    for _ in range(6):
        some = rng.integers(0, LENGTH, 4)
        assert np.array_equal(reader.decode(some), expected[some])
    index = read_index(path)
    assert (index is None) == (path.name in ("vp8.webm", "mpeg4.avi"))
    if index is None:
        return
    for number in range(0, LENGTH, 7):  # also where it would not pay: each by a seek of its own
        try:
            frames = seek.decode_runs(path, index, plan(index, [number]), [number])
        except LostError:
            assert path.name in UNSURE
            continue
        assert np.array_equal(frames[0], expected[number])


def test_a_part_by_time_has_the_same_frames(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stamps = [packet.pts for packet in container.demux(stream) if packet.size]
        first, base = stream.start_time, float(stream.time_base)
    if None in stamps:
        with pytest.raises(VideoError, match="has no time stamps"):
            VideoStretch(path, 1.0, 2.0).count()
        return
    shown = [(stamp - first) * base for stamp in sorted(stamps)]
    expected = decode_frames(path, range(LENGTH))
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
    index, (first, *_) = part._part
    with pytest.raises(LostError):  # its keyframes are whole some frames later
        seek.decode_runs(path, index, plan(index, [first]), [first])
    assert np.array_equal([*part.iterate(0, 11)], decode_frames(path, range(150, 161)))


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
    assert read_index(film(folder / "told.webm", codec="libvpx")) is None


INDEX = FrameIndex(np.arange(300), np.arange(0, 300, 32))


def test_a_plan_seeks_over_what_it_need_not_decode():
    assert plan(INDEX, [10, 20, 200]) == [Run(0, (10, 20)), Run(192, (200,))]
    assert cost([Run(0, (10, 20)), Run(192, (200,))]) == 21 + 9 + 2 * seek.SEEK
    # Frame 64 is the next keyframe but one after 62: going on is cheaper than a seek.
    assert plan(INDEX, [62, 65]) == [Run(32, (62, 65))]


def decoded(monkeypatch, reader, numbers):
    """Which way a reader takes: the runs, or "start"."""
    taken = []
    whole, runs = seek.decode_frames, seek.decode_runs
    monkeypatch.setattr(seek, "decode_frames", lambda *a: (taken.append("start"), whole(*a))[1])
    monkeypatch.setattr(seek, "decode_runs", lambda *a: (taken.append("seek"), runs(*a))[1])
    reader.decode(numbers)
    return taken


@pytest.mark.parametrize(
    ("numbers", "way"),
    [
        ([5, 199], ["seek"]),
        ([5, 20], ["start"]),  # near the start
        (range(0, 200, 2), ["start"]),  # nearly all of them are decoded anyway
        ([31, 63, 95, 127, 159, 191], ["start"]),  # the last of every group
    ],
)
def test_seeks_are_taken_only_where_they_save_decoding(monkeypatch, folder, numbers, way):
    path = film(folder / "ways.mp4", options={**X264, "bf": "0", "sc_threshold": "0"})
    assert decoded(monkeypatch, SeekingReader(path), list(numbers)) == way
    for kind in (VideoFile, TimedVideo):
        assert np.array_equal(
            kind(path).decode(np.array(numbers)), decode_frames(path, list(numbers))
        )


def test_a_seek_that_leads_elsewhere_is_noticed_and_never_tried_again(monkeypatch, folder):
    path = film(folder / "moved.mp4", options={**X264, "bf": "0", "sc_threshold": "0"})
    reader = SeekingReader(path)
    reader.decode([5, 199])
    shown = reader._index[0].shown.copy()
    shown[150:] -= 20  # an index that is wrong by less than the distance of frames
    reader._index = (FrameIndex(shown, reader._index[0].keys),)
    assert decoded(monkeypatch, reader, [5, 199]) == ["seek", "start"]
    assert reader._index == (None,)


def test_a_frame_beyond_the_end_is_told_as_without_seeking(folder):
    path = film(folder / "short.mp4", options=X264)
    with pytest.raises(VideoError, match="has 200 frames; frame 260 was asked for"):
        SeekingReader(path).decode([3, 260])
