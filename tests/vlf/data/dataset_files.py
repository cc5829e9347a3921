"""Each dataset in miniature, laid out and annotated as its publisher does.

Every maker fills a folder and returns its config; a video of class k is grey of level 40 k + 20.
"""

import csv
import json

from film_files import encode, save_images

from vlf.config import (
    EpicKitchensConfig,
    FramesConfig,
    HMDB51Config,
    JesterConfig,
    KineticsConfig,
    PackedConfig,
    SomethingConfig,
    UCF101Config,
)
from vlf.data.pack import pack
from vlf.data.pack_source import find_source
from vlf.data.packed import Packing

SHAPE = {"frames": 4, "size": 32}
LENGTH = 8


def levels(label):
    return [40 * label + 20] * LENGTH


def make_frames(root, **changes):
    for label, name in enumerate(["run", "sit down", "wave"]):
        for number in range(2):
            save_images(root / "jpg" / name / f"{number:04d}", levels(label))
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
            encode(films / name / f"{number}.mp4", levels(label))
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
        encode(
            root / "20bn-something-something-v2" / f"{entry['id']}.webm", levels(label), "libvpx"
        )
    return SomethingConfig(root=str(root), **{"num_classes": 3, **SHAPE, **changes})


JESTER = ["Swiping Left", "Drumming Fingers", "Doing other things"]


def make_jester(root, **changes):
    (root / "labels").mkdir(parents=True)
    (root / "labels" / "labels.csv").write_text("".join(f"{name}\n" for name in JESTER))
    for first, split in [(34870, "train"), (100, "validation")]:
        rows = "".join(f"{i},\"{one}\",\"['{one}', 'x']\",\"x\"
" for i, one in enumerate(names))
        (notes / f"EPIC_100_{kind}_classes.csv").write_text(f"id,key,instances,category\n{rows}")
    films = {}
    for split, number in (("train", 1), ("validation", 9)):
        with (notes / f"EPIC_100_{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(EPIC_HEADER.split(","))
            for row, (video, start, stop, verb, noun) in enumerate(EPIC_SEGMENTS):
                name = video if number == 1 else f"{video}9"
                nouns = [EPIC_NOUNS[noun], EPIC_NOUNS[0]]
                first, last = round(10 * start), round(10 * stop)
                films.setdefault(name, [200] * 30)[first:last] = levels(verb)
                place = [name.partition("_")[0], name]
                moments = [f"00:00:{second:05.2f}" for second in (start, stop)]
                said = f'{EPIC_VERBS[verb]} the "{nouns[0]}", slowly'
                before = [f"{name}_{row}", *place, "00:00:00.100", *moments, first + 1, last, said]
                labels = [EPIC_VERBS[verb], verb, nouns[0], noun, nouns, [noun, 0]]
                writer.writerow([*before, *labels])
    for name, film in films.items():
        folder = root / name.partition("_")[0] / source
        if source == "videos":
            encode(folder / f"{name}.MP4", film)
        else:
            save_images(folder / name, film, "frame_{:010d}.jpg")
    classes = {"num_verbs": len(EPIC_VERBS), "num_nouns": len(EPIC_NOUNS)}
    return EpicKitchensConfig(root=str(root), source=source, **{**classes, **SHAPE, **changes})


MAKERS = {
    "packed": make_packed,
    "frames": make_frames,
    "something": make_something,
    "jester": make_jester,
    "kinetics": make_kinetics,
    "ucf101": make_ucf101,
    "hmdb51": make_hmdb51,
}
