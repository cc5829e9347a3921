"""What becomes of videos that cannot be decoded: `bad: fail` and `bad: skip`."""

import csv
import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from dataset_files import MAKERS
from film_files import encode, encode_sound, grey, levels_of, write_film
from PIL import Image

from vlf.config import ConfigError, VideoListConfig
from vlf.data import open_clips
from vlf.data.preparation.split_check import check_data
from vlf.data.readers.decode_check import FILE

PLAYLIST = b"""\
#EXTM3U
#EXT-X-TARGETDURATION:5
#EXTINF:5,
http://127.0.0.1:9/other.ts
#EXT-X-ENDLIST
"""


def truncate(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def spoil_with_sound(path):
    encode_sound(path.with_suffix(".mp4"))
    os.replace(path.with_suffix(".mp4"), path)


def spoil_with_no_frame(path):
    """An index of a video that has no picture in it."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        container.start_encoding()


SPOILS = {
    "truncated": truncate,
    "of no frame": spoil_with_no_frame,
    "a playlist": lambda path: path.write_bytes(PLAYLIST),
    "of no bytes": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(4000)),
    "a web page": lambda path: path.write_bytes(b"<html>This video is not available</html>"),
    "sound alone": spoil_with_sound,
}
OF_VIDEOS = ["packed", "something", "kinetics", "ucf101", "hmdb51"]
OF_IMAGES = ["frames", "jester"]


def spoil(config, how):
    """Spoil the second training video, or the third image of it; -> its list and line."""
    item = open_clips(config, "train").items[1]
    how(sorted(item.path.iterdir())[2] if item.path.is_dir() else item.path)
    return item


@pytest.mark.parametrize("name", OF_VIDEOS)
@pytest.mark.parametrize("how", SPOILS)
def test_a_bad_video_ends_the_run_with_its_line_or_is_left_out_and_counted(tmp_path, name, how):
    config = MAKERS[name](tmp_path)
    before = open_clips(config, "train").labels.tolist()
    item = spoil(config, SPOILS[how])
    strict = open_clips(config, "train")
    with pytest.raises(ConfigError, match=re.escape(item.where)) as caught:
        strict.load_views(1)
    assert item.path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    config = config.model_copy(update={"bad": "skip"})
    clips = open_clips(config, "train")
    assert clips.labels.tolist() == [before[0], *before[2:]]
    assert levels_of(clips.load_views(1)) == [[4 * before[2] + 2] * 4]
    note = clips.notes[-1]
    assert note.startswith("train split: 1 of 3 videos cannot be decoded and are left out; the fi")
    assert item.where in note
    assert open_clips(config, "test").labels.tolist() == before


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("how", ["truncated", "of no bytes", "noise", "a web page"])
def test_a_folder_with_a_bad_image_is_a_bad_video(tmp_path, name, how):
    config = MAKERS[name](tmp_path, frames=8)
    item = spoil(config, SPOILS[how])
    with pytest.raises(ConfigError, match=re.escape(item.where)):
        open_clips(config, "train").load_views(1)
    clips = open_clips(config.model_copy(update={"bad": "skip"}), "train")
    assert clips.labels.tolist() == [0, 2]
    assert clips.notes[0].startswith("train split: 1 of 3 videos cannot be decoded")


def test_a_folder_without_images_is_a_bad_video(tmp_path):
    config = MAKERS["jester"](tmp_path)
    for image in open_clips(config, "train").items[1].path.iterdir():
        image.unlink()
    with pytest.raises(ConfigError, match="has no image"):
        open_clips(config, "train").load_views(1)
    assert len(open_clips(config.model_copy(update={"bad": "skip"}), "train")) == 2


def test_a_bad_test_video_is_no_part_of_the_accuracy(tmp_path):
    config = MAKERS["ucf101"](tmp_path, bad="skip")
    SPOILS["noise"](open_clips(config, "test").items[0].path)
    clips = open_clips(config, "test")
    assert len(clips) == 2
    assert clips.labels.tolist() == [1, 2]
    assert check_data(config).notes == clips.notes


def test_each_video_is_looked_at_once_until_it_changes(tmp_path):
    config = MAKERS["ucf101"](tmp_path, bad="skip")
    path = open_clips(config, "train").items[1].path
    films = json.loads((tmp_path / FILE).read_text())["films"]
    assert len(films) == 3  # the training videos
    state, whole = path.stat(), path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert len(open_clips(config, "train")) == 3  # as big and as old as before: not looked at
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert len(open_clips(config, "train")) == 2
    path.write_bytes(whole)
    assert len(open_clips(config, "train")) == 3


def test_answers_hold_where_a_dataset_is_moved_to(tmp_path):
    config = MAKERS["ucf101"](tmp_path / "here", bad="skip")
    spoil(config, truncate)
    before = open_clips(config, "train").notes
    assert "; the first is " in before[0]
    (tmp_path / "here").rename(tmp_path / "there")
    moved = config.model_copy(update={"root": str(tmp_path / "there")})
    written = (tmp_path / "there" / FILE).stat().st_mtime_ns
    after = open_clips(moved, "train").notes
    assert after == tuple(note.replace("/here/", "/there/") for note in before)
    assert (tmp_path / "there" / FILE).stat().st_mtime_ns == written


def test_splits_add_to_each_other_s_answers(tmp_path):
    config = MAKERS["ucf101"](tmp_path, bad="skip")
    check_data(config)
    assert len(json.loads((tmp_path / FILE).read_text())["films"]) == 6


@pytest.mark.parametrize("content", ["", "{}", '{"av": "0.1", "films": {}}', "[1]"])
def test_a_damaged_or_old_list_of_answers_is_made_anew(tmp_path, content):
    config = MAKERS["ucf101"](tmp_path, bad="skip")
    (tmp_path / FILE).write_text(content)
    assert len(open_clips(config, "train")) == 3
    assert len(json.loads((tmp_path / FILE).read_text())["films"]) == 3


def test_answers_of_other_rules_of_what_a_frame_is_are_not_used(tmp_path):
    config = MAKERS["ucf101"](tmp_path, bad="skip")
    assert len(open_clips(config, "train")) == 3
    kept = json.loads((tmp_path / FILE).read_text())
    kept.pop("rules", None)  # as an earlier version wrote them
    kept["films"] = {name: [*state[:2], "is bad"] for name, state in kept["films"].items()}
    (tmp_path / FILE).write_text(json.dumps(kept))
    assert len(open_clips(config, "train")) == 3


def test_where_answers_cannot_be_kept_they_are_found_each_time(tmp_path):
    config = MAKERS["ucf101"](tmp_path, bad="skip")
    (tmp_path / FILE).mkdir()  # nothing can be written in its place
    spoil(config, truncate)
    for _ in range(2):
        assert len(open_clips(config, "train")) == 2
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_when_no_video_is_left_the_split_is_an_error(tmp_path):
    config = MAKERS["hmdb51"](tmp_path, bad="skip")
    for item in open_clips(config, "train").items:
        SPOILS["of no bytes"](item.path)
    with pytest.raises(ConfigError, match="none of its 3 videos can be used; train split: 3 of 3"):
        open_clips(config, "train")


def test_video_lists_have_the_same_policy(tmp_path):
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        encode(tmp_path / name, range(0, 80, 10))
    truncate(tmp_path / "b.mp4")
    (tmp_path / "train.txt").write_text(
        "a.mp4 0\nb.mp4 1\nmissing.mp4 1\nc.mp4 2 6 1\nc.mp4 2 9 1\n"
    )
    config = VideoListConfig(root=str(tmp_path), num_classes=2, frames=4, size=32, bad="skip")
    clips = open_clips(config, "train")
    assert [item.path.name for item in clips.items] == ["a.mp4", "c.mp4"]
    assert levels_of(clips.load_views(1)) == [[2, 3, 4, 5]]
    assert clips.notes[0] == "train split: 1 of 5 videos are missing and left out"
    assert clips.notes[1].startswith("train split: 2 of 4 videos cannot be decoded")
    before = config.digests()
    (tmp_path / "missing.mp4").write_bytes((tmp_path / "a.mp4").read_bytes())
    assert config.digests() != before


def test_lines_of_a_list_do_not_take_their_part_of_half_a_film(tmp_path):
    write_film(tmp_path / "a.mkv", [grey(50)] * 100, options={"g": "10"})
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "b.mkv").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "train.txt").write_text("a.mkv 0 8 1\nb.mkv 0 8 1\n")
    config = VideoListConfig(root=str(tmp_path), num_classes=2, frames=4, size=32)
    with pytest.raises(ConfigError, match=r"train\.txt:2: .*b\.mkv\" is truncated"):
        open_clips(config, "train").load_views(1)
    clips = open_clips(config.model_copy(update={"bad": "skip"}), "train")
    assert [item.path.name for item in clips.items] == ["a.mkv"]


def test_images_whose_size_changes_on_the_way_are_a_bad_video(tmp_path):
    config = MAKERS["jester"](tmp_path)
    Image.new("RGB", (30, 90)).save(open_clips(config, "train").items[0].path / "00009.jpg")
    with pytest.raises(ConfigError, match="changes its frame size on the way"):
        open_clips(config, "train").load_views(0)
    clips = open_clips(config.model_copy(update={"bad": "skip"}), "train")
    assert clips.labels.tolist() == [1, 2]


@contextmanager
def without_privileges():
    """As a user who may not read what its owner keeps; root may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if user == 0:
            os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that every user can enter, which pytest's are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["ucf101", "jester"])
def test_a_video_that_may_not_be_read_is_bad_until_it_may(open_folder, name):
    config = MAKERS[name](open_folder)
    item = open_clips(config, "train").items[1]
    path = sorted(item.path.iterdir())[0] if item.path.is_dir() else item.path
    path.chmod(0)
    with without_privileges():
        with pytest.raises(ConfigError, match="Permission denied") as caught:
            open_clips(config, "train").load_views(1)
        assert item.where in str(caught.value)
        skip = config.model_copy(update={"bad": "skip"})
        clips = open_clips(skip, "train")
        assert len(clips) == 2
        assert "Permission denied" in clips.notes[0]
    path.chmod(0o644)
    assert len(open_clips(skip, "train")) == 3


@pytest.mark.parametrize("sides", [(2, 2), (7, 33), (101, 5), (47, 65)])
def test_odd_and_tiny_sizes_are_read_as_they_are(tmp_path, sides):
    encode(tmp_path / "odd.avi", range(0, 60, 10), "ffv1", sides=sides)
    (tmp_path / "train.txt").write_text("odd.avi 0\n")
    config = VideoListConfig(root=str(tmp_path), num_classes=2, frames=6, size=16)
    clips = open_clips(config, "train")
    assert clips.load_views(0).shape == (1, 6, 3, 16, 16)
    assert levels_of(clips.load_views(0)) == [[0, 1, 2, 3, 4, 5]]
    frame = clips.open_film(clips.items[0]).decode(np.array([0]))
    assert frame.shape == (1, *sides, 3)


NAMES = ["a b.mp4", 'it\'s "one".mp4', "-x.mp4", "100%d.mp4", "pipe:.mp4", "file:a.mp4", "é 7.mp4"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_any_name_that_a_line_can_hold_is_that_file(tmp_path, monkeypatch, name, ending):
    encode(tmp_path / "plain.mp4", [50] * 6)
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    (tmp_path / "train.txt").write_bytes(f"\ufeff{name} 1{ending}".encode())
    monkeypatch.chdir(tmp_path)
    for root in (".", str(tmp_path)):  # a relative name must not be taken for a protocol
        config = VideoListConfig(root=root, num_classes=2, frames=4, size=32)
        clips = open_clips(config, "train")
        assert clips.labels.tolist() == [1]
        assert levels_of(clips.load_views(0)) == [[5, 5, 5, 5]]


def test_a_csv_holds_names_with_line_ends_and_quotes(tmp_path):
    config = MAKERS["kinetics"](tmp_path)
    path = tmp_path / config.train
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    strange, first = 'to "say"\nso, twice', rows[1][0]
    rows[1][0] = strange
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, lineterminator="\r\n").writerows(rows)
    clips = open_clips(config, "train")
    assert first not in clips.classes
    assert clips.classes[clips.labels[0]] == strange


def test_a_title_that_is_no_utf8_does_no_harm(tmp_path):
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        container.metadata["title"] = "a title of mine"
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 50, np.uint8), format="rgb24")
        for _ in range(6):
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    whole = (tmp_path / "a.avi").read_bytes()
    assert b"title of" in whole
    (tmp_path / "a.avi").write_bytes(whole.replace(b"title of", b"t\xefte\xe9 \xc2f"))
    with pytest.raises(UnicodeDecodeError):  # as PyAV has it
        av.open(str(tmp_path / "a.avi"))
    (tmp_path / "train.txt").write_text("a.avi 0\n")
    config = VideoListConfig(root=str(tmp_path), num_classes=2, frames=4, size=32)
    assert levels_of(open_clips(config, "train").load_views(0)) == [[5, 5, 5, 5]]
