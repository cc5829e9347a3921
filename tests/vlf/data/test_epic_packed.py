"""Segments of EPIC-KITCHENS-100 packed by the command, and read by the rows of the csv files."""

import numpy as np
import pytest
import torch
from epic_files import make_epic_kitchens
from film_files import encode, levels_of

from study.plan.identity import file_digests
from vlf.config import ConfigError, RunConfig
from vlf.data import open_clips
from vlf.data.datasets.packed import read_index
from vlf.data.pack import main
from vlf.data.preparation.split_check import check_data
from vlf.data.seeds import rng

NAMES = ["P01_01/0.0-0.8", "P01_01/0.8-1.6", "P22_107/1.6-2.4"]


def write_study(folder, config):
    data = config.model_dump_json(exclude_defaults=True)
    path = folder / "study.yaml"
    path.write_text(f"base: {{data: {{name: epic_kitchens, {data[1:]}}}\n")
    return path


def pack(folder, config, *options):
    """The exit code of the command; what it makes is where `source: packed` looks."""
    out = f"{config.root}/packed"
    return main([str(write_study(folder, config)), "--size", "37", "--out", out, *options])


def make(folder):
    """Films whose frames all differ: i is grey of level 8 i; one has a variable rate."""
    config = make_epic_kitchens(folder / "epic")
    shades, uneven = range(0, 240, 8), [70 * n + 60 * (n // 3) for n in range(30)]
    for ending in ("", "9"):
        encode(config.participant("P01") / f"P01_01{ending}.MP4", shades)
        (config.participant("P22") / f"P22_107{ending}.MP4").unlink()
        encode(config.participant("P22") / f"P22_107{ending}.mkv", shades, stamps=uneven)
    return config


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    config = make(folder)
    assert pack(folder, config, "--check") == 0
    return config


@pytest.fixture(scope="module")
def packed(videos):
    return videos.model_copy(update={"source": "packed"})


@pytest.mark.parametrize("split", ["train", "test"])
def test_packed_segments_have_the_frames_and_both_labels_of_the_videos(videos, packed, split):
    both = {"frames": 8, "views": 2, "short_side": 37}
    ours, theirs = (
        open_clips(config.model_copy(update=both), split) for config in (packed, videos)
    )
    assert ours.classes == theirs.classes
    assert ours.heads == theirs.heads == {"verb": 3, "noun": 3}
    assert ours.labels.tolist() == theirs.labels.tolist() == [[0, 4], [1, 3], [2, 5]]
    for index in range(3):
        for one, other in [
            (ours.load(index, rng(index)), theirs.load(index, rng(index))),
            (ours.load_views(index), theirs.load_views(index)),
        ]:
            assert one.shape == other.shape
            assert (one.float() - other.float()).abs().mean() < 1.5
            assert levels_of(one, 8) == levels_of(other, 8)
    assert len(set(levels_of(ours.load_views(1)[0], 8))) == 8  # frames that differ


def test_a_segment_is_a_file_named_by_its_video_and_moments(packed):
    _, entries = read_index(packed.pack_index())
    assert sorted(entries) == sorted([*NAMES, *(name.replace("/", "9/") for name in NAMES)])
    assert [entries[name].frames for name in NAMES[:2]] == [8, 8]
    assert all(packed.pack_of(name).is_file() for name in NAMES)
    assert not list(packed.pack_index().parent.glob("*.txt"))  # its lists are the csv files


def test_the_packed_frames_are_part_of_a_runs_identity(packed, tmp_path):
    before = file_digests(RunConfig(data=packed))
    assert before["data.packs/index.jsonl"]
    config = make(tmp_path)
    assert pack(tmp_path, config, "--quality", "80") == 0
    after = file_digests(RunConfig(data=config.model_copy(update={"source": "packed"})))
    assert {name for name in before if before[name] != after[name]} == {"data.packs/index.jsonl"}


def test_what_is_not_packed_is_an_error_or_counted(tmp_path, capsys):
    config = make(tmp_path)
    packed = config.model_copy(update={"source": "packed"})
    with pytest.raises(ConfigError, match=r'no such index: .*index\.jsonl" \(packed folders are'):
        check_data(packed)
    (config.participant("P22") / "P22_107.mkv").write_bytes(np.random.default_rng(0).bytes(4000))
    assert pack(tmp_path, config) == 1
    assert "1 of 6 videos are broken" in capsys.readouterr().err
    assert not packed.pack_index().exists()
    assert pack(tmp_path, config, "--skip-broken") == 1
    with pytest.raises(
        ConfigError, match=r'train\.csv:4: no such video: ".*P22_107/1\.6-2\.4\.pac'
    ):
        check_data(packed)
    lenient = packed.model_copy(update={"bad": "skip"})
    before = lenient.digests()
    assert check_data(lenient).notes[0] == "train split: 1 of 3 segments are missing and left out"
    assert open_clips(lenient, "train").labels.tolist() == [[0, 4], [1, 3]]
    lenient.pack_of(NAMES[0]).unlink()
    assert open_clips(lenient, "train").labels.tolist() == [[1, 3]]
    assert lenient.digests() != before


@pytest.mark.parametrize("source", ["rgb_frames", "packed"])
def test_what_is_no_video_is_not_packed_and_a_line_says_so(videos, tmp_path, capsys, source):
    config = videos.model_copy(update={"source": source})
    if source == "rgb_frames":
        config = make_epic_kitchens(tmp_path / "images", source)
    before = sorted(tmp_path.rglob("*"))
    study = write_study(tmp_path, config)
    assert main([str(study), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.endswith(f"base.data.source: {source} has no videos to pack\n")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, study])


def test_rows_of_one_segment_share_its_frames(tmp_path):
    config = make(tmp_path)
    path = config.files()[2]
    lines = path.read_bytes().splitlines(keepends=True)
    again = lines[1].replace(b"take,0,board:chopping,1", b"put,1,salt,2")
    assert again != lines[1]
    path.write_bytes(b"".join([*lines, again]))
    assert pack(tmp_path, config) == 0
    clips = open_clips(config.model_copy(update={"source": "packed"}), "train")
    assert clips.labels[[0, 3]].tolist() == [[0, 4], [1, 5]]
    assert torch.equal(clips.load_views(0), clips.load_views(3))
    assert clips.notes[0] == "train split: 1 lines name what an earlier line names"
    assert clips.notes[1].startswith(
        "train split: 1 of these lines give it another label; the first"
    )
