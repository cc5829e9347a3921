import numpy as np
import pytest
import torch

from vlf.config import ConfigError, VideoListConfig
from vlf.data import open_clips
from vlf.data.datasets.video_list import VideoList
from vlf.data.preparation.write_video import write_video
from vlf.data.seeds import rng


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two videos of 24 frames (one with spaces in its name), frame i grey of level 10 * i."""
    folder = tmp_path_factory.mktemp("list")
    (folder / "some clips").mkdir()
    for name in ("a.mp4", "some clips/b 1 2.mp4"):
        write_video(folder / name, (np.full((40, 60, 3), 10 * i, np.uint8) for i in range(24)))
    (folder / "train.txt").write_text(
        "# path label, or path start end label\n\n"
        "a.mp4 0\n"
        "some clips/b 1 2.mp4 1\n"
        "  some clips/b 1 2.mp4 4 12 2  \n"
    )
    (folder / "test.txt").write_text("a.mp4 8 16 1\n")
    (folder / "names.txt").write_text("hold\nlet go\nwave\n")
    return folder


def config(folder, **changes):
    return VideoListConfig(
        **{"root": str(folder), "val": "", "num_classes": 3, "frames": 4, "size": 32, **changes}
    )


def levels(clip):
    return (clip.float().mean((-3, -2, -1)) / 10).round().int().tolist()


def test_a_list_gives_labels_and_the_frames_that_its_lines_name(root):
    clips = open_clips(config(root), "train")
    assert clips.labels.tolist() == [0, 1, 2]
    assert clips.labels.dtype == torch.int64
    assert clips.classes == ("0", "1", "2")
    views = clips.load_views(0)
    assert views.shape == (1, 4, 3, 32, 32)
    assert views.dtype == torch.uint8
    assert levels(views) == [[3, 9, 15, 21]]  # the centres of 4 segments of 6 frames
    assert levels(clips.load_views(2)) == [[5, 7, 9, 11]]  # of 4 segments of 2, from frame 4


def test_training_draws_within_segments_and_repeats_for_the_same_generator(root):
    clips = open_clips(config(root), "train")
    drawn = [levels(clips.load(2, rng("clip", i))) for i in range(40)]
    assert {tuple(d) for d in drawn} <= {
        (a, b, c, d) for a in (4, 5) for b in (6, 7) for c in (8, 9) for d in (10, 11)
    }
    assert len({tuple(d) for d in drawn}) > 8
    assert torch.equal(clips.load(1, rng("x")), clips.load(1, rng("x")))


def test_the_numbers_are_the_same_with_the_cache_and_without_it(root):
    cached = VideoList(config(root, views=3), "train")
    bare = VideoList(config(root, views=3), "train", cache_bytes=0)
    for index in range(3):
        for _ in range(2):
            assert torch.equal(cached.load(index, rng(index)), bare.load(index, rng(index)))
            assert torch.equal(cached.load_views(index), bare.load_views(index))


def test_a_cached_video_is_not_read_again_and_the_cache_is_bounded(tmp_path, root):
    (tmp_path / "test.txt").write_text("0.mp4 0\n1.mp4 0\n")
    for name in ("0.mp4", "1.mp4"):
        (tmp_path / name).write_bytes((root / "a.mp4").read_bytes())
    side = 37  # of 40x60 frames: 37 x 56 pixels, 24 frames of 3 bytes
    room = 24 * 3 * side * 56 + 1000
    clips = VideoList(config(tmp_path), "test", cache_bytes=room)
    first, _ = clips.load_views(0), clips.load_views(1)
    for name in ("0.mp4", "1.mp4"):
        (tmp_path / name).unlink()
    assert torch.equal(clips.load_views(0), first)
    with pytest.raises(ConfigError, match=r'data.test: .*test.txt:2: no such video: ".*1.mp4"'):
        clips.load_views(1)


def test_views_are_shifted_clips_of_the_same_video(root):
    clips = open_clips(config(root, views=2, frames=3), "test")
    assert clips.views == 2
    assert levels(clips.load_views(0)) == [[8, 11, 14], [10, 12, 15]]


def test_limit_keeps_the_first_lines_and_names_come_from_their_file(root):
    clips = open_clips(config(root, limit=2, class_names="names.txt"), "train")
    assert len(clips) == 2
    assert clips.classes == ("hold", "let go", "wave")


def test_an_empty_val_has_no_clips(root):
    clips = open_clips(config(root), "val")
    assert len(clips) == 0
    assert clips.labels.shape == (0,)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.mp4", r"must be `path label` or `path start_frame end_frame label`, got \"a.mp4\""),
        ("a.mp4 one", r"must be `path label`.*got \"a.mp4 one\""),
        ("a.mp4 3", r"label must be 0 to 2 \(data.num_classes\), got 3"),
        ("a.mp4 -1", r"label must be 0 to 2 \(data.num_classes\), got -1"),
        ("a.mp4 9 9 0", r"frames must have 0 <= start < end, got 9 and 9"),
        ("a.mp4 -2 9 0", r"frames must have 0 <= start < end, got -2 and 9"),
        ("b.mp4 0", r'no such video: ".*b\.mp4"'),
        ("a.mp4 3 0", r'no such video: ".*a\.mp4 3"'),
    ],
)
def test_a_wrong_line_is_told_with_list_line_and_reason(root, line, message):
    (root / "wrong.txt").write_text(f"# one good line\na.mp4 0\n{line}\n")
    with pytest.raises(ConfigError, match=rf"data\.train: .*wrong\.txt:3: {message}") as caught:
        open_clips(config(root, train="wrong.txt"), "train")
    assert caught.value.key == "data.train"


def test_a_stretch_beyond_the_end_is_told_with_list_and_line(root):
    (root / "long.txt").write_text("a.mp4 0 40 1\n")
    with pytest.raises(ConfigError, match=r"data\.test: .*long\.txt:1: .*has 24 frames; frame"):
        open_clips(config(root, test="long.txt"), "test").load_views(0)


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"train": "none.txt"}, "data.train", 'no such annotation list: ".*none.txt"'),
        ({"train": ""}, "data.train", "must name an annotation list"),
        ({"train": "empty.txt"}, "data.train", "has no line that names a video"),
        ({"class_names": "none.txt"}, "data.class_names", 'no such file: ".*none.txt"'),
        ({"class_names": "names.txt", "num_classes": 4}, "data.class_names", "has 3 names, .* 4"),
        ({"root": "no/where"}, "data.root", r'no such folder: "no/where" .*vlf\.data\.footage'),
    ],
)
def test_missing_files_are_told_with_their_key(root, changes, key, message):
    (root / "empty.txt").write_text("# nothing yet\n")
    with pytest.raises(ConfigError, match=message) as caught:
        open_clips(config(root, **changes), "train")
    assert caught.value.key == key


def test_every_clip_is_cut_as_often_as_there_are_crops(root):
    plain = open_clips(config(root, views=2, short_side=36), "train")
    clips = open_clips(config(root, views=2, crops=3, short_side=36), "train")
    assert clips.views == 6
    views = clips.load_views(0)
    assert views.shape == (6, 4, 3, 32, 32)
    assert levels(views) == [frames for frames in levels(plain.load_views(0)) for _ in range(3)]
    assert torch.equal(views[1::3], plain.load_views(0))  # the middle one is the centre


def test_multi_scale_crops_are_the_same_with_the_cache_and_without_it(root):
    changes = {"crop": "multi_scale", "sampling": "dense", "stride": 2}
    cached, bare = (
        VideoList(config(root, **changes), "train", cache_bytes=room) for room in (2**29, 0)
    )
    for seed in range(8):
        clip = cached.load(0, rng(seed))
        assert clip.shape == (4, 3, 32, 32)
        first, *_, last = levels(clip)
        assert last - first == 6
        assert torch.equal(clip, bare.load(0, rng(seed)))
