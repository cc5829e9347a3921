"""Clips out of files are the clips in memory, up to what codecs lose."""

import shutil

import av
import numpy as np
import pytest
import torch

from vlf.config import FramesConfig, MotionConfig, PackedConfig, VideoListConfig
from vlf.data import export, open_clips
from vlf.data.datasets.motion import CLASSES, largest_shift
from vlf.data.datasets.packed import Packing
from vlf.data.pack import pack
from vlf.data.preparation.pack_source import find_source
from vlf.data.sampling import draw_indices, fixed_indices

STUDY = """\
question: Do files change the clips?
base:
  data: {name: motion, frames: 6, seed: 2, train_clips: 20, val_clips: 10, test_clips: 10}
"""
MEMORY = MotionConfig(frames=6, seed=2, train_clips=20, val_clips=10, test_clips=10)
SHORT = 32 + 2 * largest_shift(32)
# Levels of 255: mean over all pixels, and of the worst pixel of all. The clips are noisy, and what
# is packed was compressed twice.
TOLERANCE = {"h264": (3.5, 70), "frames": (3.5, 40), "packed": (5.5, 80)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Form -> the config that reads it."""
    root = tmp_path_factory.mktemp("exported")
    study = root / "study.yaml"
    study.write_text(STUDY)
    for form in export.FORMS:
        assert export.main([str(study), "--as", form, "--out", str(root / form)]) == 0
    for split in ("train", "val", "test"):
        source = find_source(root / "h264" / f"{split}.txt", None)
        pack(source, root / "packed", Packing(SHORT, chroma="full"))
    shutil.copy(root / "h264" / "classes.txt", root / "packed")
    kinds = {"h264": VideoListConfig, "frames": FramesConfig, "packed": PackedConfig}
    same = {"frames": 6, "num_classes": 10, "class_names": "classes.txt", "size": 32}
    return {
        form: kind(root=str(root / form), short_side=SHORT, **same) for form, kind in kinds.items()
    }


def differences(first, second):
    return (first.int() - second.int()).abs().float()


@pytest.mark.parametrize("form", ["h264", "frames", "packed"])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_labels_classes_and_pixels_come_back(exported, form, split):
    clips, files = open_clips(MEMORY, split), open_clips(exported[form], split)
    assert files.classes == CLASSES
    assert torch.equal(files.labels, clips.labels)
    off = torch.stack(
        [differences(files.load_views(i), clips.load_views(i)) for i in range(len(clips))]
    )
    mean, worst = TOLERANCE[form]
    assert off.mean() < mean
    assert off.max() < worst


@pytest.mark.parametrize("form", ["h264", "frames", "packed"])
def test_a_training_clip_is_one_of_those_that_training_in_memory_sees(exported, form):
    clips, files = open_clips(MEMORY, "train"), open_clips(exported[form], "train")
    for index in (0, 11):
        seen = files.load(index, np.random.default_rng(3))
        shown = torch.nn.functional.pad(clips.load_views(index)[0].float(), (2,) * 4, "replicate")
        places = [(top, left) for top in range(5) for left in range(5)]
        off = {
            (top, left): float(
                differences(seen, shown[..., top : top + 32, left : left + 32]).mean()
            )
            for top, left in places
        }
        best, second = sorted(off.values())[:2]
        assert best < TOLERANCE[form][0] < second


def test_sampling_picks_every_frame_in_turn_as_memory_does(exported):
    for config in exported.values():
        assert fixed_indices(6, config).tolist() == [list(range(6))]
        drawn = draw_indices(6, config, np.random.default_rng(0))
        assert drawn.tolist() == list(range(6))


def test_the_line_that_is_printed_reads_what_was_exported(tmp_path, capsys):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    assert export.main([str(study), "--as", "frames", "--out", str(tmp_path / "out")]) == 0
    line = capsys.readouterr().out.splitlines()[-1].strip()
    study.write_text(f"question: q\nbase:\n  {line}\n")
    config = export.read_base_data(study)
    assert (config.name, config.short_side, config.classes) == ("frames", SHORT, 10)
    assert len(open_clips(config, "train")) == 20


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("base: {data: {name: jester, root: x}}", "base.data.name: must be motion"),
        ("base: {data: {name: motion, train_clips: 1}}", "base.data.train_clips: "),
        ("base: [", "cannot be read as a study file"),
        ("extends: none.yaml", "none.yaml: cannot be read as a study file"),
        ("extends: study.yaml", "cannot be read as a study file"),
        ("[1]", "cannot be read as a study file"),
    ],
)
def test_what_cannot_be_exported_is_one_line(tmp_path, capsys, text, told):
    study = tmp_path / "study.yaml"
    study.write_text(text)
    assert export.main([str(study), "--as", "frames", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert told in said
    assert not (tmp_path / "out").exists()


def test_a_pyav_without_its_encoder_is_told_before_anything_is_written(
    tmp_path, capsys, monkeypatch
):
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    arguments = [str(tmp_path / "study.yaml"), "--as", "h264", "--out", str(tmp_path / "out")]
    assert export.main(arguments) == 2
    assert capsys.readouterr().err.endswith("has no encoder libx264; frames needs none\n")
    assert not (tmp_path / "out").exists()
