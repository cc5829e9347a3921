"""What is no film is refused in one line; images are shown as viewers show them."""

import io

import av
import numpy as np
import pytest
from film_files import encode, encode_sound
from numbered_films import ORIENTATIONS, corners_of, picture, write_numbered
from PIL import Image

from vlf.data.readers.container import VideoError
from vlf.data.readers.films import TimedVideo, VideoFile, VideoStretch
from vlf.data.readers.images import ImageFolder, read_image
from vlf.data.readers.packets import count_shown

SEGMENTS = """\
#EXTM3U
#EXT-X-TARGETDURATION:5
#EXTINF:5,
other.ts
#EXT-X-ENDLIST
"""
LISTS = {
    "concat": "ffconcat version 1.0\nfile other.ts\n",
    "hls": SEGMENTS,
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"/>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
}
STILLS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")


def still(kind):
    buffer = io.BytesIO()
    Image.fromarray(picture(5)).save(buffer, kind)
    return buffer.getvalue()


def refuse(path):
    for film in (VideoFile(path), TimedVideo(path), VideoStretch(path, 0.0, 0.1)):
        with pytest.raises(VideoError, match=path.name) as caught:
            next(film.iterate(0, 1))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["film.mp4", "film.m3u8", "film.txt"])
def test_a_list_of_files_is_no_film(tmp_path, kind, name):
    write_numbered(tmp_path / "other.ts", 20)
    (tmp_path / name).write_text(LISTS[kind])
    refuse(tmp_path / name)


@pytest.mark.parametrize("kind", STILLS)
@pytest.mark.parametrize("name", ["film.mp4", "film_%03d.jpg", "film.avi"])
def test_a_picture_is_no_film(tmp_path, kind, name):
    (tmp_path / name).write_bytes(still(kind))
    refuse(tmp_path / name)


@pytest.mark.parametrize("name", ["song.mp4", "song.mov"])
def test_sound_is_no_film_and_its_cover_neither(tmp_path, name):
    encode_sound(tmp_path / name)
    refuse(tmp_path / name)
    add_cover(tmp_path / name, tmp_path / f"covered {name}")
    refuse(tmp_path / f"covered {name}")


def add_cover(source, target):
    """Copy a file with a picture attached, as music players show it."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        cover = new.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 64, 96, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packets = [packet for packet in old.demux() if packet.size]
        frame = av.VideoFrame.from_ndarray(picture(99), "rgb24")
        pictures = [*cover.encode(frame), *cover.encode()]
        for packet in packets:
            packet.stream = copies[packet.stream.index]
        for packet in [*pictures, *packets]:
            new.mux(packet)


def test_a_film_with_a_cover_is_the_film(tmp_path):
    write_numbered(tmp_path / "plain.mp4", 10)
    add_cover(tmp_path / "plain.mp4", tmp_path / "film.mp4")
    assert VideoFile(tmp_path / "film.mp4").count() == 10


def test_hidden_frames_show_no_picture():
    assert count_shown("vp8", memoryview(bytes([0x10]))) == 1  # RFC 6386, 9.1: a key frame
    assert count_shown("vp8", memoryview(bytes([0x01]))) == 0
    # VP9, 6.2: 10, two bits of profile, show_existing_frame, frame_type, show_frame, error mode.
    assert count_shown("vp9", memoryview(bytes([0b10000010]))) == 1
    assert count_shown("vp9", memoryview(bytes([0b10000100]))) == 0
    assert count_shown("vp9", memoryview(bytes([0b10001000]))) == 1  # an earlier one
    assert count_shown("vp9", memoryview(bytes([0b10110001]))) == 1  # of profile 3
    assert count_shown("vp9", memoryview(bytes([0b10110010]))) == 0
    # Annex B: a hidden frame of 3 bytes and a shown one of 2, their sizes in a byte each.
    index = bytes([0b11000001, 3, 2, 0b11000001])
    packet = bytes([0b10000100, 0, 0, 0b10000110, 0]) + index
    assert count_shown("vp9", memoryview(packet)) == 1


@pytest.mark.parametrize("exif", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_images_are_shown_the_way_up_that_their_exif_data_say(tmp_path, exif, suffix):
    data = Image.Exif()
    data[0x0112] = exif
    Image.fromarray(picture(5)).save(tmp_path / f"1.{suffix}", exif=data, quality=95)
    folder = ImageFolder(tmp_path)
    for frame in (folder.decode(np.array([0]))[0], *folder.iterate(0, 1)):
        assert corners_of(frame) == ORIENTATIONS[exif][1]
        assert frame.shape == ((64, 96, 3) if exif < 5 else (96, 64, 3))


def test_16_bits_of_grey_are_scaled_to_8(tmp_path):
    levels = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16
    Image.fromarray(levels).save(tmp_path / "grey.png")
    frame = read_image(tmp_path / "grey.png")
    assert np.abs(frame.astype(float) - levels[..., None] / 65535 * 255).max() < 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_other_modes_of_images_become_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode).save(tmp_path / f"1.{suffix}")
    frame = read_image(tmp_path / f"1.{suffix}")
    assert frame.shape == (8, 8, 3)
    assert frame.min() >= 250


def test_pixels_of_an_unknown_range_are_refused(tmp_path):
    for mode, why in (("F", "floating-point"), ("I", "32-bit")):
        image = Image.new(mode, (8, 8), 0)
        image.putpixel((0, 0), 1 << 20)
        image.save(tmp_path / "1.png", "TIFF")
        with pytest.raises(VideoError, match=why):
            read_image(tmp_path / "1.png")


def test_a_title_or_name_of_a_film_is_no_protocol(tmp_path, monkeypatch):
    encode(tmp_path / "a.mp4", [10] * 3)
    (tmp_path / "a.mp4").rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert VideoFile("concat:a.mp4").count() == 3
