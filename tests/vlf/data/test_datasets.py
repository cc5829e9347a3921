"""Every dataset, read from the files of its publisher."""

import json

import pytest
import torch
from dataset_files import HMDB51, JESTER, LENGTH, MAKERS, UCF101, make_something
from film_files import levels_of, save_images

from study.plan.identity import file_digests, train_identity
from vlf.config import ConfigError, FramesConfig, KineticsConfig, RunConfig
from vlf.data import DATASETS, open_clips
from vlf.data.prefetch import load_ahead
from vlf.data.preparation.split_check import check_data
from vlf.data.seeds import rng

CLASSES = {
    "packed": ("run", "sit down", "wave"),
    "frames": ("run", "sit down", "wave"),
    "something": (
        "Closing something",
        "Holding something next to something",
        "Pretending to put something on a surface",
    ),
    "jester": tuple(JESTER),
    "kinetics": ("air drumming", 'putting "things", away', "testifying"),
    "ucf101": tuple(UCF101),
    "hmdb51": tuple(HMDB51),
}
LABELS = {  # in the order of the files
    "packed": [0, 1, 2],
    "frames": [0, 1, 2],
    "something": [1, 2, 0],
    "jester": [0, 1, 2],
    "kinetics": [2, 0, 1],
    "ucf101": [0, 1, 2],
    "hmdb51": [0, 1, 2],
}


@pytest.fixture(scope="module", params=MAKERS)
def made(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    return request.param, MAKERS[request.param](root)


def replace(path, old, new):
    text = path.read_bytes()
    assert old.encode() in text
    path.write_bytes(text.replace(old.encode(), new.encode(), 1))


def test_every_dataset_of_files_is_here():
    elsewhere = {"motion", "video_list", "epic_kitchens"}  # each has tests of its own
    assert set(MAKERS) == set(DATASETS) - elsewhere


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_video_comes_with_the_label_of_its_files_and_class_names(made, split):
    name, config = made
    clips = open_clips(config, split)
    assert clips.classes == CLASSES[name]
    assert clips.labels.tolist() == LABELS[name]
    assert clips.labels.dtype == torch.int64
    for index, label in enumerate(LABELS[name]):
        expected = [4 * label + 2] * config.frames
        assert levels_of(clips.load_views(index)) == [expected]
        clip = clips.load(index, rng(name, index))
        assert clip.shape == (4, 3, 32, 32)
        assert clip.dtype == torch.uint8
        assert levels_of(clip) == expected


def test_without_a_validation_file_there_are_no_validation_clips(made):
    clips = open_clips(made[1], "val")
    assert len(clips) == 0
    assert clips.labels.shape == (0,)


def test_test_views_are_averaged_over_as_many_clips_as_are_asked_for(made):
    views = open_clips(made[1].model_copy(update={"views": 3}), "test").load_views(1)
    assert views.shape == (3, 4, 3, 32, 32)


VARIED = {"sampling": "dense", "stride": 2, "views": 2, "crops": 3, "crop": "multi_scale"}


def test_every_dataset_cuts_clips_as_it_is_asked_to(made):
    name, config = made
    clips = open_clips(config.model_copy(update={**VARIED, "short_side": 40}), "train")
    assert clips.views == 6
    assert clips.side == 40
    for index, label in enumerate(LABELS[name]):
        expected = [4 * label + 2] * config.frames
        assert levels_of(clips.load_views(index)) == [expected] * 6
        assert clips.load_views(index).shape == (6, 4, 3, 32, 32)
        assert levels_of(clips.load(index, rng(name, index))) == expected


def test_threads_that_share_a_dataset_get_the_clips_of_one(made):
    _, config = made
    alone, shared = (open_clips(config, "train") for _ in range(2))
    turns = [index for index in range(len(alone)) for _ in range(6)]
    for index, views in zip(turns, load_ahead(shared.load_views, turns, 4, 9), strict=True):
        assert torch.equal(views, alone.load_views(index))


@pytest.mark.parametrize("name", MAKERS)
def test_pairs_of_a_flip_are_checked_by_class_name_and_part_of_the_identity(tmp_path, name):
    first, second, _ = CLASSES[name]
    plain = MAKERS[name](tmp_path)
    values = plain.model_dump() | {"flip": 0.5, "flip_swaps": [[first, second]]}
    config = type(plain).model_validate(values)
    check_data(config)
    one, other = (
        train_identity(RunConfig(data=data), 0, "cpu", file_digests(RunConfig(data=data)))
        for data in (plain, config)
    )
    assert one != other
    wrong = type(plain).model_validate(values | {"flip_swaps": [[first, "nothing"]]})
    with pytest.raises(ConfigError, match="must name a class name, or 0 to 2, got 'nothing'"):
        check_data(wrong)


def test_limit_takes_the_first(made):
    name, config = made
    clips = open_clips(config.model_copy(update={"limit": 2}), "train")
    assert clips.labels.tolist() == LABELS[name][:2]


def test_the_size_of_training_is_told_from_the_files_without_reading_videos(made):
    name, config = made
    expected = {"kinetics": 4, "hmdb51": 210}.get(name, 3)
    assert config.train_size() == expected
    assert config.model_copy(update={"limit": 2}).train_size() == 2


def test_a_number_of_classes_that_the_files_do_not_have_is_told(made):
    with pytest.raises(ConfigError, match=r"3 names, data\.num_classes is 4"):
        open_clips(made[1].model_copy(update={"num_classes": 4}), "train")


def test_a_root_that_is_not_there_is_told(made):
    with pytest.raises(ConfigError, match='no such folder: "no/where"') as caught:
        open_clips(made[1].model_copy(update={"root": "no/where"}), "train")
    assert caught.value.key == "data.root"


def test_a_byte_order_mark_and_either_end_of_line_change_nothing(made):
    config = made[1]
    before = open_clips(config, "train")
    originals = {path: path.read_bytes() for path in config.files()}
    for path, content in originals.items():
        lines = content.replace(b"\r\n", b"\n")
        path.write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n"))
    after = open_clips(config, "train")
    for path, content in originals.items():
        path.write_bytes(content)
    assert [item.path for item in after.items] == [item.path for item in before.items]
    assert after.classes == before.classes
    assert after.labels.tolist() == before.labels.tolist()


def test_missing_clips_of_kinetics_are_counted_and_told(tmp_path):
    config = MAKERS["kinetics"](tmp_path)
    assert check_data(config).notes == (
        "train split: 1 of 4 videos are missing and left out",
        "test split: 1 of 4 videos are missing and left out",
    )
    assert open_clips(config, "train").notes == check_data(config).notes[:1]


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "kinetics"])
def test_of_another_dataset_a_missing_video_is_an_error_or_counted(tmp_path, name):
    config = MAKERS[name](tmp_path)
    assert check_data(config).notes == ()
    gone = open_clips(config, "train").items[1].path
    gone.rename(gone.with_name("elsewhere"))
    with pytest.raises(ConfigError, match=r":\d+: no such (video|folder)") as caught:
        check_data(config)
    assert gone.name in str(caught.value)
    lenient = config.model_copy(update={"bad": "skip"})
    assert check_data(lenient).notes[0] == "train split: 1 of 3 videos are missing and left out"
    assert open_clips(lenient, "train").labels.tolist() == [LABELS[name][0], LABELS[name][2]]


def test_a_copy_with_other_videos_is_another_dataset(made):
    config = made[1].model_copy(update={"bad": "skip"})
    before = config.digests()
    path = open_clips(config, "train").items[0].path
    path.rename(path.with_name("elsewhere"))
    assert config.digests() != before
    path.with_name("elsewhere").rename(path)
    assert config.digests() == before


def test_where_every_video_must_be_there_their_names_are_no_part_of_the_identity(made):
    name, config = made
    assert (config.digests() == {}) == (name != "kinetics")


WRONG = {
    "packed": [
        ("train.txt", "run/0.mp4", "ran/0.mp4", r':1: no such video: ".*ran/0\.mp4\.pack"'),
        ("train.txt", "0.mp4 1", "0.mp4 0 9 1", r":2: .* has 8 frames; frame 8 was asked for"),
        ("index.jsonl", "wave/0", "wave/9", r"train\.txt:3: .* is not in index\.jsonl"),
    ],
    "frames": [
        ("train.txt", "jpg/run/0000 8 0", "jpg/run/0000 8", ":3: must be `path num_frames label`"),
        ("train.txt", "0000 8 1", "0000 9 1", r':4: no such image: ".*img_00009\.jpg"'),
        ("train.txt", "1 8 2", "5 4 2", ":5: must be at least one image.*got 5 to 4"),
        ("train.txt", "1 8 2", "0 8 2", r":5: must be at least one image, from number 1 \(data"),
        ("train.txt", "8 1", "8 3", r":4: label must be 0 to 2 \(data\.num_classes\), got 3"),
        ("train.txt", "run/0000", "ran/0000", ':3: no such folder: ".*ran/0000"'),
    ],
    "something": [
        ("labels/train.json", "Closing [", "Closing it [", r":3: \"Closing it something\" is no "),
        ("labels/train.json", '"id": "42326"', '"id": 42326', ":2: entry 2 must have a text"),
        ("labels/train.json", "[{", "[", r"train\.json:1: is no JSON"),
        ("labels/labels.json", '"2"', '"3"', "must number its classes from 0"),
        ("labels/labels.json", '"2"', '"two"', "must number its classes from 0"),
    ],
    "jester": [
        ("labels/train.csv", "34871;", "34871,", ":2: must be `id;class name`"),
        (
            "labels/train.csv",
            "Drumming F",
            "Druming F",
            r':2: "Druming Fingers" is no class of labels/labels\.csv; did you mean "Drumming ',
        ),
    ],
    "kinetics": [
        ("annotations/train.csv", "youtube_id", "video", ":1: must have the columns .*youtube_id "),
        ("annotations/train.csv", "104", "1:44", r':3: time_start and time_end must be .* "1:44"'),
        ("annotations/train.csv", "train,0", "val,0", ":3: has rows of the splits train, val"),
        ("annotations/train.csv", ",84,94,train,0", ",84", ":2: has 3 values, the header 6"),
        ("annotations/train.csv", "testifying", "a, b", ":2: has 7 values, the header 6"),
        ("annotations/val.csv", "testifying", "testyfying", ':2: .* did you mean "testifying"'),
    ],
    "ucf101": [
        ("ucfTrainTestlist/trainlist01.txt", "avi 2", "avi 3", ":2: says class 3, which is not Ha"),
        ("ucfTrainTestlist/trainlist01.txt", "YoYo/", "YoYos/", ':3: must be .*did you mean "YoYo'),
        ("ucfTrainTestlist/classInd.txt", "2 Hand", "3 Hand", ":2: must be `2 Class`"),
    ],
    "hmdb51": [
        (
            "testTrainMulti_7030_splits/cartwheel_test_split1.txt",
            "_1.avi 2",
            "_1.avi 4",
            ":2: must be `video.avi 0, 1 or 2`",
        ),
    ],
}


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "message"),
    [(name, *case) for name, cases in WRONG.items() for case in cases],
)
def test_what_cannot_be_read_is_one_line_with_file_and_line(
    tmp_path, name, file, old, new, message
):
    config = MAKERS[name](tmp_path)
    replace(tmp_path / file, old, new)
    with pytest.raises(ConfigError, match=message) as caught:
        check_data(config)
    assert file.rpartition("/")[2].rpartition("_")[2] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.key.partition(".")[0] == "data"


def test_text_in_another_encoding_is_told_with_its_line(tmp_path):
    config = MAKERS["jester"](tmp_path)
    (tmp_path / "labels" / "train.csv").write_bytes(b"1;Swiping Left\n2;Gr\xfc\xdfen\n")
    with pytest.raises(ConfigError, match=r"train\.csv:2: is no UTF-8 text"):
        check_data(config)


def test_a_missing_file_and_an_empty_one_are_told(made):
    name, config = made
    if name in ("ucf101", "hmdb51"):
        config = config.model_copy(update={"splits": "elsewhere"})
        with pytest.raises(ConfigError, match="no such f"):
            check_data(config)
        return
    with pytest.raises(ConfigError, match=r'data\.train: no such .*"'):
        open_clips(config.model_copy(update={"train": "none.txt"}), "train")
    with pytest.raises(ConfigError, match=r"data\.test: must name"):
        open_clips(config.model_copy(update={"test": ""}), "test")


def test_the_second_number_of_a_stretch_is_the_last_image_or_how_many(tmp_path):
    save_images(tmp_path / "a", range(0, 160, 10))  # image n has level n - 1
    (tmp_path / "test.txt").write_text("a 3 6 0\n")
    shape = {"num_classes": 2, "frames": 4, "size": 32, "val": "", "root": str(tmp_path)}
    as_end = open_clips(FramesConfig(**shape), "test")
    assert levels_of(as_end.load_views(0)) == [[2, 3, 4, 5]]
    as_length = open_clips(FramesConfig(stretch="length", **shape), "test")
    assert levels_of(as_length.load_views(0)) == [[2, 4, 5, 7]]


def test_images_may_be_named_and_counted_otherwise(tmp_path):
    save_images(tmp_path / "a b 2", range(0, 80, 10), "frame_{:010d}.png", first=0)
    (tmp_path / "test.txt").write_text("a b 2 8 1\n")
    config = FramesConfig(
        root=str(tmp_path), num_classes=2, template="frame_{:010d}.png", first=0, frames=8
    )
    assert levels_of(open_clips(config, "test").load_views(0)) == [list(range(LENGTH))]


@pytest.mark.parametrize("template", ["img.jpg", "img_{:05d", "{}_{}.jpg", "{name}.jpg", ""])
def test_a_template_without_one_number_is_refused(template):
    with pytest.raises(ValueError, match="template: must hold one number"):
        FramesConfig(root="x", num_classes=2, template=template)


def test_the_answers_of_the_test_split_are_read_as_published(tmp_path):
    clips = open_clips(make_something(tmp_path, test="labels/test-answers.csv"), "test")
    assert [item.path.name for item in clips.items] == ["3.webm", "78687.webm"]
    assert clips.labels.tolist() == [0, 1]


def test_lines_are_found_again_in_json_of_any_layout(tmp_path):
    config = make_something(tmp_path)
    path = tmp_path / "labels" / "train.json"
    entries = json.loads(path.read_text())
    entries[1]["template"] = "Closed [something]"
    path.write_text(json.dumps(entries, indent=2))
    line = path.read_text().splitlines().index('    "id": "42326",') + 1
    with pytest.raises(ConfigError, match=rf'train\.json:{line}: "Closed something" is no class'):
        open_clips(config, "train")


def test_two_files_of_one_clip_are_told_and_none_at_all_is_an_error(tmp_path):
    config = MAKERS["kinetics"](tmp_path)
    name = "--nQbRBEz2s_000104_000114.mp4"
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / name).write_bytes((tmp_path / "train" / name).read_bytes())
    with pytest.raises(ConfigError, match=r"train\.csv:3: two files are clip --nQbRBEz2s_"):
        open_clips(config, "train")
    empty = KineticsConfig(**{**config.model_dump(), "videos": "annotations"})
    with pytest.raises(ConfigError, match=r"none of its 4 videos can be used; .*4 of 4 .* missing"):
        open_clips(empty, "train")


def test_lines_that_name_a_video_again_are_counted(tmp_path):
    config = MAKERS["ucf101"](tmp_path)
    path = tmp_path / "ucfTrainTestlist" / "trainlist01.txt"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[0])
    clips = open_clips(config, "train")
    assert clips.notes == ("train split: 1 lines name what an earlier line names",)
    assert len(clips) == 4
