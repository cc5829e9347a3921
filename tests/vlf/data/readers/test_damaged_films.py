"""Films that are cut off, have gaps, jump in time, or hold more than one stream."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from film_files import plain_frames
from numbered_films import SIDES, cut_off, number_of, numbers_of, picture, write_numbered

from vlf.data.readers.container import VideoError
from vlf.data.readers.films import TimedVideo, VideoFile, VideoStretch
from vlf.data.readers.index import read_index

B_FRAMES = {"bf": "2", "b-adapt": "0", "g": "12"}
CONTAINERS = {
    "mp4": {"container": {"movflags": "faststart"}},
    "mkv": {},
    "avi": {"codec": "mpeg4"},
    "webm": {"codec": "libvpx", "options": {"g": "12"}},
    "flv": {},
}


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_every_reader_refuses_half_a_film(tmp_path, suffix, share, sound):
    how = {"codec": "libx264", "options": B_FRAMES, **CONTAINERS[suffix]}
    path = write_numbered(
        tmp_path / f"film.{suffix}",
        100,
        sound=sound and suffix not in ("webm", "avi"),
        **how,
    )
    assert VideoFile(path).count() == 100
    cut_off(path, share)
    for film in (VideoFile(path), TimedVideo(path)):
        with pytest.raises(VideoError, match="is truncated"):
            film.count()
        with pytest.raises(VideoError, match="is truncated"):
            film.decode(np.array([0, 3]))  # also where a list says which frames
        with pytest.raises(VideoError, match="is truncated"):
            next(film.iterate(0, 3))
    with pytest.raises(VideoError, match=r"ends at|is truncated"):
        VideoStretch(path, 2.0, 3.9).count()


def test_a_film_that_lacks_less_than_a_tenth_is_as_long_as_it_is(tmp_path):
    path = write_numbered(tmp_path / "film.mkv", 100, options=B_FRAMES)
    size = path.stat().st_size
    cut_off(path, 0.96)
    assert path.stat().st_size < size
    expected = numbers_of(plain_frames(path))
    assert 90 <= len(expected) < 100
    assert numbers_of(VideoFile(path).iterate(0, VideoFile(path).count())) == expected


PROMISE_NOTHING = {
    "live.webm": {"codec": "libvpx", "container": {"live": "1"}},
    "live.mkv": {"container": {"live": "1"}, "sound": True},
    "fragments.mp4": {"container": {"movflags": "frag_keyframe+empty_moov"}, "sound": True},
    "bare.flv": {"container": {"flvflags": "no_duration_filesize"}},
    "film.ts": {"sound": True},
}


@pytest.mark.parametrize("name", PROMISE_NOTHING)
def test_a_film_whose_header_says_no_length_is_as_long_as_it_is(tmp_path, name):
    path = write_numbered(tmp_path / name, 60, **PROMISE_NOTHING[name])
    assert numbers_of(VideoFile(path).iterate(0, VideoFile(path).count())) == [*range(60)]


def test_a_film_that_is_shorter_than_its_sound_is_whole(tmp_path):
    path = write_numbered(tmp_path / "film.mkv", 30, sound=100)
    assert VideoFile(path).count() == 30


@pytest.mark.parametrize("options", [{"g": "1"}, {"g": "12", "q": "2"}])
def test_frames_dropped_in_avi_stay_on_the_screen(tmp_path, options):
    # A recording whose pictures 20 to 29 and 40 to 49 were never captured.
    numbers = [*range(20), *range(30, 40), *range(50, 60)]
    path = write_numbered(
        tmp_path / "gaps.avi",
        len(numbers),
        "mpeg4",
        numbers=numbers,
        stamps=numbers,
        options=options,
    )
    assert numbers_of(VideoFile(path).decode(np.arange(len(numbers)))) == numbers
    moments = (np.arange(40) + 0.5) / 40 * 60  # in frames, of the middles of equal steps of time
    shown = [max(number for number in numbers if number <= moment) for moment in moments]
    timed = TimedVideo(path)
    assert timed.count() == 40
    assert numbers_of(timed.iterate(0, 40)) == shown
    part = VideoStretch(path, 22 / 25, 28 / 25)  # inside of a gap
    assert numbers_of(part.iterate(0, part.count())) == [19]


def test_a_film_in_avi_is_read_by_time_although_it_has_no_stamps_of_its_own(tmp_path):
    path = write_numbered(
        tmp_path / "film.avi", 60, "mpeg4", options={"bf": "2", "g": "12", "q": "2"}
    )
    for begin, end in [(0, 5), (17, 31), (50, 60)]:
        part = VideoStretch(path, (begin + 0.4) / 25, (end - 0.6) / 25)
        assert numbers_of(part.iterate(0, part.count())) == [*range(begin, end)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_stamps_in_the_order_of_decoding_are_not_believed(tmp_path, suffix):
    # As tools copy films from AVI.
    film = write_numbered(tmp_path / "film.mkv", 60, options={**B_FRAMES, "g": "15"})
    path = tmp_path / f"copied.{suffix}"
    with av.open(str(film)) as source, av.open(str(path), "w") as container:
        stream = source.streams.video[0]
        copied = container.add_stream_from_template(stream)
        for place, packet in enumerate(p for p in source.demux(stream) if p.size):
            packet.pts = packet.dts = 40 * place
            packet.stream = copied
            container.mux(packet)
    for kind in (VideoFile, TimedVideo):
        assert numbers_of(kind(path).iterate(0, 60)) == [*range(60)]
        for number in (59, 31, 46):
            assert number_of(kind(path).decode(np.array([number]))[0]) == number
    part = VideoStretch(path, 30.5 / 25, 34.5 / 25)
    assert numbers_of(part.iterate(0, part.count())) == [30, 31, 32, 33, 34]


def test_recordings_put_behind_each_other_go_on_in_time(tmp_path):
    for name, first in (("one", 0), ("two", 30)):
        write_numbered(
            tmp_path / f"{name}.ts", 30, numbers=range(first, first + 30), options=B_FRAMES
        )
    path = tmp_path / "both.ts"
    path.write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    assert numbers_of(plain_frames(path)) == [*range(60)]
    for film in (VideoFile(path), TimedVideo(path)):
        assert numbers_of(film.iterate(0, film.count())) == [*range(60)]
        assert number_of(film.decode(np.array([45]))[0]) == 45
    part = VideoStretch(path, 40.5 / 25, 43.5 / 25)
    assert numbers_of(part.iterate(0, part.count())) == [40, 41, 42, 43]


def test_the_clock_of_a_transport_stream_may_begin_anew_inside_of_a_film(tmp_path):
    wrap = 2**33
    stamps = range(wrap - 20 * 3600, wrap + 20 * 3600, 3600)
    path = write_numbered(
        tmp_path / "film.ts", 40, stamps=stamps, base=Fraction(1, 90000), options=B_FRAMES
    )
    for film in (VideoFile(path), TimedVideo(path)):
        assert numbers_of(film.iterate(0, film.count())) == [*range(40)]


def write_streams(path, chosen, order=("a", "b"), cover=False):
    """Two video streams with numbers from 0 and from 100 on, one of which is the default."""
    with av.open(str(path), "w") as container:
        streams = {}
        for name in order:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width = SIDES
            stream.pix_fmt, stream.options = "yuv420p", {"preset": "ultrafast"}
            stream.disposition = av.stream.Disposition.default if name == chosen else 0
            streams[name] = stream
        for number in range(20):
            for name, stream in streams.items():
                image = picture(number + (100 if name == "b" else 0))
                frame = av.VideoFrame.from_ndarray(image, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream in streams.values():
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("chosen", "first"), [("a", 0), ("b", 100)])
def test_of_several_streams_the_one_is_read_that_players_choose(tmp_path, chosen, first):
    path = write_streams(tmp_path / "film.mkv", chosen)
    for film in (VideoFile(path), TimedVideo(path), VideoStretch(path, 0.0, 0.79)):
        assert numbers_of(film.iterate(0, film.count())) == [*range(first, first + 20)]


def test_frames_outside_of_an_edit_list_are_no_frames(tmp_path):
    # With stamps from before 0 on, MP4 begins at 0 by an edit list.
    whole = write_numbered(tmp_path / "whole.mp4", 40, options={**B_FRAMES, "g": "40"})
    path = tmp_path / "edited.mp4"
    with av.open(str(whole)) as film, av.open(str(path), "w") as container:
        stream = film.streams.video[0]
        copied = container.add_stream_from_template(stream)
        for packet in film.demux(stream):
            if packet.size:
                packet.pts, packet.dts = (x - 10 * 512 for x in (packet.pts, packet.dts))
                packet.stream = copied
                container.mux(packet)
    expected = numbers_of(plain_frames(path))
    assert expected == [*range(10, 40)]
    for film in (VideoFile(path), TimedVideo(path)):
        assert numbers_of(film.iterate(0, film.count())) == expected
    part = VideoStretch(path, 5.5 / 25, 8.5 / 25)
    assert numbers_of(part.iterate(0, part.count())) == [15, 16, 17, 18]


def test_a_film_that_an_edit_list_shortens_is_not_truncated(tmp_path):
    path = write_numbered(
        tmp_path / "film.mp4", 60, options=B_FRAMES, container={"movflags": "faststart"}
    )
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 12  # behind its version and count: how long the only edit is
    (length,) = struct.unpack_from(">I", content, at)
    struct.pack_into(">I", content, at, length // 3)
    path.write_bytes(content)
    for film in (VideoFile(path), TimedVideo(path)):
        assert numbers_of(film.iterate(0, film.count())) == [*range(20)]
    path.write_bytes(content[: len(content) * 45 // 100])
    with pytest.raises(VideoError, match="is truncated"):
        VideoFile(path).count()


@pytest.mark.parametrize("base", [Fraction(1, 1000), Fraction(1, 90000)])
def test_with_a_variable_rate_frames_are_exact_by_number_and_by_time(tmp_path, base):
    seconds = np.concatenate([np.arange(20) / 25, 0.8 + np.arange(20) / 5])
    stamps = [round(float(second / base)) for second in seconds]
    path = write_numbered(tmp_path / "film.mkv", 40, stamps=stamps, base=base, options=B_FRAMES)
    assert numbers_of(VideoFile(path).iterate(0, 40)) == [*range(40)]
    index = read_index(path)
    end = float(index.end * index.base)
    moments = (np.arange(40) + 0.5) / 40 * end
    shown = [int(np.searchsorted(seconds, moment, side="right")) - 1 for moment in moments]
    assert numbers_of(TimedVideo(path).iterate(0, 40)) == shown
