"""Spaces, quotes and line ends in names: read as they are, or told; never another video."""

import csv

import pytest
from dataset_files import MAKERS, make_frames, make_jester, make_kinetics, make_something
from epic_files import make_epic_kitchens
from film_files import levels_of

from vlf.config import ConfigError, VideoListConfig
from vlf.data import open_clips
from vlf.data.preparation.split_check import check_data

ODD = "a  'b' \"c\" #d\nå;e, f"
EVERY = {**MAKERS, "epic_kitchens": make_epic_kitchens}


@pytest.mark.parametrize("name", EVERY)
def test_a_root_of_any_name_is_read(tmp_path, name):
    plain, odd = EVERY[name](tmp_path / "plain"), EVERY[name](tmp_path / ODD)
    for split in ("train", "test"):
        one, other = open_clips(plain, split), open_clips(odd, split)
        assert other.labels.tolist() == one.labels.tolist()
        assert levels_of(other.load_views(0)) == levels_of(one.load_views(0))


@pytest.mark.parametrize("name", ['it\'s "one"', "#1  two", "a;b, c"])
def test_videos_of_odd_names_are_found_where_a_list_can_hold_them(tmp_path, name):
    made = make_frames(tmp_path / "frames")
    (tmp_path / "frames" / "jpg" / "run").rename(tmp_path / "frames" / "jpg" / name)
    for file in ("train.txt", "test.txt"):
        path = tmp_path / "frames" / file
        path.write_text(path.read_text().replace("jpg/run/", f"jpg/{name}/"))
    assert check_data(made).notes == ()
    source = make_something(tmp_path / "something")
    videos = tmp_path / "something" / source.videos
    (videos / "3.webm").rename(videos / f"{name}.webm")
    path = tmp_path / "something" / source.train
    path.write_text(path.read_text().replace('"id": "3"', f'"id": {_json(name)}'))
    clips = open_clips(source, "train")
    assert clips.items[2].path.name == f"{name}.webm"
    assert levels_of(clips.load_views(2)) == [[2] * 4]


def _json(text):
    return '"' + text.replace('"', '\\"') + '"'


def test_a_line_end_inside_of_a_quoted_label_is_part_of_it(tmp_path):
    config = make_kinetics(tmp_path)
    for split in ("train", "val"):
        path = tmp_path / "annotations" / f"{split}.csv"
        rows = list(csv.reader(path.read_text().splitlines()))
        rows[1][0] = 'testi\n"fying"'
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    clips = open_clips(config, "train")
    assert clips.classes[2] == 'testi\n"fying"'
    assert clips.labels.tolist() == [2, 0, 1]
    assert clips.items[1].where.endswith("train.csv:4")  # lines as an editor counts them


@pytest.mark.parametrize("name", [name for name in EVERY if name != "kinetics"])
def test_a_row_that_is_there_twice_is_counted_once_more_and_told(tmp_path, name):
    config = EVERY[name](tmp_path)
    if name == "something":
        path = tmp_path / config.train
        text = path.read_text()
        path.write_text(text[:-1] + "," + text[1:].splitlines()[0].rstrip(",") + "]")
    else:
        files = {"ucf101": "trainlist01.txt", "hmdb51": "brush_hair_test_split1.txt"}
        folder = {"ucf101": "ucfTrainTestlist", "hmdb51": "testTrainMulti_7030_splits"}.get(name)
        path = tmp_path / folder / files[name] if folder else tmp_path / config.train
        lines = path.read_bytes().splitlines(keepends=True)
        again = {"epic_kitchens": 1, "frames": 2}.get(name, 0)  # behind header and remarks
        path.write_bytes(b"".join([*lines, lines[again]]))
    clips = open_clips(config, "train")
    assert len(clips) == 4
    assert clips.notes == ("train split: 1 lines name what an earlier line names",)


def test_a_missing_id_with_spaces_and_quotes_is_one_line(tmp_path):
    config = make_jester(tmp_path)
    path = tmp_path / config.train
    path.write_text("no such 'id';Swiping Left\n")
    with pytest.raises(ConfigError, match=r"train\.csv:1: no such video: .*no such 'id'") as told:
        check_data(config)
    assert "\n" not in str(told.value)


def test_a_list_of_videos_takes_names_that_end_in_numbers_and_quotes(tmp_path):
    (tmp_path / 'it\'s "1" 2 3.mp4').write_bytes(b"")
    (tmp_path / "train.txt").write_text('it\'s "1" 2 3.mp4 0\n')
    config = VideoListConfig(root=str(tmp_path), num_classes=2, frames=4, size=32)
    (item,) = open_clips(config, "train").items
    assert (item.path.name, item.end, item.label) == ('it\'s "1" 2 3.mp4', None, 0)
