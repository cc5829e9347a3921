"""Number of clips that a run reads, also if its data are on another machine. No torch."""

from dataclasses import dataclass
from functools import lru_cache

from vlf.config import DataConfig

# (dataset, classes) -> clips of its training and of its test split, for plans made where its lists
# are not. Something-Something V2 as its lists in VideoMAEv2 (docs/DATASET.md); Kinetics as the
# copies that mmaction2 trains on (tools/data/kinetics): YouTube has lost some since. Jester, UCF101
# and HMDB51 (first split) as published; EPIC-KITCHENS-100 as in arXiv:2006.13256, of 97 verbs and
# 300 nouns. Where the test list is hidden, validation is the test.
PUBLISHED = {
    ("something", 174): (168_913, 24_777),
    ("jester", 27): (118_562, 14_787),
    ("kinetics", 400): (240_436, 19_796),
    ("kinetics", 600): (383_393, 27_910),
    ("kinetics", 700): (542_357, 34_824),
    ("ucf101", 101): (9_537, 3_783),
    ("hmdb51", 51): (3_570, 1_530),
    ("epic_kitchens", 397): (67_217, 9_668),
}


@dataclass(frozen=True)
class Clips:
    """Numbers of clips of one run.

    Attributes:
        train: Training clips a pass; 0 where nothing tells.
        test: Test clips; 0 where nothing tells.
        is_published: Whether the lists are not here and published sizes stand in.
    """

    train: int
    test: int
    is_published: bool


@lru_cache(maxsize=4096)  # thousands of jobs share a dataset, and its list may be long
def clips_of(data: DataConfig) -> Clips:
    """Clips of a dataset, by its own lists where they are here."""
    train, test = data.train_size(), _test_size(data)
    published = PUBLISHED.get((data.name, data.classes), (0, 0))
    known = [min(size, data.limit or size) for size in published]
    return Clips(train or known[0], test or known[1], not train and known[0] > 0)


def _test_size(data: DataConfig) -> int:
    if data.name == "motion":
        return min(data.test_clips, data.limit or data.test_clips)
    if not {"train", "test"} <= set(type(data).model_fields):
        return 0
    # Lists of a dataset are written alike: the test list is counted as a training list is.
    return data.model_copy(update={"train": getattr(data, "test", "")}).train_size()
