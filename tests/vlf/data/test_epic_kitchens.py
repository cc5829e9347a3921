"""EPIC-KITCHENS-100, read from the files of its publisher."""

import re

import numpy as np
import pytest
import torch
from epic_files import NOUNS, VERBS, make_epic_kitchens
from film_files import encode, levels, levels_of

from vlf.config import ConfigError, EpicKitchensConfig
from vlf.data import open_clips
from vlf.data.augment import Augment, mix_clips
from vlf.data.preparation.split_check import check_data
from vlf.data.readers.container import VideoError
from vlf.data.readers.films import VideoStretch
from vlf.data.seeds import rng

LABELS = [[0, 4], [1, 3], [2, 5]]  # nouns are counted behind the three verbs
NOTES = "epic-kitchens-100-annotations"
SOURCES = ["videos", "rgb_frames"]


@pytest.fixture(scope="module", params=SOURCES)
def made(request, tmp_path_factory):
    return make_epic_kitchens(tmp_path_factory.mktemp(request.param), request.param)


def replace(path, old, new):
    text = path.read_bytes()
    assert old.encode() in text
    path.write_bytes(text.replace(old.encode(), new.encode(), 1))


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_segment_comes_with_its_verb_and_noun_and_no_frame_of_another(made, split):
    clips = open_clips(made.model_copy(update={"frames": 8}), split)
    assert clips.classes == (*VERBS, *NOUNS)
    assert clips.heads == {"verb": 3, "noun": 3}
    assert clips.labels.tolist() == LABELS
    assert clips.labels.dtype == torch.int64
    for index, (verb, _) in enumerate(LABELS):
        assert levels_of(clips.load_views(index)) == [[4 * verb + 2] * 8]
        assert levels_of(clips.load(index, rng("epic", index))) == [4 * verb + 2] * 8


def test_without_the_cache_the_frames_are_the_same(made):
    clips, direct = open_clips(made, "train"), open_clips(made, "train")
    direct._room = 0
    for index in range(3):
        assert torch.equal(clips.load_views(index), direct.load_views(index))


def test_a_byte_order_mark_and_either_end_of_line_change_nothing(made):
    before = open_clips(made, "train")
    originals = {path: path.read_bytes() for path in made.files()}
    for path, content in originals.items():
        lines = content.replace(b"\r\n", b"\n")
        path.write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n"))
    after = open_clips(made, "train")
    for path, content in originals.items():
        path.write_bytes(content)
    assert after.items == before.items
    assert after.classes == before.classes


def test_the_size_of_training_is_told_without_reading_videos(made):
    assert made.train_size() == 3
    assert made.model_copy(update={"limit": 2}).train_size() == 2


@pytest.mark.parametrize("source", SOURCES)
def test_missing_videos_are_an_error_or_counted_by_their_segments(tmp_path, source):
    config = make_epic_kitchens(tmp_path, source)
    assert check_data(config).notes == ()
    gone = open_clips(config, "train").items[0].path
    lenient = config.model_copy(update={"bad": "skip"})
    before = lenient.digests()
    gone.rename(gone.with_name("P01_77"))
    with pytest.raises(ConfigError, match=r"train\.csv:2: no such video: .*P01_01.* \(and 1 more"):
        check_data(config)
    assert check_data(lenient).notes[0] == "train split: 2 of 3 segments are missing and left out"
    assert open_clips(lenient, "train").labels.tolist() == LABELS[2:]
    assert lenient.digests() != before
    assert config.digests() == {}


def test_a_segment_that_ends_behind_the_images_is_told_by_its_image(tmp_path):
    config = make_epic_kitchens(tmp_path, "rgb_frames")
    replace(tmp_path / NOTES / "EPIC_100_train.csv", ",17,24,", ",17,31,")
    with pytest.raises(ConfigError, match=r'csv:4: no such image: ".*/frame_0000000031\.jpg"'):
        check_data(config)
    lenient = config.model_copy(update={"bad": "skip"})
    assert check_data(lenient).notes[0] == "train split: 1 of 3 segments are missing and left out"


@pytest.mark.parametrize("how", ["noise", "of no bytes", "cut off"])
def test_a_bad_video_ends_the_run_with_its_row_or_is_left_out_and_counted(tmp_path, how):
    config = make_epic_kitchens(tmp_path)
    item = open_clips(config, "train").items[2]
    whole = item.path.read_bytes()
    spoilt = {"noise": np.random.default_rng(0).bytes(4000), "of no bytes": b""}
    item.path.write_bytes(spoilt.get(how, whole[: len(whole) // 2]))
    with pytest.raises(ConfigError, match=re.escape(item.where)) as caught:
        open_clips(config, "train").load_views(2)
    assert "\n" not in str(caught.value)
    clips = open_clips(config.model_copy(update={"bad": "skip"}), "train")
    assert clips.labels.tolist() == LABELS[:2]
    assert clips.notes[0].startswith("train split: 1 of 3 segments cannot be decoded and are left")


def test_a_segment_behind_the_end_of_its_video_is_bad_and_alone(tmp_path):
    config = make_epic_kitchens(tmp_path)
    replace(tmp_path / NOTES / "EPIC_100_train.csv", "00:00:01.60,00:00:02.40", "0:0:3,0:00:05.5")
    with pytest.raises(ConfigError, match=r":4: start_timestamp must be as .* got '0:0:3'"):
        check_data(config)
    replace(tmp_path / NOTES / "EPIC_100_train.csv", "0:0:3", "00:00:03.10")
    with pytest.raises(
        ConfigError, match=r'csv:4: ".*MP4" ends at 3\.00 s, before the part from 3'
    ):
        open_clips(config, "train").load_views(2)
    clips = open_clips(config.model_copy(update={"bad": "skip"}), "train")
    assert clips.labels.tolist() == LABELS[:2]


def test_rows_that_name_a_segment_again_are_counted_and_other_segments_are_not(tmp_path):
    config = make_epic_kitchens(tmp_path)
    path = tmp_path / NOTES / "EPIC_100_train.csv"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    notes = open_clips(config, "train").notes
    assert notes == ("train split: 1 lines name what an earlier line names",)


WRONG = [
    ("train", "put,1,tap,0", "put,3,tap,0", r":3: verb_class must be 0 to 2 .*num_verbs.* got '3'"),
    ("train", "put,1,tap,0", "put,1,tap,-1", r":3: noun_class must be 0 to 2 .* got '-1'"),
    ("train", "put,1,tap,0", "put,1,tap,", r":3: noun_class must be 0 to 2 .* got ''"),
    ("train", "00:00:00.80,00:00:01.60", "00:00:01.60,00:00:00.80", ":3: stop_timestamp must be a"),
    ("train", "00:00:00.80,00:00:01.60", "00:00:00.80,00:00:00.80", ":3: stop_timestamp must be a"),
    (
        "train",
        "00:00:00.80",
        "00:61:00.80",
        ":2: stop_timestamp must be as 00:01:02.34, got '00:6",
    ),
    ("train", "P22,P22_107", 'P22,"P22\n107"', r":5: video_id must be as P01_01, got 'P22\\n107'"),
    ("train", "P22,P22_107", "P2,P22_107", ":4: video_id P22_107 is not of 'P2' of participant_id"),
    ("train", "verb_class", "verbs", r":1: must have the columns .*; verb_class missing"),
    ("train", ', slowly"', '"', ""),  # a comma less inside of quotes changes nothing
    ("train", ', slowly",', ", slowly,", ":2: has 16 values|:[234]: "),
    ("verb_classes", "1,", "7,", r':3: id must be 1, as ids count from 0; got "7"'),
    ("noun_classes", "2,", "", r":4: has 3 values, the header 4"),
]


@pytest.mark.parametrize(("file", "old", "new", "message"), WRONG)
def test_what_cannot_be_read_is_one_line_with_file_and_line(tmp_path, file, old, new, message):
    config = make_epic_kitchens(tmp_path)
    replace(tmp_path / NOTES / f"EPIC_100_{file}.csv", old, new)
    if not message:
        assert check_data(config).notes == ()
        return
    with pytest.raises(ConfigError, match=message) as caught:
        check_data(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",9,16,", ",16,9,", ":3: stop_frame must be at least start_frame 16, got 9"),
        (",9,16,", ",0,16,", ":3: start_frame must be a whole number from 1 on, got '0'"),
    ],
)
def test_image_numbers_that_cannot_be_are_one_line(tmp_path, old, new, message):
    config = make_epic_kitchens(tmp_path, "rgb_frames")
    replace(tmp_path / NOTES / "EPIC_100_train.csv", old, new)
    with pytest.raises(ConfigError, match=message):
        check_data(config)


def test_a_number_of_classes_that_the_files_do_not_have_is_told(made):
    with pytest.raises(ConfigError, match=r"3 names, data\.num_nouns is 300"):
        open_clips(made.model_copy(update={"num_nouns": 300}), "train")


def test_the_published_numbers_of_classes_are_the_defaults():
    config = EpicKitchensConfig(root="x")
    assert config.heads == {"verb": 97, "noun": 300}
    assert config.classes == 397


def test_no_verb_or_noun_is_swapped_by_a_flip():
    with pytest.raises(ValueError, match=r"flip_swaps: must be \[\]"):
        EpicKitchensConfig(root="x", flip=0.5, flip_swaps=[["take", "put"]])
    augment = Augment(EpicKitchensConfig(root="x", flip=1.0, flip_swaps=[]), ["x"] * 397)
    clip = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).view(2, 3, 4, 4)
    mirrored, label = augment(clip, [5, 99], rng("flip"))
    assert torch.equal(mirrored, clip.flip(-1))
    assert label == [5, 99]


def test_mixed_clips_have_shares_of_verbs_and_of_nouns():
    labels = torch.tensor([[0, 3], [1, 4]])
    clips = torch.stack([torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)])
    mixed, shares = mix_clips(clips, labels, 6, 0.8, 0.0, rng("mix"))
    own = 1 - float(mixed[0].mean())
    hand = [[own, 1 - own, 0, own, 1 - own, 0], [1 - own, own, 0, 1 - own, own, 0]]
    assert torch.allclose(shares, torch.tensor(hand))


@pytest.mark.parametrize("codec", ["libx264", "libvpx"])
def test_a_stretch_has_the_frames_on_the_screen_between_its_moments(tmp_path, codec):
    path = tmp_path / ("a.mp4" if codec == "libx264" else "a.webm")
    encode(path, range(0, 250, 10), codec)  # frame i is shown from i / 10 s on
    film = VideoStretch(path, 0.75, 1.2)
    assert film.count() == 5
    assert levels(film.decode(np.array([4, 0, 0, 2]))) == [11, 7, 7, 9]
    assert levels(film.iterate(1, 4)) == [8, 9, 10]
    assert levels(VideoStretch(path, 0.81, 0.82).iterate(0, 1)) == [8]
    assert levels(VideoStretch(path, 2.3, 2.6).iterate(0, 2)) == [23, 24]


def test_a_stretch_behind_many_key_frames_is_told_by_time_stamps(tmp_path):
    options = {"g": "12", "bf": "3", "x264-params": "open-gop=1"}
    shades = [number % 25 * 10 for number in range(300)]
    encode(tmp_path / "long.mp4", shades, sides=(32, 32), rate=30, options=options)
    for first in range(0, 290, 7):
        film = VideoStretch(tmp_path / "long.mp4", (first + 0.5) / 30, (first + 5.5) / 30)
        shown = levels(film.iterate(0, film.count()))
        assert shown == [number % 25 for number in range(first, first + 6)]


def test_with_a_variable_rate_a_stretch_is_equal_steps_of_time(tmp_path):
    # From 0.2 to 0.9 s frames 2, 3, 4 and 5 are shown, at 200, 300, 700 and 800 ms. The middles of
    # quarters of these 700 ms are at 287, 462, 637 and 812 ms, when frames 2, 3, 3 and 5 stand.
    encode(tmp_path / "a.mkv", range(0, 80, 10), stamps=[0, 100, 200, 300, 700, 800, 900, 1000])
    film = VideoStretch(tmp_path / "a.mkv", 0.2, 0.9)
    assert film.count() == 4
    assert levels(film.iterate(0, 4)) == [2, 3, 3, 5]
    assert levels(film.decode(np.array([3, 2, 1]))) == [5, 3, 3]
    with pytest.raises(VideoError, match="no such video"):
        VideoStretch(tmp_path / "b.mkv", 0.2, 1.0).count()
