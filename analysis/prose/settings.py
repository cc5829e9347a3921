"""Settings of records in words: what all runs share, and what differs between them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.results.results import Results, Variant, short_label
from study.records.record import Record

MOST_NAMED = 6  # cells in a list; more are counted
MOST_VALUES = 12  # of a setting

Done = Sequence[tuple[Variant, Record]]  # finished records of a kind, beside their cells


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and a list below them, as plain text."""

    title: str
    sentences: Sequence[str]
    items: Sequence[str] = ()


@dataclass(frozen=True)
class Settings:
    """One section of the configs of several cells, as their records have it.

    Attributes:
        rows: A cell and its section, for every cell that has a record.
    """

    rows: Sequence[tuple[Variant, Mapping[str, Any]]]

    def where(self, field: str, value: object) -> "Settings":
        """Those that have a value."""
        return Settings([one for one in self.rows if one[1].get(field) == value])

    def values(self, field: str) -> list[Any]:
        """Different values of a field, in the order of the study; an older record may have none."""
        found = {json.dumps(row[field]): row[field] for _, row in self.rows if field in row}
        return list(found.values())

    def say(self, field: str) -> str:
        """The value, or the values that there are: "0.001 or 0.003"."""
        words = [value_words(value) for value in self.values(field)]
        if len(words) > MOST_VALUES:
            return f"{', '.join(words[:3])} and so on to {words[-1]} ({len(words)} values)"
        return listed(words, "or")

    def say_many(self, field: str, word: str) -> str:
        """The same with what is counted: "1 epoch", "8 or 16 epochs"."""
        said = self.say(field)
        return f"{said} {word}" if said == "1" else f"{said} {word}s"

    def is_used(self, field: str) -> bool:
        """True if any value is neither 0, empty, false nor none."""
        return any(bool(value) for value in self.values(field))

    def differing(self, results: Results, skip: Iterable[str] = ()) -> list[str]:
        """Fields that differ between cells -> the cells with each value."""
        names = dict.fromkeys(name for _, row in self.rows for name in row)
        lines = []
        for name in names:
            values = self.values(name)
            if len(values) < 2 or name in skip:
                continue
            parts = [
                f"{value_words(value)} ({cells_words(results, self._having(name, value))})"
                for value in values[:MOST_VALUES]
            ]
            more = len(values) - len(parts)
            parts += [f"and {more} more"] if more else []
            lines.append(f"{name.replace('_', ' ')}: {'; '.join(parts)}")
        return lines

    def _having(self, name: str, value: object) -> list[Variant]:
        return [variant for variant, row in self.rows if name in row and row[name] == value]


def settings_of(pairs: Iterable[tuple[Variant, Mapping[str, Any]]]) -> Settings:
    """Each different section of a cell once: seeds share theirs."""
    found = {
        (variant.cell, json.dumps(row, sort_keys=True)): (variant, row) for variant, row in pairs
    }
    return Settings(list(found.values()))


def cells_words(results: Results, cells: Sequence[Variant]) -> str:
    """Cells by the levels that they and no others share, else one by one, else how many."""
    if len(cells) == len(results.variants):
        return "all cells"
    common = dict(set.intersection(*(set(one.levels.items()) for one in cells)))
    shared = {name: cells[0].levels[name] for name in cells[0].levels if name in common}
    covered = [one for one in results.variants if shared.items() <= one.levels.items()]
    if shared and len(covered) == len(cells):
        return short_label(shared)
    if len(cells) <= MOST_NAMED:
        return listed([one.label for one in cells])
    return f"{len(cells)} cells"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Text such as "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def value_words(value: object) -> str:
    """A setting as a sentence has it; a path is its last part."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Mapping):
        return listed([f"{key} {value_words(one)}" for key, one in value.items()])
    if isinstance(value, list | tuple):
        return listed([value_words(one) for one in value])
    return str(value).rstrip("/").rpartition("/")[2]
