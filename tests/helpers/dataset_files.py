"""Each dataset in miniature, laid out and annotated as its publisher does.

Every maker fills a folder and returns its config; a video of class k is grey of level 40 k + 20,
of the test of three more, since a copy of a training video in the test is told.
"""

import csv
import json

from film_files import encode, save_images

from vlf.config import (
    FramesConfig,
    HMDB51Config,
    JesterConfig,
    KineticsConfig,
    PackedConfig,
    SomethingConfig,
    UCF101Config,
)
from vlf.data.datasets.packed import Packing
from vlf.data.pack import pack
from vlf.data.preparation.pack_source import find_source

SHAPE = {"frames": 4, "size": 32}
LENGTH = 8


def levels(label, is_test=False):
    return [40 * label + 20 + 3 * is_test] * LENGTH


def make_frames(root, **changes):
    for label, name in enumerate(["run", "sit down", "wave"]):
        for number in range(2):
            save_images(root / "jpg" / name / f"{number:04d}", levels(label, number))
    (root / "train.txt").write_text(
        "# path num_frames label\n\njpg/run/0000 8 0\njpg/sit down/0000 8 1\njpg/wave/0000 1 8 2\n"
    )
    (root / "test.txt").write_text("jpg/run/0001 8 0\njpg/sit down/0001 3 6 1\njpg/wave/0001 8 2\n")
    (root / "names.txt").write_text("run\nsit down\nwave\n")
    values = {"val": "", "num_classes": 3, "class_names": "names.txt", **SHAPE, **changes}
    return FramesConfig(root=str(root), **values)


def make_packed(root, **changes):
    names = ["run", "sit down", "wave"]
    films = root / "films"
    for split, number in (("train", 0), ("test", 1)):
        for label, name in enumerate(names):
            encode(films / name / f"{number}.mp4", levels(label, number))
        lines = [f"{name}/{number}.mp4 {label}\n" for label, name in enumerate(names)]
        (films / f"{split}.txt").write_text("".join(lines))
        pack(find_source(films / f"{split}.txt", None), root, Packing(37))
    (root / "names.txt").write_text("".join(f"{name}\n" for name in names))
    values = {"val": "", "num_classes": 3, "class_names": "names.txt", **SHAPE, **changes}
    return PackedConfig(root=str(root), **values)


# labels.json is not in the order of its numbers here, and its numbers are text, as published.
SOMETHING_LABELS = {
    "Holding something next to something": "1",
    "Closing something": "0",
    "Pretending to put something on a surface": "2",
}
SOMETHING_TRAIN = [
    {
        "id": "78687",
        "label": "holding potato next to vicks vaporub bottle",
        "template": "Holding [something] next to [something]",
        "placeholders": ["potato", "vicks vaporub bottle"],
    },
    {
        "id": "42326",
        "label": 'pretending to put "cup" on a surface',
        "template": "Pretending to put [something] on a surface",
        "placeholders": ['"cup"'],
    },
    {
        "id": "3",
        "label": "closing box",
        "template": "Closing [something]",
        "placeholders": ["box"],
    },
]


def make_something(root, **changes):
    labels = root / "labels"
    labels.mkdir(parents=True)
    (labels / "labels.json").write_text(json.dumps(SOMETHING_LABELS, indent=4))
    lines = ",\n".join(json.dumps(entry) for entry in SOMETHING_TRAIN)
    (labels / "train.json").write_text(f"[{lines}]")
    held_out = [{**entry, "id": f"1{entry['id']}"} for entry in SOMETHING_TRAIN]
    (labels / "validation.json").write_text(json.dumps(held_out))
    (labels / "test-answers.csv").write_text(
        "3;Closing something\n78687;Holding something next to something\n"
    )
    for entry in [*SOMETHING_TRAIN, *held_out]:
        label = int(SOMETHING_LABELS[entry["template"].replace("[", "").replace("]", "")])
        path = root / "20bn-something-something-v2" / f"{entry['id']}.webm"
        encode(path, levels(label, entry in held_out), "libvpx")
    return SomethingConfig(root=str(root), **{"num_classes": 3, **SHAPE, **changes})


JESTER = ["Swiping Left", "Drumming Fingers", "Doing other things"]


def make_jester(root, **changes):
    (root / "labels").mkdir(parents=True)
    (root / "labels" / "labels.csv").write_text("".join(f"{name}\n" for name in JESTER))
    for first, split in [(34870, "train"), (100, "validation")]:
        rows = "".join(f"{first + k};{name}\n" for k, name in enumerate(JESTER))
        (root / "labels" / f"{split}.csv").write_text(rows)
        for k in range(3):
            folder = root / "20bn-jester-v1" / str(first + k)
            save_images(folder, levels(k, split != "train"), "{:05d}.jpg")
    return JesterConfig(root=str(root), **{"num_classes": 3, **SHAPE, **changes})


KINETICS = [  # the second is at its folder's top, the third has left YouTube
    ("testifying", "---QUuC4vJs", 84, 94, "{split}/testifying"),
    ("air drumming", "--nQbRBEz2s", 104, 114, "{split}"),
    ("air drumming", "_dbcJuKJQNs", 40, 50, None),
    ('putting "things", away', "--GkrdYZ9Tc", 0, 10, "{split}/putting things"),
]


def make_kinetics(root, **changes):
    (root / "annotations").mkdir(parents=True)
    names = sorted({row[0] for row in KINETICS})
    for split in ("train", "val"):
        with (root / "annotations" / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)  # CRLF, as csv writers do
            writer.writerow(["label", "youtube_id", "time_start", "time_end", "split", "is_cc"])
            for label, one, start, end, place in KINETICS:
                one = one.replace("-", "v") if split == "val" else one
                writer.writerow([label, one, start, end, split, 0])
                if place is not None:
                    name = f"{one}_{start:06d}_{end:06d}.mp4"
                    folder = root / place.format(split=split)
                    encode(folder / name, levels(names.index(label), split == "val"))
    return KineticsConfig(root=str(root), **{"num_classes": 3, **SHAPE, **changes})


UCF101 = ["ApplyEyeMakeup", "HandstandPushups", "YoYo"]


def make_ucf101(root, **changes):
    splits = root / "ucfTrainTestlist"
    splits.mkdir(parents=True)
    lines = "".join(f"{number} {name}\r\n" for number, name in enumerate(UCF101, start=1))
    (splits / "classInd.txt").write_bytes(lines.encode())
    train, test = "", ""
    for number, name in enumerate(UCF101, start=1):
        for group in (1, 8):
            video = f"{name}/v_{name}_g{group:02d}_c01.avi"
            encode(root / "UCF-101" / video, levels(number - 1, group == 1), "mpeg4")
        train += f"{name}/v_{name}_g08_c01.avi {number}\r\n"
        test += f"{name}/v_{name}_g01_c01.avi\r\n"
    (splits / "trainlist01.txt").write_bytes(train.encode())
    (splits / "testlist01.txt").write_bytes(test.encode())
    return UCF101Config(root=str(root), **{"num_classes": 3, **SHAPE, **changes})


HMDB51 = {  # (train, test, neither), with the marks that such names have
    "brush_hair": [f"April_09_brush_hair_u_nm_np1_ba_goo_{i}.avi" for i in range(3)],
    "cartwheel": [f"(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_{i}.avi" for i in range(3)],
    "shoot_ball": [f"#437_How_To_Ride_&_Shoot_f_cm_np1_fr_med_{i}.avi" for i in range(3)],
}


def make_hmdb51(root, **changes):
    splits = root / "testTrainMulti_7030_splits"
    splits.mkdir(parents=True)
    for label, (name, videos) in enumerate(HMDB51.items()):
        lines = "".join(f"{video} {mark} \n" for video, mark in zip(videos, (1, 2, 0), strict=True))
        (splits / f"{name}_test_split1.txt").write_text(lines)
        for number, video in enumerate(videos[:2]):
            encode(root / "hmdb51_org" / name / video, levels(label, number), "mpeg4")
    return HMDB51Config(root=str(root), **{"num_classes": 3, **SHAPE, **changes})


MAKERS = {
    "packed": make_packed,
    "frames": make_frames,
    "something": make_something,
    "jester": make_jester,
    "kinetics": make_kinetics,
    "ucf101": make_ucf101,
    "hmdb51": make_hmdb51,
}
