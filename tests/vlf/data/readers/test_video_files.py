import av
import numpy as np
import pytest
from film_files import encode, plain_frames

from vlf.data.preparation.write_video import write_video
from vlf.data.readers.container import VideoError
from vlf.data.readers.films import VideoFile


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A video whose frame i is grey of level 8 * i."""
    path = tmp_path_factory.mktemp("videos") / "counted.mp4"
    write_video(path, (np.full((48, 64, 3), 8 * i, np.uint8) for i in range(30)))
    return path


def levels(frames):
    return np.asarray(frames).mean((1, 2, 3)) / 8


def test_every_frame_asked_for_is_that_frame(counted):
    wanted = [29, 0, 7, 7, 18]
    frames = VideoFile(counted).decode(np.array(wanted))
    assert frames.shape == (5, 48, 64, 3)
    assert frames.dtype == np.uint8
    assert levels(frames) == pytest.approx(wanted, abs=0.3)


def test_frames_are_in_the_order_in_which_they_are_shown_although_coded_otherwise(tmp_path):
    options = {"bf": "3", "b-adapt": "0"}
    path = encode(tmp_path / "reordered.mp4", range(0, 160, 8), options=options)
    with av.open(str(path)) as container:
        stamps = [p.pts for p in container.demux(container.streams.video[0]) if p.size]
    assert stamps != sorted(stamps)  # B frames are there
    assert levels(VideoFile(path).decode(np.arange(20))) == pytest.approx(range(20), abs=0.3)


def test_frames_are_counted_without_decoding_as_many_as_are_decoded(counted):
    assert VideoFile(counted).count() == 30 == len(plain_frames(counted))


def test_a_stretch_of_frames_can_be_iterated_over(counted):
    assert levels(list(VideoFile(counted).iterate(4, 9))) == pytest.approx(range(4, 9), abs=0.3)


def test_a_written_video_keeps_colours_at_full_and_at_half_resolution(tmp_path):
    rows, columns = np.mgrid[0:32, 0:48]
    frame = np.stack([5 * columns, 7 * rows, 255 - 5 * columns], axis=2).astype(np.uint8)
    for chroma in (True, False):
        path = tmp_path / f"{chroma}.mp4"
        write_video(path, [frame] * 3, chroma=chroma)
        error = VideoFile(path).decode(np.array([1]))[0].astype(float) - frame
        assert np.abs(error).mean() < 4


def test_a_frame_beyond_the_end_is_an_error_that_tells_the_length(counted):
    with pytest.raises(VideoError, match=r'counted.mp4" has 30 frames; frame 31 was asked for'):
        VideoFile(counted).decode(np.array([3, 31]))
    with pytest.raises(VideoError, match=r"has 30 frames; frame 33 was asked for"):
        list(VideoFile(counted).iterate(28, 34))


def test_numbers_below_0_are_an_error_and_never_frames_from_the_end(counted):
    for numbers in ([-1], [], [3, -2]):
        with pytest.raises(ValueError, match="must be at least 0"):
            VideoFile(counted).decode(np.array(numbers, np.int64))


def test_files_that_cannot_be_decoded_are_named(tmp_path, counted):
    with pytest.raises(VideoError, match=r'no such video: ".*none\.mp4"'):
        VideoFile(tmp_path / "none.mp4").count()
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(VideoError, match=r'noise\.mp4" cannot be decoded: .+'):
        VideoFile(noise).decode(np.array([0]))
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(counted.read_bytes()[:600])
    with pytest.raises(VideoError, match=r'torn\.mp4" cannot be decoded: .+'):
        VideoFile(torn).decode(np.array([0]))


def test_a_file_without_pictures_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(VideoError, match="is no video file but"):
        VideoFile(path).decode(np.array([0]))
