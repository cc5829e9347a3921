"""Lines of lists: what begins with #, what is named twice, and what of it the reader says."""

import pytest
from dataset_files import make_frames, make_jester, make_packed
from film_files import encode, save_images

from vlf.config import ConfigError, FramesConfig, VideoListConfig
from vlf.data import check, open_clips
from vlf.data.pack import main as pack
from vlf.data.preparation.split_check import check_data

SHAPE = {"num_classes": 2, "frames": 4, "size": 32, "val": ""}


def films(root, *names):
    for name in names:
        encode(root / name, [20] * 6)


def listed(root, train, test="plain.mp4 0\n", **changes):
    (root / "train.txt").write_text(train)
    (root / "test.txt").write_text(test)
    return VideoListConfig(root=str(root), **{**SHAPE, **changes})


def names(clips):
    return [item.path.name for item in clips.items]


def test_a_line_that_begins_with_a_hash_and_names_a_file_is_that_file(tmp_path):
    films(tmp_path, "plain.mp4", "#clip.mp4", "# 7.mp4", "sub/#x.mp4", "#3.mp4")
    lines = "# path label\n#clip.mp4 1\n# 7.mp4 0\nsub/#x.mp4 1\n#3.mp4 0 4 1\n#\nplain.mp4 0\n"
    config = listed(tmp_path, lines)
    clips = open_clips(config, "train")
    assert names(clips) == ["#clip.mp4", "# 7.mp4", "#x.mp4", "#3.mp4", "plain.mp4"]
    assert clips.labels.tolist() == [1, 0, 1, 1, 0]
    assert (clips.items[3].start, clips.items[3].end) == (0, 4)
    assert clips.notes == ()
    assert config.train_size() == 5


@pytest.mark.parametrize("bad", ["fail", "skip"])
def test_a_remark_that_reads_as_a_line_of_the_list_is_told(tmp_path, bad):
    films(tmp_path, "plain.mp4", "out.mp4")
    lines = "# old ones: 3\n#out.mp4 1\n# out.mp4 0 4 1\n# gone.mp4 1\n#gone.mp4 1\nplain.mp4 0\n"
    config = listed(tmp_path, lines, bad=bad)
    clips = open_clips(config, "train")
    assert names(clips) == ["plain.mp4"]
    assert clips.notes == (
        "train split: 3 lines that begin with # name no file and are left out; "
        f"the first is {tmp_path}/train.txt:2",
    )
    assert config.train_size() == 1


def test_a_list_of_remarks_alone_says_that_they_were_taken_for_remarks(tmp_path):
    with pytest.raises(ConfigError, match=r"no line that names a video; train split: 1 line that"):
        open_clips(listed(tmp_path, "#gone.mp4 1\n"), "train")


def test_folders_of_images_may_begin_with_a_hash(tmp_path):
    config = make_frames(tmp_path)
    save_images(tmp_path / "#run", [20] * 8)
    save_images(tmp_path / "# 1", [20] * 8)
    with (tmp_path / "train.txt").open("a") as file:
        file.write("#run 8 0\n#run 2 5 1\n# 1 8 2\n#gone 8 0\n")
    clips = open_clips(config, "train")
    assert [(one.path.name, one.start, one.end) for one in clips.items[3:]] == [
        ("#run", 0, 8), ("#run", 1, 5), ("# 1", 0, 8),
    ]  # fmt: skip
    assert clips.notes[0].startswith("train split: 1 line that begins with # names no file")
    assert config.train_size() == 6


def test_packed_videos_may_begin_with_a_hash_and_what_packing_leaves_out_is_told(tmp_path, capsys):
    root = tmp_path / "films"
    films(root, "#a.mp4", "b.mp4")
    (root / "train.txt").write_text("#a.mp4 0\nb.mp4 1\n#c.mp4 1\n")
    out = tmp_path / "packed"
    assert pack([str(root / "train.txt"), "--out", str(out), "--size", "32"]) == 0
    assert "train.txt:3" in capsys.readouterr().err
    assert (out / "train.txt").read_text() == "#a.mp4 0\nb.mp4 1\n"
    config = make_packed(tmp_path / "other").model_copy(update={"root": str(out), "num_classes": 2})
    clips = open_clips(config.model_copy(update={"class_names": ""}), "train")
    assert names(clips) == ["#a.mp4.pack", "b.mp4.pack"]


def test_a_class_name_that_begins_with_a_hash_is_a_class_name(tmp_path):
    films(tmp_path, "plain.mp4")
    (tmp_path / "names.txt").write_text("#one\nplain\n")
    config = listed(tmp_path, "plain.mp4 0\n", class_names="names.txt")
    assert open_clips(config, "train").classes == ("#one", "plain")


def test_jesters_folders_that_begin_with_a_hash_are_counted(tmp_path):
    config = make_jester(tmp_path)
    (tmp_path / config.videos / "34870").rename(tmp_path / config.videos / "#34870")
    path = tmp_path / config.train
    path.write_text(path.read_text().replace("34870;", "#34870;"))
    assert names(open_clips(config, "train"))[0] == "#34870"
    assert config.train_size() == 3


def test_check_opens_what_begins_with_a_hash_and_tells_what_it_takes_for_remarks(tmp_path, capsys):
    films(tmp_path, "plain.mp4", "#clip.mp4")
    listed(tmp_path, "#clip.mp4 1\n#gone.mp4 1\nplain.mp4 0\n")
    study = tmp_path / "study.yaml"
    data = f'{{name: video_list, root: {tmp_path}, num_classes: 2, size: 32, val: ""}}'
    study.write_text(f"question: q\nbase:\n  data: {data}\n")
    assert check.main([str(study)]) == 0
    said = capsys.readouterr().out
    assert "train: 2 listed, 2 opened, 0 missing, 0 broken" in said
    assert (
        f"1 line that begins with # names no file and is left out; the first is {tmp_path}" in said
    )


def test_a_film_that_is_listed_twice_with_different_labels_is_told(tmp_path):
    films(tmp_path, "plain.mp4", "b.mp4")
    lines = "plain.mp4 0\nb.mp4 1\nplain.mp4 0\nplain.mp4 1\nplain.mp4 0 3 1\n"
    notes = open_clips(listed(tmp_path, lines), "train").notes
    assert notes == (
        "train split: 2 lines name what an earlier line names",
        "train split: 1 of these lines give it another label; the first is "
        f"{tmp_path}/train.txt:4, against {tmp_path}/train.txt:1",
    )


def test_a_class_that_is_named_twice_is_refused(tmp_path):
    films(tmp_path, "plain.mp4")
    (tmp_path / "names.txt").write_text("run\nrun\n")
    with pytest.raises(ConfigError, match=r'names\.txt names the class "run" 2 times'):
        open_clips(listed(tmp_path, "plain.mp4 0\n", class_names="names.txt"), "train")


def test_class_names_that_differ_in_case_alone_are_told(tmp_path):
    films(tmp_path, "plain.mp4")
    (tmp_path / "names.txt").write_text("Pick up\npick  up\n")
    config = listed(tmp_path, "plain.mp4 0\nplain.mp4 0 2 1\n", class_names="names.txt")
    assert (
        'classes "Pick up" and "pick  up" differ in case or space alone' in check_data(config).notes
    )


def test_a_missing_folder_or_image_is_one_line_and_says_so_to_a_plan(tmp_path):
    config = make_frames(tmp_path)
    (tmp_path / "jpg" / "wave" / "0000" / "img_00008.jpg").unlink()
    with pytest.raises(
        ConfigError, match=r'train\.txt:5: no such image: ".*img_00008\.jpg"'
    ) as told:
        open_clips(config, "train")
    assert told.value.is_missing
    wrong = FramesConfig(**{**config.model_dump(), "num_classes": 2, "class_names": ""})
    with pytest.raises(ConfigError, match="label must be 0 to 1") as told:
        open_clips(wrong, "train")
    assert not told.value.is_missing
