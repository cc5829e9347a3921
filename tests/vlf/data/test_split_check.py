"""Clips that two splits share, classes that training lacks, and segments beyond a film's end."""

import os
import shutil

import pytest
from dataset_files import make_frames, make_kinetics, make_packed
from epic_files import make_epic_kitchens
from film_files import encode

from vlf.config import ConfigError, VideoListConfig
from vlf.data import open_clips
from vlf.data.pack import main as pack
from vlf.data.preparation.same_films import film_keys
from vlf.data.preparation.split_check import check_data, check_films

SHAPE = {"num_classes": 2, "frames": 2, "size": 32}


@pytest.fixture
def root(tmp_path):
    """Five films of 12 frames, all different."""
    for number, name in enumerate("abcde"):
        encode(tmp_path / f"{name}.mp4", [20 * number + 10 + i for i in range(12)])
    return tmp_path


def listed(root, train, test, val="", **changes):
    for name, lines in (("train", train), ("val", val), ("test", test)):
        (root / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    values = {**SHAPE, "val": "val.txt" if val else "", **changes}
    return VideoListConfig(root=str(root), **values)


def notes(config, select="last"):
    """Notes without the folder of the lists."""
    return [note.replace(f"{config.root}/", "") for note in check_data(config, select).notes]


def test_a_film_of_two_splits_is_told_with_both_lines(root):
    config = listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 0", "b.mp4 1"])
    assert notes(config) == [
        "test split: 1 of 2 clips are in the train split, too; "
        "the first is test.txt:2 (train.txt:2)"
    ]
    apart = listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 0", "d.mp4 1"])
    assert notes(apart) == []


def test_a_film_that_has_another_label_in_the_test_is_told(root):
    (note,) = notes(listed(root, ["a.mp4 0", "b.mp4 1"], ["a.mp4 0", "b.mp4 0"]))
    assert "2 of 2 clips are in the train split, too, 1 of them with another label" in note


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ("b.mp4 0 4 1", "1 of 2 clips are other parts of films of the train split"),
        ("b.mp4 8 12 1", "1 of 2 clips are other parts of films of the train split"),
        ("b.mp4 7 12 1", "1 of 2 clips are in the train split, too"),
        ("b.mp4 0 5 1", "1 of 2 clips are in the train split, too"),
        ("b.mp4 5 6 1", "1 of 2 clips are in the train split, too"),
        ("b.mp4 1", "1 of 2 clips are in the train split, too"),
    ],
)
def test_segments_are_shared_where_they_overlap(root, segment, told):
    train = ["a.mp4 0", "b.mp4 10 11 1", "b.mp4 4 8 1"]
    if segment == "b.mp4 8 12 1":
        train.remove("b.mp4 10 11 1")
    (note,) = notes(listed(root, train, ["c.mp4 0", segment]))
    assert note.startswith(f"test split: {told}")


@pytest.mark.parametrize("way", ["symlink", "hard link", "other spelling", "copy", "linked folder"])
def test_a_film_of_another_name_is_the_same_film(root, way):
    name = {"other spelling": "./sub/../b.mp4", "linked folder": "link/b.mp4"}.get(way, "new.mp4")
    (root / "sub").mkdir()
    if way == "symlink":
        (root / name).symlink_to(root / "b.mp4")
    elif way == "hard link":
        os.link(root / "b.mp4", root / name)
    elif way == "copy":
        shutil.copy(root / "b.mp4", root / name)
    elif way == "linked folder":
        (root / "link").symlink_to(root)
    config = listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 0", f"{name} 1"])
    (note,) = notes(config)
    assert note.startswith("test split: 1 of 2 clips are in the train split, too")


def test_films_of_one_size_are_compared_by_content(tmp_path):
    for name, text in (("a", "same"), ("b", "else"), ("c", "same"), ("d", "")):
        (tmp_path / name).write_text(text)
    paths = {name: str(tmp_path / name) for name in "abcd"}
    keys, skipped = film_keys(paths.values(), [{paths["a"], paths["b"]}, {paths["c"], paths["d"]}])
    assert keys[paths["a"]] == keys[paths["c"]]
    assert len(set(keys.values())) == 3
    assert skipped == 0


def test_what_was_not_compared_for_lack_of_time_is_counted(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text("same")
    paths = [str(tmp_path / "a"), str(tmp_path / "x" / ".." / "a"), str(tmp_path / "b")]
    keys, skipped = film_keys(paths, [{paths[0]}, {*paths[1:]}], seconds=-1)
    assert skipped == 3  # two names of one file
    assert keys[paths[0]] == keys[paths[1]] != keys[paths[2]]


def test_validation_that_is_the_test_is_told_and_what_chooses_on_it(root):
    config = listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 0", "d.mp4 1"], ["d.mp4 1", "c.mp4 0"])
    said = "test split: 2 of 2 clips are in the val split, too"
    at = "the first is test.txt:1 (val.txt:2)"
    why = "choosing on validation, as tune does, is choosing on the test"
    assert notes(config) == [f"{said}: {why}; {at}"]
    assert notes(config, "best") == [
        f"{said}: train.select: best chooses the epoch on the test; {at}"
    ]


def test_one_csv_for_validation_and_test_of_kinetics_is_told(tmp_path):
    config = make_kinetics(tmp_path, val="annotations/val.csv")
    said = "test split: 3 of 3 clips are in the val split, too: train.select: best chooses the"
    assert any(note.startswith(said) for note in notes(config, "best"))


def test_folders_and_packed_films_of_two_splits_are_told(tmp_path):
    for name, make in (("frames", make_frames), ("packed", make_packed)):
        config = make(tmp_path / name)
        config = config.model_copy(update={"test": config.train})
        assert [note.partition(";")[0] for note in notes(config)] == [
            "test split: 3 of 3 clips are in the train split, too"
        ]


def test_segments_of_epic_overlap_in_seconds(tmp_path):
    config = make_epic_kitchens(tmp_path)
    test = tmp_path / config.test
    rows = (tmp_path / config.train).read_text().splitlines()
    test.write_text("\n".join([rows[0], rows[1].replace("00:00:00.80", "00:00:00.90")]))
    (note,) = notes(config)
    assert note.startswith("test split: 1 of 1 clips are in the train split, too")
    between = rows[1].replace("00:00:00.00", "00:00:02.40").replace("00:00:00.80", "00:00:02.90")
    test.write_text("\n".join([rows[0], between]))
    assert notes(config) == ["test split: 1 of 1 clips are other parts of films of the train split"]


def test_packed_segments_of_one_video_overlap_in_seconds(tmp_path):
    config = make_epic_kitchens(tmp_path)
    rows = (tmp_path / config.train).read_text().splitlines()
    moved = rows[1].replace("00:00:00.80", "00:00:00.90")
    (tmp_path / config.test).write_text("\n".join([rows[0], moved]))
    study = tmp_path / "study.yaml"
    data = f"{{name: epic_kitchens, root: {tmp_path}, num_verbs: 3, num_nouns: 3, size: 32}}"
    study.write_text(f"question: q\nbase:\n  data: {data}\n")
    assert pack([str(study), "--out", str(tmp_path / "packed"), "--size", "32"]) == 0
    (note,) = notes(config.model_copy(update={"source": "packed"}))
    assert note.startswith("test split: 1 of 1 clips are in the train split, too")


@pytest.mark.parametrize(
    ("train", "test", "changes", "told"),
    [
        (
            ["a.mp4 0", "b.mp4 2"],
            ["c.mp4 1", "d.mp4 0", "e.mp4 1"],
            {"num_classes": 4},
            [
                "train split: 2 of 4 classes have no clip: 1, 3",
                "test split: 2 of 3 clips are of classes that training has no clip of: 1",
            ],
        ),
        (
            ["a.mp4 0", "b.mp4 0", "c.mp4 1"],
            ["d.mp4 0", "e.mp4 1"],
            {"limit": 2},
            [
                "train split: 1 of 2 classes have no clip (data.limit takes the first 2 clips): 1",
                "test split: 1 of 2 clips are of classes that training has no clip of: 1",
            ],
        ),
    ],
    ids=["of the list", "of its first lines"],
)
def test_classes_of_the_test_that_training_never_has_are_told(root, train, test, changes, told):
    assert notes(listed(root, train, test, **changes)) == told


def test_select_best_without_validation_is_told(root):
    (note,) = notes(listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 0"]), "best")

    assert note == (
        "train.select: best: there is no validation clip to choose the epoch on, so the last epoch "
        "is reported"
    )


def test_verbs_and_nouns_without_training_are_told_each(tmp_path):
    config = make_epic_kitchens(tmp_path)
    train = tmp_path / config.train
    train.write_text("\n".join(train.read_text().splitlines()[:3]))
    assert notes(config) == [
        "train split: 1 of 3 verbs have no clip: let-go",
        "test split: 1 of 3 clips are of verbs that training has no clip of: let-go",
        "train split: 1 of 3 nouns have no clip: salt",
        "test split: 1 of 3 clips are of nouns that training has no clip of: salt",
    ]


def told(config):
    with pytest.raises(ConfigError) as caught:
        check_data(config, seconds=60)
    return str(caught.value).replace(f"{config.root}/", "")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_segment_beyond_the_end_is_told_before_anything_runs(root, split):
    lines = {"train": ["a.mp4 0", "b.mp4 1"], "val": ["c.mp4 0"], "test": ["d.mp4 1"]}
    good = {**lines, split: [*lines[split], "e.mp4 2 12 0"]}
    assert check_data(listed(root, **good), seconds=60).notes == ()
    lines[split] += ["e.mp4 2 13 0"]
    line = len(lines[split])
    assert told(listed(root, **lines)) == (
        f'data.{split}: {split}.txt:{line}: "e.mp4" has 12 frames; frame 12 was asked for'
    )


def test_a_test_film_that_cannot_be_opened_is_told_before_anything_runs(root):
    config = listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 1", "d.mp4 1"])
    (root / "d.mp4").write_text("<html>not found</html>")
    assert told(config).startswith('data.test: test.txt:2: "d.mp4" cannot be decoded')


def test_an_image_that_is_missing_in_the_middle_is_told(tmp_path):
    config = make_frames(tmp_path)
    (tmp_path / "jpg" / "wave" / "0001" / "img_00004.jpg").unlink()
    assert told(config) == 'data.test: test.txt:3: no such image: "jpg/wave/0001/img_00004.jpg"'


def test_a_torn_pack_is_told(tmp_path):
    config = make_packed(tmp_path)
    path = open_clips(config, "test").items[1].path
    path.write_bytes(path.read_bytes()[:-9])
    assert "data.test: test.txt:2: " in told(config)


def test_a_segment_of_epic_beyond_the_end_of_its_video_is_told(tmp_path):
    config = make_epic_kitchens(tmp_path)
    path = tmp_path / config.test
    path.write_text(path.read_text().replace("00:00:02.40", "00:00:09.40"))
    assert told(config).startswith(f"data.test: {config.test}:4: ")


def test_what_there_was_no_time_to_look_at_is_told(root):
    config = listed(root, ["a.mp4 0", "b.mp4 1"], ["c.mp4 1", "d.mp4 1", "e.mp4 1"])
    opened = {split: open_clips(config, split) for split in ("train", "val", "test")}
    assert check_films(opened, -1.0) == (
        "test split: the length of 1 of 3 films was looked at; "
        "`python -m vlf.data.check` opens all",
    )
