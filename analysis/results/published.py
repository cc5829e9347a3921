"""Numbers that others have printed: `published.yaml`, each entry with its source."""

from collections.abc import Collection
from functools import cache
from pathlib import Path

import yaml

from vlf.config import Config

FILE = Path(__file__).parents[1] / "published.yaml"


class Published(Config):
    """One model of a paper or a model zoo.

    Attributes:
        model: Name of the architecture here.
        label: As its authors call it.
        data: Dataset of the accuracy.
        frames: Of one view.
        size: Pixels a side.
        source: Where the accuracy stands.
        views: Clips x crops, as "4x3"; "" where the source does not say.
        parameters: In millions; None where none is at hand, as for the next two.
        macs: GMACs of one view.
        top1: In percent.
        counts: Where parameters and MACs stand, if not in the source.
        note: What a reader must know.
    """

    model: str
    label: str
    data: str
    frames: int
    size: int
    source: str
    views: str = ""
    parameters: float | None = None
    macs: float | None = None
    top1: float | None = None
    counts: str = ""
    note: str = ""


@cache
def read_published() -> tuple[Published, ...]:
    """All entries, in the file's order."""
    entries = yaml.safe_load(FILE.read_text("utf-8"))
    return tuple(Published.model_validate(entry) for entry in entries)


def published_of(models: Collection[str]) -> list[Published]:
    """Entries of these architectures."""
    return [entry for entry in read_published() if entry.model in models]
