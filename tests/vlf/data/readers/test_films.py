import av
import numpy as np
import pytest
from film_files import encode, encode_sound, grey, levels, plain_frames, save_images, write_film
from PIL import Image

from vlf.data.readers.container import VideoError
from vlf.data.readers.films import TimedVideo, VideoFile, even_steps
from vlf.data.readers.images import ImageFolder
from vlf.data.readers.index import read_index


@pytest.mark.parametrize(
    ("name", "codec"), [("a.webm", "libvpx"), ("a.mp4", "libx264"), ("a.avi", "mpeg4")]
)
def test_a_constant_rate_gives_every_frame_once_in_each_container(tmp_path, name, codec):
    encode(tmp_path / name, range(0, 120, 10), codec)
    film = TimedVideo(tmp_path / name)
    assert film.count() == 12
    assert levels(film.decode(np.arange(12))) == list(range(12))
    assert levels(film.iterate(3, 9)) == list(range(3, 9))


def test_what_a_file_is_named_does_not_matter_to_how_it_is_read(tmp_path):
    encode(tmp_path / "a.webm", range(0, 50, 10), "libvpx")
    (tmp_path / "a.webm").rename(tmp_path / "a.mp4")
    assert levels(TimedVideo(tmp_path / "a.mp4").decode(np.arange(5))) == [0, 1, 2, 3, 4]


def test_a_variable_rate_is_read_by_time_and_not_by_number(tmp_path):
    # Ten frames in the first second, then two that stand for a second each; the last one has the
    # length that its packet says or else the usual one.
    stamps = [*range(0, 1000, 100), 1000, 2000]
    encode(tmp_path / "a.mkv", range(0, 120, 10), stamps=stamps)
    film = TimedVideo(tmp_path / "a.mkv")
    index = read_index(tmp_path / "a.mkv")
    assert index.seconds() == pytest.approx(np.array(stamps) / 1000, abs=2e-3)
    moments = (np.arange(12) + 0.5) / 12 * float(index.end * index.base)
    shown = [max(i for i, stamp in enumerate(stamps) if stamp / 1000 <= m) for m in moments]
    assert shown.count(10) >= 4  # a third of the film and more is one frame
    assert film.count() == 12
    assert levels(film.decode(np.arange(12))) == shown
    assert levels(film.iterate(2, 12)) == shown[2:]
    assert levels(VideoFile(tmp_path / "a.mkv").decode(np.arange(12))) == list(range(12))


def test_equal_steps_of_time_are_told_by_hand():
    # Shown at 0, 1 and 4 s, the last until 6 s: thirds of 2 s, their middles at 1, 3 and 5 s.
    assert even_steps(np.array([0.0, 1.0, 4.0]), 6.0).tolist() == [1, 1, 2]


@pytest.mark.parametrize("shown", [[0.0], [0.0, 0.1], [0.0, 0.033, 0.067, 0.1]])
def test_stamps_that_are_even_up_to_rounding_number_the_frames(shown):
    assert even_steps(np.array(shown), 1.0) is None


def test_a_film_cut_off_behind_its_index_is_truncated_and_not_just_shorter(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3)).astype(np.uint8)
    in_front = {"movflags": "faststart"}
    write_film(tmp_path / "whole.mp4", noise, options={"crf": "0"}, container_options=in_front)
    whole = (tmp_path / "whole.mp4").read_bytes()
    assert TimedVideo(tmp_path / "whole.mp4").count() == 30
    (tmp_path / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match=r'torn\.mp4" is truncated: \d+ of 30 frames are there'):
        TimedVideo(tmp_path / "torn.mp4").count()


def test_a_webm_cut_off_in_the_middle_is_truncated(tmp_path):
    encode(tmp_path / "a.webm", np.random.default_rng(0).integers(0, 255, 60), "libvpx")
    whole = (tmp_path / "a.webm").read_bytes()
    (tmp_path / "a.webm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match=r"a\.webm"):
        TimedVideo(tmp_path / "a.webm").count()


def test_sound_alone_noise_and_nothing_are_told_by_file(tmp_path):
    encode_sound(tmp_path / "sound.mp4")
    (tmp_path / "noise.webm").write_bytes(np.random.default_rng(0).bytes(3000))
    (tmp_path / "empty.avi").write_bytes(b"")
    for name, why in [
        ("sound.mp4", "has no video stream"),
        ("noise.webm", "cannot be decoded"),
        ("empty.avi", "cannot be decoded"),
        ("none.mp4", "no such video"),
    ]:
        with pytest.raises(VideoError, match=why):
            TimedVideo(tmp_path / name).count()


def test_images_are_frames_in_the_order_of_their_numbers(tmp_path):
    save_images(tmp_path / "a", [10, 20, 30], "{}.jpg", first=9)  # 10.jpg sorts before 9.jpg
    (tmp_path / "a" / "notes.txt").write_text("not a frame")
    film = ImageFolder(tmp_path / "a")
    assert film.count() == 3
    assert levels(film.decode(np.array([2, 0, 0]))) == [3, 1, 1]
    assert levels(film.iterate(1, 3)) == [2, 3]


def test_images_of_several_sizes_and_broken_ones_are_told(tmp_path):
    save_images(tmp_path / "a", [10, 20, 30])
    Image.fromarray(grey(5, (10, 10))).save(tmp_path / "a" / "img_00002.jpg")
    with pytest.raises(VideoError, match='a" has images of several sizes'):
        ImageFolder(tmp_path / "a").decode(np.arange(3))
    whole = (tmp_path / "a" / "img_00003.jpg").read_bytes()
    (tmp_path / "a" / "img_00003.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match=r'img_00003\.jpg" cannot be decoded'):
        ImageFolder(tmp_path / "a").decode(np.array([2]))
    (tmp_path / "none").mkdir()
    with pytest.raises(VideoError, match='none" has no image'):
        ImageFolder(tmp_path / "none").count()


def add_uncoded_frames(path, count):
    """Put `count` frames that hold no picture behind a film of MPEG-4, as DivX encoders do."""
    with av.open(str(path)) as source, av.open(str(path.with_name("longer.avi")), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        last = packets[-1].dts
        for packet in packets:
            packet.stream = stream
            target.mux(packet)
        for number in range(count):
            # A start code, type P, no whole second passed, a marker, four bits of time, a marker,
            # and 0: not coded.
            packet = av.Packet(b"\x00\x00\x01\xb6\x50\x9f")
            packet.stream, packet.time_base = stream, source.streams.video[0].time_base
            packet.dts = packet.pts = last + 1 + number
            target.mux(packet)
    return path.with_name("longer.avi")


@pytest.mark.parametrize("count", [2, 5])
def test_uncoded_frames_at_the_end_are_pictures_that_stay_and_no_frames(tmp_path, count):
    encode(tmp_path / "a.avi", range(0, 100, 10), "mpeg4")
    path = add_uncoded_frames(tmp_path / "a.avi", count)
    shown = levels(plain_frames(path))
    film = VideoFile(path)
    assert film.count() == len(shown)
    assert levels(film.decode(np.arange(len(shown)))) == shown
    # What is on the screen in the middles of equal steps of the time until the last of them ends.
    moments = (np.arange(len(shown)) + 0.5) / len(shown) * (10 + count)
    assert levels(TimedVideo(path).iterate(0, len(shown))) == [min(int(m), 9) for m in moments]
