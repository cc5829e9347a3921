import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from dataset_files import make_jester, make_something
from film_files import encode, levels_of, plain_frames
from PIL import Image

from study.plan.identity import file_digests, train_identity
from vlf.config import ConfigError, PackedConfig, RunConfig, VideoListConfig
from vlf.config.folder import pack_path
from vlf.data import open_clips
from vlf.data.datasets import packed
from vlf.data.datasets.packed import Packing, read_index, read_pack
from vlf.data.pack import check, main, pack
from vlf.data.preparation.pack_source import Source, find_source
from vlf.data.preparation.write_video import write_video
from vlf.data.readers.container import VideoError
from vlf.data.seeds import rng

NAMES = ("a.mp4", "some clips/b 'x' 1 2.mp4")


def picture(level, shape=(48, 64)):
    """A smooth frame whose middle tells `level`."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    frame = np.stack([rows + level, columns + level, np.full(shape, 8 * level)], axis=2)
    return frame.astype(np.uint8)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two videos of 20 frames, lists and a study that names them."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "some clips").mkdir()
    for name in NAMES:
        write_video(folder / name, map(picture, range(20)), chroma=False)
    (folder / "train.txt").write_text(f"{NAMES[0]} 0\n{NAMES[1]} 1\n{NAMES[1]} 4 12 2\n")
    (folder / "test.txt").write_text(f"{NAMES[0]} 8 16 1\n")
    (folder / "names.txt").write_text("hold\nlet go\nwave\n")
    data = f"{{name: video_list, root: {folder}, val: '', num_classes: 3, class_names: names.txt}}"
    (folder / "study.yaml").write_text(f"question: Which?\nbase:\n  data: {data}\n")
    return folder


@pytest.fixture(scope="module")
def folder(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed")
    assert main([str(videos / "study.yaml"), "--size", "37", "--out", str(out)]) == 0
    return out


def config(root, kind=PackedConfig, **changes):
    names = "classes.txt" if kind is PackedConfig else "names.txt"
    values = {"root": str(root), "val": "", "num_classes": 3, "class_names": names}
    return kind(**{**values, "frames": 4, "size": 32, **changes})


def test_a_packed_split_gives_the_clips_that_the_videos_give(videos, folder):
    ours = open_clips(config(folder, views=3), "train")
    theirs = open_clips(config(videos, VideoListConfig, views=3), "train")

    assert ours.classes == theirs.classes == ("hold", "let go", "wave")
    assert torch.equal(ours.labels, theirs.labels)
    for index in range(3):
        for one, other in [
            (ours.load(index, rng(index)), theirs.load(index, rng(index))),
            (ours.load_views(index), theirs.load_views(index)),
        ]:
            assert one.shape == other.shape
            assert one.dtype == torch.uint8
            # The blue of frame i is 8 * i: half a frame off would be 4 levels.
            assert (one.float() - other.float()).abs().mean() < 1.5


def test_frame_i_is_the_frame_of_the_same_number_that_the_decoder_gives(videos, folder):
    packing, entries = read_index(folder / "index.jsonl")
    assert packing == Packing(37)
    assert sorted(entries) == sorted(NAMES)
    wanted = np.array([19, 0, 7, 7, 13])
    for name, entry in entries.items():
        frames = read_pack(pack_path(folder, name), entry, wanted)
        exact = plain_frames(videos / name)[wanted]
        assert frames.shape == (5, 37, 49, 3)
        blue = frames[..., 2].mean((1, 2))
        assert blue == pytest.approx(exact[..., 2].mean((1, 2)), abs=2)
        assert blue == pytest.approx(8 * wanted, abs=3)


def test_another_size_than_the_packed_one_is_made_of_it(folder):
    clip = open_clips(config(folder, size=24), "test").load_views(0)
    assert clip.shape == (1, 4, 3, 24, 24)
    assert (clip[0, :, 2].float().mean((1, 2)) / 8).round().tolist() == [9, 11, 13, 15]


def test_the_same_pixels_come_from_pillow_and_from_simplejpeg(folder, monkeypatch):
    pytest.importorskip("simplejpeg")
    _, entries = read_index(folder / "index.jsonl")
    path, entry = pack_path(folder, NAMES[0]), entries[NAMES[0]]
    fast = read_pack(path, entry, np.arange(20))
    monkeypatch.setattr(packed, "simplejpeg", None)
    assert np.array_equal(read_pack(path, entry, np.arange(20)), fast)


def test_a_packed_file_is_jpegs_that_others_can_read(folder):
    data = pack_path(folder, NAMES[0]).read_bytes()
    assert data[-8:] == b"vlfpack1"
    count = int.from_bytes(data[-16:-8], "little")
    offsets = np.frombuffer(data[-16 - 8 * (count + 1) : -16], "<u8").tolist()
    (folder / "one.jpg").write_bytes(data[offsets[5] : offsets[6]])
    with Image.open(folder / "one.jpg") as image:
        assert image.size == (49, 37)
        assert np.asarray(image)[..., 2].mean() == pytest.approx(40, abs=3)


def test_packing_again_makes_nothing_and_the_same_bytes_elsewhere(videos, folder, tmp_path, capsys):
    arguments = [str(videos / "study.yaml"), "--size", "37", "--out"]
    before = (folder / "index.jsonl").read_bytes()
    assert main([*arguments, str(folder), "--check"]) == 0
    assert "2 videos, 40 frames" in (said := capsys.readouterr().out)
    assert "0 packed now, 0 left out" in said
    assert main([*arguments, str(tmp_path), "--workers", "1"]) == 0
    assert (folder / "index.jsonl").read_bytes() == before
    assert (tmp_path / "index.jsonl").read_bytes() == before
    for name in NAMES:
        assert pack_path(tmp_path, name).read_bytes() == pack_path(folder, name).read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_what_another_list_names_is_added(videos, tmp_path):
    for name, count in (("test.txt", 1), ("train.txt", 2)):
        assert main([str(videos / name), "--size", "37", "--out", str(tmp_path)]) == 0
        assert len(read_index(tmp_path / "index.jsonl")[1]) == count
    clips = open_clips(config(tmp_path, class_names=""), "train")
    assert clips.labels.tolist() == [0, 1, 2]


def test_a_killed_run_goes_on_behind_what_it_has_packed(tmp_path):
    for number in range(12):
        write_video(tmp_path / f"{number}.mp4", map(picture, range(40)))
    (tmp_path / "train.txt").write_text("".join(f"{n}.mp4 0\n" for n in range(12)))
    out = tmp_path / "out"
    arguments = [str(tmp_path / "train.txt"), "--out", str(out), "--workers", "1", "--size", "200"]
    process = subprocess.Popen([sys.executable, "-m", "vlf.data.pack", *arguments])
    while not (out / "index.journal").exists() or len(_lines(out / "index.journal")) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "index.jsonl").exists()
    whole = len(_lines(out / "index.journal")) - 1
    with (out / "index.journal").open("a") as journal:
        journal.write('{"video": "tor')  # a line that was being written
    kept = pack_path(out, "0.mp4").stat().st_mtime_ns

    source = find_source(tmp_path / "train.txt", None)
    found = pack(source, out, Packing(200))

    assert 0 < found.made == 12 - whole
    assert pack_path(out, "0.mp4").stat().st_mtime_ns == kept
    assert check(out) == []
    assert not (out / "index.journal").exists()
    fresh = tmp_path / "fresh"
    pack(source, fresh, Packing(200))
    assert (out / "index.jsonl").read_bytes() == (fresh / "index.jsonl").read_bytes()


def _lines(path):
    return path.read_text().splitlines()


def test_a_video_that_has_changed_is_packed_again(videos, tmp_path):
    source = find_source(videos / "test.txt", None)
    pack(source, tmp_path, Packing(37))
    changed = tmp_path / "changed"
    changed.mkdir()
    write_video(changed / NAMES[0], map(picture, range(18)))
    (changed / "test.txt").write_text(f"{NAMES[0]} 1\n")
    found = pack(find_source(changed / "test.txt", None), tmp_path, Packing(37))
    assert found.made == 1
    assert found.entries[NAMES[0]].frames == 18


def test_broken_videos_are_told_and_left_out_only_when_asked(videos, tmp_path, capsys):
    root = tmp_path / "root"
    root.mkdir()
    (root / "good.mp4").write_bytes((videos / NAMES[0]).read_bytes())
    (root / "torn.mp4").write_bytes((videos / NAMES[0]).read_bytes()[:700])
    (root / "empty.mp4").write_bytes(b"")
    (root / "train.txt").write_text("good.mp4 0\ntorn.mp4 1\nempty.mp4 1\n")
    arguments = [str(root / "train.txt"), "--out", str(tmp_path / "out"), "--size", "32"]

    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert 'torn.mp4" cannot be decoded' in said
    assert 'empty.mp4" cannot be decoded' in said
    assert "2 of 3 videos are broken, so no list was written" in said
    assert not (tmp_path / "out" / "train.txt").exists()

    assert main([*arguments, "--skip-broken"]) == 1
    assert "1 videos, 20 frames" in (out := capsys.readouterr().out)
    assert "0 packed now, 2 left out" in out
    assert _lines(tmp_path / "out" / "train.txt") == ["good.mp4 0"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt"], "no such study or annotation list"),
        (["study.yaml", "--root", "no/where"], 'data.root: no such folder: "no/where"'),
        (["motion.yaml"], "base.data.name: motion has no video files to pack"),
        (["images.yaml"], "base.data.name: jester has no video files to pack"),
        (["typo.yaml"], "base.data.frams: Extra inputs are not permitted"),
        (["not.yaml"], "cannot be read as a study file"),
    ],
)
def test_what_cannot_be_packed_is_told_in_a_line(videos, tmp_path, capsys, arguments, message):
    (videos / "motion.yaml").write_text("base: {data: {name: motion}}\n")
    jester = make_jester(tmp_path / "jester").model_dump_json(exclude_defaults=True)
    (videos / "images.yaml").write_text(f"base: {{data: {{name: jester, {jester[1:]}}}\n")
    (videos / "typo.yaml").write_text("extends: study.yaml\nbase: {data: {frams: 3}}\n")
    (videos / "not.yaml").write_text("base: {data: [\n")
    assert main([str(videos / arguments[0]), *arguments[1:], "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_videos_of_a_dataset_that_samples_by_time_are_packed_by_time(tmp_path):
    data = make_something(tmp_path / "ssv2")
    uneven = [0, 10, 20, 30, 40, 50, 60, 1000]  # ms; the last frame stands for 100
    path = tmp_path / "ssv2" / data.videos / "78687.webm"
    encode(path, range(20, 180, 20), "libvpx", uneven)
    section = data.model_dump_json(exclude_defaults=True)
    (tmp_path / "study.yaml").write_text(f"base: {{data: {{name: something, {section[1:]}}}\n")
    out = tmp_path / "out"
    assert main([str(tmp_path / "study.yaml"), "--size", "37", "--out", str(out)]) == 0

    for split in ("train", "test"):
        ours, theirs = open_clips(config(out), split), open_clips(data, split)
        assert ours.classes == theirs.classes
        assert torch.equal(ours.labels, theirs.labels)
        for index in range(3):
            assert levels_of(ours.load_views(index)) == levels_of(theirs.load_views(index))
    shown = levels_of(open_clips(config(out), "train").load_views(0))
    assert shown == [[14, 14, 14, 16]]  # and not 4, 8, 12, 16, as frames are numbered


def test_a_file_that_is_missing_or_torn_is_left_out_and_counted_where_that_is_asked(
    videos, tmp_path
):
    pack(find_source(videos / "train.txt", None), tmp_path, Packing(37))
    values = {"class_names": "", "test": "train.txt", "bad": "skip"}
    whole = config(tmp_path, **values)
    assert len(open_clips(whole, "train")) == 3
    before = whole.digests()
    pack_path(tmp_path, NAMES[0]).unlink()
    clips = open_clips(whole, "train")
    assert clips.labels.tolist() == [1, 2]
    assert clips.notes == ("train split: 1 of 3 videos are missing and left out",)
    assert whole.digests() != before
    with pytest.raises(ConfigError, match=r'train.txt:1: no such video: ".*a.mp4.pack"'):
        open_clips(config(tmp_path, class_names=""), "train")


def test_a_folder_of_an_earlier_format_is_not_gone_on_with(videos, tmp_path, capsys):
    (tmp_path / "index.jsonl").write_text('{"size": 37, "quality": 90, "format": 1}\n')
    assert main([str(videos / "train.txt"), "--size", "37", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "packed by an earlier version" in told
    assert told.count("\n") == 1
    assert os.listdir(tmp_path) == ["index.jsonl"]


def test_a_folder_has_one_size(videos, folder, capsys):
    assert main([str(videos / "train.txt"), "--size", "64", "--out", str(folder)]) == 2
    assert "was packed with --size 37 --quality 90 --chroma half, now --size 64" in (
        capsys.readouterr().err
    )


def test_names_that_a_list_cannot_hold_are_refused(tmp_path, videos):
    bad = tmp_path / "line\nbreak.mp4"
    bad.write_bytes((videos / NAMES[0]).read_bytes())
    listed = find_source(videos / "test.txt", None).lists["test.txt"][0]
    moved = type(listed)(bad, 0, 0, None, "list:1")
    with pytest.raises(ValueError, match=r"list:1: .*cannot stand in a list"):
        pack(Source(tmp_path, {"test.txt": [moved]}), tmp_path / "out", Packing(32))
    with pytest.raises(ValueError, match="is not inside of"):
        pack(Source(tmp_path / "x", {"test.txt": [moved]}), tmp_path / "out", Packing(32))


def test_the_identity_covers_the_frames_by_their_digests(folder, videos, tmp_path):
    def identity(root):
        run = RunConfig(data=config(root))
        return train_identity(run, 0, "cpu", file_digests(run))

    arguments = [str(videos / "study.yaml"), "--size", "37", "--out"]
    main([*arguments, str(tmp_path / "same")])
    main([*arguments, str(tmp_path / "other"), "--quality", "80"])

    assert identity(tmp_path / "same") == identity(folder)
    assert identity(tmp_path / "other") != identity(folder)
    entry = read_index(folder / "index.jsonl")[1][NAMES[0]]
    data = pack_path(folder, NAMES[0]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.bytes, entry.sha256)


def test_files_that_are_not_what_the_index_says_are_told(folder, tmp_path):
    _, entries = read_index(folder / "index.jsonl")
    entry = entries[NAMES[0]]
    data = pack_path(folder, NAMES[0]).read_bytes()
    first = np.array([0])
    torn = tmp_path / "torn"
    with pytest.raises(VideoError, match=r'no such file: ".*torn"'):
        read_pack(torn, entry, first)
    torn.write_bytes(data[:-50])
    with pytest.raises(VideoError, match="bytes, its line in the index says"):
        read_pack(torn, entry, first)
    torn.write_bytes(bytes(len(data)))
    with pytest.raises(VideoError, match=r'torn" cannot be read: .*`--check`'):
        read_pack(torn, entry, first)
    with pytest.raises(VideoError, match="has 20 frames; frame 20 was asked for"):
        read_pack(torn, entry, np.array([20]))


def test_check_finds_a_changed_byte_and_a_missing_file(videos, tmp_path):
    pack(find_source(videos / "train.txt", None), tmp_path, Packing(37))
    assert check(tmp_path) == []
    first, second = (pack_path(tmp_path, name) for name in NAMES)
    data = bytearray(first.read_bytes())
    data[1000] ^= 1
    first.write_bytes(data)
    second.unlink()
    assert [line.split('"')[0] for line in check(tmp_path)] == ["", "no such file: "]


@pytest.mark.parametrize(
    ("break_it", "key", "message"),
    [
        (lambda root: (root / "index.jsonl").unlink(), "data.index", "no such index: .*data.pack"),
        (
            lambda root: (root / "index.jsonl").write_text('{"size": 37, "format": 9}\n'),
            "data.index",
            "index.jsonl:1: .*format 9 is not known",
        ),
        (
            lambda root: (root / "index.jsonl").write_text('{"size": 37, "format": 1}\n'),
            "data.index",
            "index.jsonl:1: was packed by an earlier version, .* pack again, into a new folder",
        ),
        (
            lambda root: (root / "index.jsonl").write_text('{"size": 37}\n{"video": 1\n'),
            "data.index",
            "index.jsonl:2: is no line of an index",
        ),
        (
            lambda root: (root / "train.txt").write_text("c.mp4 0\n"),
            "data.train",
            'train.txt:1: no such video: ".*c.mp4.pack"',
        ),
        (
            lambda root: (root / "train.txt").write_text("a.mp4 8 21 0\n"),
            "data.train",
            "train.txt:1: .*has 20 frames; frame 20 was asked for",
        ),
    ],
)
def test_a_folder_that_is_not_whole_is_told_when_it_is_opened(
    folder, tmp_path, break_it, key, message
):
    for name in ("train.txt", "classes.txt", "index.jsonl"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "videos").symlink_to(folder / "videos")
    break_it(tmp_path)
    with pytest.raises(ConfigError, match=message) as caught:
        open_clips(config(tmp_path), "train")
    assert caught.value.key == key


def test_an_index_is_a_line_a_video_sorted_by_name(folder):
    settings, *lines = map(json.loads, _lines(folder / "index.jsonl"))
    assert settings == {"size": 37, "quality": 90, "chroma": "half", "format": 2}
    assert [line["video"] for line in lines] == sorted(NAMES)
    assert {line["frames"] for line in lines} == {20}


def test_a_short_side_below_the_crop_is_refused():
    with pytest.raises(ValueError, match=r"short_side: must be at least data.size \(32\), got 31"):
        config("x", short_side=31)
