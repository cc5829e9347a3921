"""Every reader over every kind of film: each frame is the one that was asked for, or one line says
why not.

The truth is the numbers that pictures bear, in the order in which they were encoded; of films whose
packets were cut or copied, the order in which PyAV alone decodes them.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from film_files import plain_frames
from numbered_films import (
    ORIENTATIONS,
    copy_from,
    corners_of,
    number_of,
    numbers_of,
    write_numbered,
)

from vlf.config import VideoListConfig
from vlf.data.datasets.packed import Packing, read_pack, write_pack
from vlf.data.datasets.video_list import VideoList
from vlf.data.readers import reader
from vlf.data.readers.films import TimedVideo, VideoFile, VideoStretch
from vlf.data.readers.index import read_index

COUNT = 40
NTSC = Fraction(30000, 1001)
X264 = {"preset": "ultrafast", "g": "12"}
B_FRAMES = {"bf": "3", "b-adapt": "0", "g": "12", "preset": "veryfast"}
OPEN = {**B_FRAMES, "x264-params": "open-gop=1:b-pyramid=normal"}
X265 = "log-level=none:keyint=12:min-keyint=12:bframes=3:b-adapt=0"
FAST = {"cpu-used": "8", "deadline": "realtime", "g": "12"}
LAG = {"auto-alt-ref": "1", "lag-in-frames": "10", "g": "20", "cpu-used": "5", "b": "80k"}
CODECS = {  # name -> encoder, pixel format, options
    "h264": ("libx264", "yuv420p", {**X264, "bf": "0"}),
    "h264 b": ("libx264", "yuv420p", B_FRAMES),
    "h264 open": ("libx264", "yuv420p", OPEN),
    "h264 refresh": ("libx264", "yuv420p", {**X264, "x264-params": "intra-refresh=1"}),
    "h264 interlaced": ("libx264", "yuv420p", {**B_FRAMES, "x264-params": "interlaced=1"}),
    "h264 10 bits": ("libx264", "yuv420p10le", B_FRAMES),
    "hevc": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": X265}),
    "hevc open": (
        "libx265",
        "yuv420p",
        {"preset": "ultrafast", "x265-params": f"{X265}:open-gop=1"},
    ),
    "vp8": ("libvpx", "yuv420p", FAST),
    "vp8 lag": ("libvpx", "yuv420p", LAG),
    "vp9": ("libvpx-vp9", "yuv420p", FAST),
    "vp9 lag": ("libvpx-vp9", "yuv420p", LAG),
    "av1": ("libsvtav1", "yuv420p", {"preset": "8", "g": "12", "crf": "5"}),
    "mpeg4": ("mpeg4", "yuv420p", {"g": "12", "q": "2"}),
    "mpeg4 b": ("mpeg4", "yuv420p", {"g": "12", "bf": "2"}),
    "mpeg2": ("mpeg2video", "yuv420p", {"g": "12"}),
    "mpeg2 b": ("mpeg2video", "yuv420p", {"g": "12", "bf": "2"}),
    "mjpeg": ("mjpeg", "yuvj420p", {}),
    "ffv1": ("ffv1", "yuv420p", {}),
    "prores": ("prores_ks", "yuv422p10le", {}),
    "wmv2": ("wmv2", "yuv420p", {"g": "12"}),
    "gif": ("gif", "rgb8", {}),
    "apng": ("apng", "rgb24", {}),
}
CONTAINERS = {  # suffix -> codecs that players find there
    "mp4": [*CODECS][:6]
    + [*CODECS][6:8]
    + ["vp9", "vp9 lag", "av1", "mpeg4", "mpeg4 b", "mpeg2 b"],
    "mov": ["h264 b", "h264 open", "hevc", "mpeg4 b", "mjpeg", "prores"],
    "mkv": [*CODECS][:20],
    "webm": ["vp8", "vp8 lag", "vp9", "vp9 lag", "av1"],
    "avi": [
        "h264",
        "h264 b",
        "h264 open",
        "mpeg4",
        "mpeg4 b",
        "mjpeg",
        "ffv1",
        "vp8 lag",
        "wmv2",
    ],
    "ts": ["h264", "h264 b", "h264 open", "hevc", "hevc open", "mpeg2", "mpeg2 b", "mpeg4 b"],
    "m2ts": ["h264 b", "mpeg2 b"],
    "mpg": ["mpeg2", "mpeg2 b"],
    "flv": ["h264", "h264 b"],
    "wmv": ["wmv2"],
    "nut": ["h264 b", "mpeg4 b", "ffv1"],
    "ivf": ["vp8 lag", "vp9 lag", "av1"],
    "gif": ["gif"],
    "apng": ["apng"],
}
RATES = {
    "": {},
    "29.97": {"rate": NTSC},
    "late": {"stamps": range(250, 250 + COUNT)},
    "turned": {"exif": 6},
    "sound": {"sound": True},
}
KINDS = [
    f"{codec}, {rate}.{suffix}"
    for suffix, codecs in CONTAINERS.items()
    for codec in codecs
    for rate in RATES
    if not (rate == "turned" and suffix not in ("mp4", "mov", "mkv"))
    and not (
        rate == "sound" and suffix in ("webm", "avi", "mpg", "ivf", "gif", "apng", "wmv", "nut")
    )
    and not (rate == "late" and suffix in ("avi", "ivf", "gif", "apng"))
]
SHORT = [
    *("h264 b, 29.97.mp4", "h264 open, late.mkv", "h264 open, .ts", "h264 refresh, .mkv"),
    *("hevc open, .mp4", "vp8 lag, .webm", "vp9 lag, late.mkv", "av1, .webm"),
    *(
        "h264 b, .avi",
        "mpeg4, sound.mp4",
        "mpeg4 b, .avi",
        "mpeg4 b, turned.mp4",
        "mpeg2 b, .mpg",
        "mjpeg, .avi",
    ),
    *("h264 interlaced, .mkv", "h264 b, .flv", "vp8 lag, .ivf", "gif, .gif"),
]


def make(folder, kind):
    codec, _, rest = kind.partition(", ")
    rate, _, suffix = rest.rpartition(".")
    encoder, pixels, options = CODECS[codec]
    if encoder not in av.codecs_available:
        pytest.skip(f"PyAV has no {encoder} here")
    how = {"pix_fmt": pixels, "options": options, **RATES[rate]}
    if suffix == "m2ts":
        how |= {"format": "mpegts", "container": {"mpegts_m2ts_mode": "1"}}
    return write_numbered(folder / f"film.{suffix}", COUNT, encoder, **how)


def look(path, expected, monkeypatch):
    """Hold every reader to the numbers that are expected, frame by frame."""
    film = VideoFile(path)
    assert film.count() == len(expected)
    assert numbers_of(film.iterate(0, film.count())) == expected
    timed = TimedVideo(path)
    assert numbers_of(timed.decode(np.arange(timed.count()))) == expected
    entry = write_pack(path.with_suffix(".pack"), film.iterate(0, film.count()), Packing(64), 0)
    some = np.array([len(expected) - 1, 0, 7, 7, len(expected) // 2])
    wanted = [expected[number] for number in some]
    assert numbers_of(read_pack(path.with_suffix(".pack"), entry, some)) == wanted
    index = read_index(path)
    shown = index.seconds() - index.seconds()[0]
    for begin, end in [(0, 5), (len(expected) // 2 - 3, len(expected) // 2 + 6)]:
        part = VideoStretch(path, shown[begin] + 0.001, shown[end] - 0.001)
        assert numbers_of(part.iterate(0, part.count())) == expected[begin:end]
    monkeypatch.setattr(reader, "GAIN", 1e9)  # every seek that is possible
    assert numbers_of(film.decode(some)) == wanted
    for number in range(len(expected) - 1, 0, -11):
        assert number_of(VideoFile(path).decode(np.array([number]))[0]) == expected[number]


@pytest.mark.parametrize("kind", SHORT)
def test_every_reader_gives_the_frame_that_was_asked_for(tmp_path, monkeypatch, kind):
    look(make(tmp_path, kind), list(range(COUNT)), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_reader_does_in_the_whole_matrix(tmp_path, monkeypatch, kind):
    look(make(tmp_path, kind), list(range(COUNT)), monkeypatch)


@pytest.mark.parametrize("exif", ORIENTATIONS)
def test_films_are_shown_the_way_up_that_their_header_says(tmp_path, exif):
    path = write_numbered(tmp_path / "film.mp4", 30, exif=exif, options=X264)
    film = VideoFile(path)
    shown = [
        *film.iterate(0, 30),
        *film.decode(np.array([29])),
        *VideoStretch(path, 0.5, 1).iterate(0, 2),
    ]
    assert {corners_of(frame) for frame in shown} == {ORIENTATIONS[exif][1]}
    assert shown[0].shape == ((64, 96, 3) if exif < 5 else (96, 64, 3))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("codec", ["hevc open", "h264 open"])
@pytest.mark.parametrize("shift", [False, True])
def test_frames_of_a_cut_film_are_those_that_a_decoder_gives(
    tmp_path, monkeypatch, suffix, codec, shift
):
    whole = make(tmp_path, f"{codec}, .{suffix}")
    path = copy_from(whole, tmp_path / f"cut.{suffix}", 1, shift)
    expected = numbers_of(plain_frames(path))
    assert 0 < len(expected) < COUNT
    look(path, expected, monkeypatch)


# Our own: 60 frames of numbered_films, written by FFmpeg 5.1 in two passes, which PyAV does not do:
# -c:v libvpx -b:v 60k -auto-alt-ref 1 -lag-in-frames 16 -g 60 -arnr-maxframes 5
HIDDEN = Path(__file__).with_name("vp8_hidden.webm")


@pytest.mark.parametrize("suffix", ["webm", "mkv"])
def test_hidden_pictures_of_vp8_are_no_frames(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"film.{suffix}"
    if suffix == "webm":
        path.write_bytes(HIDDEN.read_bytes())
    else:
        copy_from(HIDDEN, path, 0)
    with av.open(str(path)) as container:
        assert sum(bool(packet.size) for packet in container.demux(video=0)) == 64
    look(path, list(range(60)), monkeypatch)


def test_frames_are_the_same_with_the_cache_and_without_it(tmp_path):
    for kind in ("h264 b, .avi", "vp8 lag, .webm", "h264 open, turned.mp4"):
        path = make(tmp_path, kind)
        (tmp_path / "train.txt").write_text(f"{path.name} 0\n")
        config = VideoListConfig(root=str(tmp_path), num_classes=2, frames=8, size=32)
        views = [VideoList(config, "train", room).load_views(0) for room in (0, 2**28)]
        assert (views[0] == views[1]).all()
