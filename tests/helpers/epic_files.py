"""EPIC-KITCHENS-100 in miniature, laid out and annotated as its publishers do."""

import csv

from dataset_files import SHAPE, levels
from film_files import encode, save_images

from vlf.config import EpicKitchensConfig

HEADER = """\
narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,\
start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"""
VERBS = ["take", "put", "let-go"]
NOUNS = ["tap", "board:chopping", "salt"]
SEGMENTS = [  # video, seconds from and to, verb, noun; a video has 10 images a second
    ("P01_01", 0.0, 0.8, 0, 1),
    ("P01_01", 0.8, 1.6, 1, 0),
    ("P22_107", 1.6, 2.4, 2, 2),
]


def make_epic_kitchens(root, source="videos", **changes):
    """A segment of verb k is grey of level 40 k + 20; where no segment is, of level 200."""
    notes = root / "epic-kitchens-100-annotations"
    notes.mkdir(parents=True)
    for kind, names in (("verb", VERBS), ("noun", NOUNS)):
        with (notes / f"EPIC_100_{kind}_classes.csv").open("w", newline="") as file:
            rows = [[number, name, [name, "x"], "other"] for number, name in enumerate(names)]
            csv.writer(file).writerows([["id", "key", "instances", "category"], *rows])
    films = {}
    for split, ending in (("train", ""), ("validation", "9")):
        with (notes / f"EPIC_100_{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerow(HEADER.split(","))
            for number, segment in enumerate(SEGMENTS):
                video, start, stop, verb, noun = segment
                video += ending
                first, last = round(10 * start), round(10 * stop)
                films.setdefault(video, [200] * 30)[first:last] = levels(verb, ending == "9")
                moments = [f"00:00:{second:05.2f}" for second in (start, stop)]
                place = [f"{video}_{number}", video.partition("_")[0], video, "00:00:00.100"]
                said = f'{VERBS[verb]} the "{NOUNS[noun]}", slowly'
                labels = [VERBS[verb], verb, NOUNS[noun], noun, [NOUNS[noun], "x"], [noun, 0]]
                row = [*place, *moments, first + 1, last, said, *labels]
                csv.writer(file).writerow(row)
    for video, film in films.items():
        folder = root / video.partition("_")[0] / source
        if source == "videos":
            encode(folder / f"{video}.MP4", film)
        else:
            save_images(folder / video, film, "frame_{:010d}.jpg")
    classes = {"num_verbs": len(VERBS), "num_nouns": len(NOUNS)}
    return EpicKitchensConfig(root=str(root), source=source, **{**classes, **SHAPE, **changes})
