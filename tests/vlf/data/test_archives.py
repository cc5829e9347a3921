"""Datasets as download scripts leave them: archives that are not unpacked, replacements."""

import shutil

import pytest
from dataset_files import MAKERS, make_kinetics
from epic_files import make_epic_kitchens
from film_files import encode, levels_of

from vlf.config import ConfigError
from vlf.data import open_clips


def test_a_replacement_of_kinetics_is_read_in_place_of_the_broken_clip(tmp_path):
    config = make_kinetics(tmp_path)
    name = "--nQbRBEz2s_000104_000114.mp4"
    folder = tmp_path / "replacement" / "replacement_for_corrupted_k400"
    encode(folder / name, [200] * 8)
    (tmp_path / "train" / name).write_bytes(b"")
    clips = open_clips(config, "train")
    assert clips.items[1].path == folder / name
    assert levels_of(clips.load_views(1)) == [[20] * 4]
    assert "train split: clips that are read from the folder of replacements: 1" in clips.notes
    assert len(open_clips(config, "test").notes) == 1


def test_two_replacements_of_one_clip_are_refused(tmp_path):
    config = make_kinetics(tmp_path)
    name = "--nQbRBEz2s_000104_000114.mp4"
    for folder in ("replacement", "replacement/other"):
        encode(tmp_path / folder / name, [200] * 8)
    with pytest.raises(ConfigError, match=r"train\.csv:3: two files are clip --nQbRBEz2s_"):
        open_clips(config, "train")


def test_a_tar_of_epics_frames_is_named(tmp_path):
    config = make_epic_kitchens(tmp_path, "rgb_frames")
    folder = tmp_path / "P22" / "rgb_frames" / "P22_107"
    shutil.rmtree(folder)
    (tmp_path / "P22" / "rgb_frames" / "P22_107.tar").write_bytes(b"x")
    (tmp_path / "P22" / "rgb_frames" / "P22_108.tar").write_bytes(b"x")
    with pytest.raises(ConfigError) as told:
        open_clips(config, "train")
    hint = f'; not unpacked: "{folder}.tar" (what it holds belongs in "{folder}")'
    assert str(told.value).endswith(f':4: no such video: "{folder}"{hint}')


ARCHIVES = {
    "something": ("20bn-something-something-v2", "20bn-something-something-v2-00"),
    "jester": ("20bn-jester-v1", "20bn-jester-v1-00"),
    "ucf101": ("UCF-101", "UCF101.rar"),
    "hmdb51": ("hmdb51_org/brush_hair", "hmdb51_org/brush_hair.rar"),
    "kinetics": ("train", "train/part_0.tar.gz"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_are_not_unpacked_are_named(tmp_path, name):
    config = MAKERS[name](tmp_path)
    folder, archive = ARCHIVES[name]
    shutil.rmtree(tmp_path / folder)
    (tmp_path / archive).parent.mkdir(exist_ok=True)
    (tmp_path / archive).write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"no such|can be used") as told:
        open_clips(config, "train")
    assert f'; not unpacked: "{tmp_path / archive}"' in str(told.value)
    assert told.value.is_missing


def test_lists_that_are_in_an_archive_are_told(tmp_path):
    config = MAKERS["ucf101"](tmp_path)
    shutil.rmtree(tmp_path / config.splits)
    archive = tmp_path / "UCF101TrainTestSplits-RecognitionTask.zip"
    archive.write_bytes(b"x")
    with pytest.raises(ConfigError, match="no such file") as told:
        open_clips(config, "train")
    assert str(archive) in str(told.value)
