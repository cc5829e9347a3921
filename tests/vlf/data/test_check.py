"""`python -m vlf.data.check` tells what is missing and broken, and draws what is there."""

import numpy as np
import pytest
from dataset_files import MAKERS
from film_files import encode
from PIL import Image

from vlf.data import check, open_clips
from vlf.data.preparation import contact_sheet

STUDY = """\
question: Is it all there?
base:
  data: {{name: video_list, root: {root}, num_classes: 2, frames: 4, size: 32, val: ""}}
"""


@pytest.fixture
def study(tmp_path):
    """Six training videos, of which the fourth is noise and the sixth missing; two for the test."""
    root = tmp_path / "clips"
    for number in range(5):
        encode(root / f"{number}.mp4", [40 * (number % 2) + 20] * 6)
    (root / "3.mp4").write_bytes(np.random.default_rng(0).bytes(3000))
    lines = [f"{number}.mp4 {number % 2}\n" for number in range(6)]
    (root / "train.txt").write_text("".join(lines) + "0.mp4 0\n")
    (root / "test.txt").write_text("0.mp4 0\n1.mp4 1\n")
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.format(root=root))
    return path


def run(capsys, *arguments):
    code = check.main([*map(str, arguments)])
    return code, *capsys.readouterr()


def test_every_missing_and_broken_video_is_counted_and_named(study, capsys):
    code, out, _ = run(capsys, study)
    assert code == 1
    assert "train: 7 listed, 5 opened, 1 missing, 1 broken; 2 labels of 3 to 4 clips" in out
    assert "1 lines name what an earlier line names" in out
    assert "train.txt:6: " in out.split("missing: ")[1]
    broken = out.split("broken: ")[1].splitlines()[0]
    assert "train.txt:4: " in broken
    assert '3.mp4" cannot be decoded' in broken
    assert "test: 2 listed, 2 opened, 0 missing, 0 broken" in out
    assert not (study.parent / "clips" / "checked_videos.json").exists()


def test_all_is_good_is_0_and_a_list_that_cannot_be_read_is_2(study, capsys):
    root = study.parent / "clips"
    (root / "train.txt").write_text("0.mp4 0\n1.mp4 1\n")
    assert run(capsys, study)[0] == 0
    (root / "train.txt").write_text("0.mp4 7\n")
    code, _, told = run(capsys, study)
    assert code == 2
    assert told.count("\n") == 1
    assert "train.txt:1: label must be 0 to 1" in told
    assert run(capsys, root / "none.yaml")[0] == 2


def test_all_videos_missing_is_told_and_not_raised(study, capsys):
    (study.parent / "clips" / "test.txt").write_text("a.mp4 0\nb.mp4 1\n")
    code, out, _ = run(capsys, study)
    assert code == 1
    assert "test: 2 listed, 0 opened, 2 missing, 0 broken" in out


def test_only_the_first_names_are_told(study, capsys):
    names = [f"gone{number}.mp4 0\n" for number in range(9)]
    (study.parent / "clips" / "test.txt").write_text("".join(names) + "0.mp4 0\n")
    _, out, _ = run(capsys, study)
    assert [f"gone{number}.mp4" in out for number in range(9)] == [True] * 5 + [False] * 4
    assert "... and 4 more missing" in out


def test_a_sample_is_the_same_for_a_seed_and_another_for_another(study, monkeypatch):
    opened = []
    monkeypatch.setattr(check, "find_fault", lambda item, open_film: opened.append(item.path) or "")
    config = check.read_all_data(study)["base"]
    for seed in (0, 0, 1, 2, 3):
        clips = check.open_to_tell(config, "train")
        check.open_films(clips, check.look(clips), sample=2, seed=seed)
    drawn = [tuple(opened[i : i + 2]) for i in range(0, 10, 2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "motion"])
def test_every_dataset_of_files_can_be_checked(tmp_path, name):
    config = MAKERS[name](tmp_path)
    clips = check.open_to_tell(config, "train")
    found = check.look(clips)
    check.open_films(clips, found, workers=2)
    assert (found.opened, found.broken) == (3, [])
    assert len(found.missing) == (name == "kinetics")  # one of whose clips has left YouTube
    assert set(found.labels) == {0, 1, 2}


def test_ctrl_c_tells_what_was_found_until_then(study, capsys, monkeypatch):
    looked = []

    def stop(item, open_film):
        looked.append(item)
        if len(looked) == 3:
            raise KeyboardInterrupt
        return "" if len(looked) > 1 else "is torn"

    monkeypatch.setattr(check, "find_fault", stop)
    code, out, told = run(capsys, study, "--workers", 1)
    assert code == 130
    assert "2 opened, 1 missing, 1 broken" in out
    assert told.endswith("interrupted: the rest was not opened\n")


def test_the_data_of_each_level_are_checked_once(study, capsys):
    text = study.read_text() + (
        "factors:\n"
        "  variant: {A: {}, B: {model.width: 32}}\n"
        "  data.frames: [4, 8]\n"
        "  clips: {files: {}, made: {data: {name: motion, train_clips: 20}}}\n"
    )
    study.write_text(text)
    data = check.read_all_data(study)
    assert [(label, one.name, one.frames) for label, one in data.items()] == [
        ("data.frames=4, files", "video_list", 4),
        ("data.frames=4, made", "motion", 4),
        ("data.frames=8, files", "video_list", 8),
        ("data.frames=8, made", "motion", 8),
    ]
    _, out, _ = run(capsys, study, "--sample", 1)
    assert "made: motion: made from a seed, no file to open" in out


def test_levels_of_a_dataset_come_before_dotted_keys_and_pairs_move_together(study):
    study.write_text(
        study.read_text() + "factors:\n  data.frames: [4, 8]\n  data.size: [32, 64]\n"
        "paired: [[data.frames, data.size]]\n"
    )
    found = check.read_all_data(study)
    assert [(one.frames, one.size) for one in found.values()] == [(4, 32), (8, 64)]


def test_the_sheet_shows_the_clips_that_a_model_is_given(study, tmp_path, capsys):
    target = tmp_path / "build" / "sheet.png"
    code, out, _ = run(capsys, study, "--sheet", target)
    assert code == 1
    assert str(target) in out
    with Image.open(target) as image:
        pixels = np.asarray(image.convert("L"))
    for level in (20, 60):  # of the two test clips
        assert (np.abs(pixels.astype(int) - level) < 4).mean() > 0.02


def test_a_strip_is_the_frames_of_the_test_view_beside_each_other(study):
    config = check.read_all_data(study)["base"]
    clips = open_clips(config.model_copy(update={"bad": "tell"}), "test")
    strip = contact_sheet.strip_of(clips, 1)
    assert strip.shape == (32, 4 * 32 + 3 * contact_sheet.GAP, 3)
    view = clips.load_views(1)[0].permute(0, 2, 3, 1).numpy()
    assert np.array_equal(strip[:, 34:66], view[1])


def test_a_sheet_has_as_many_labels_as_there_is_room_for():
    class Clips:
        labels = np.repeat(np.arange(30), 4)

        def __len__(self):
            return 120

    chosen = contact_sheet.choose(Clips(), 0)
    assert len({Clips.labels[index] for index in chosen}) == contact_sheet.CLIPS
    Clips.labels = np.repeat(np.arange(3), 40)
    counts = np.bincount(Clips.labels[contact_sheet.choose(Clips(), 0)])
    assert counts.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    "options", [["--sample", "0"], ["--workers", "0"], ["--sheet", "sheet.pdf"]]
)
def test_wrong_options_are_refused(study, options, capsys):
    with pytest.raises(SystemExit) as caught:
        check.main([str(study), *options])
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err
