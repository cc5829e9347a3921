"""Samples by cell, metric, part and batch size: what estimates are made of."""

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from study.records.record import Record

_NO_ROWS: NDArray[np.intp] = np.empty(0, dtype=np.intp)

Key = tuple[str, str, str, int]  # cell, metric, part ("" is the whole), batch size (0 is none)


@dataclass(frozen=True)
class Samples:
    """The rows of a tidy frame (analysis/results/frame.py) that are results, found by their key.

    Attributes:
        frame: One row a sample.
        mode: That latency is quoted in; metrics of another one are "latency compile".
    """

    frame: pd.DataFrame
    mode: str

    def values(self, key: Key) -> list[float]:
        """Every sample; none without a result."""
        values: list[float] = self._values[self._rows(key)].tolist()
        return values

    def by_seed(self, key: Key) -> dict[int, float]:
        """Seed -> value."""
        rows = self._rows(key)
        return dict(zip(self._seeds[rows].tolist(), self._values[rows].tolist(), strict=True))

    def by_round(self, key: Key) -> dict[int, float]:
        """Timing round -> median of the samples of that round."""
        rounds, values = self._rounds[self._rows(key)].tolist(), self.values(key)
        if len(found := dict(zip(rounds, values, strict=True))) == len(values):
            return found
        samples: dict[int, list[float]] = {}
        for round_, value in zip(rounds, values, strict=True):
            samples.setdefault(round_, []).append(value)
        return {round_: median(values) for round_, values in samples.items()}

    def parts(self, cell: str, metric: str) -> list[str]:
        """Parts that a metric was counted for."""
        return self._parts.get((cell, metric), [])

    def batch_sizes(self, metric: str) -> list[int]:
        """Batch sizes of any cell, ascending."""
        return self._batch_sizes.get(metric, [])

    def _rows(self, key: Key) -> NDArray[np.intp]:
        return self._index.get(key, _NO_ROWS)

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        return self.frame["value"].to_numpy()

    @cached_property
    def _seeds(self) -> NDArray[np.int64]:
        return self.frame["seed"].fillna(-1).to_numpy(dtype=np.int64)

    @cached_property
    def _rounds(self) -> NDArray[np.int64]:
        return self.frame["round"].fillna(-1).to_numpy(dtype=np.int64)

    @cached_property
    def _index(self) -> dict[Key, NDArray[np.intp]]:
        frame = self.frame
        kept = np.flatnonzero(
            frame["value"].notna()
            & (frame["kind"] != "tune")
            & frame["status"].isin(["done", "reused"])
            & (frame["split"].isna() | (frame["split"] != "train"))
        )
        numbered = frame.iloc[kept]
        keys = [
            numbered["cell"],
            self._metrics_in_modes(numbered),
            numbered["part"].astype(object).fillna(""),
            numbered["batch_size"].fillna(0).astype(int),
        ]
        groups = numbered.groupby(keys, sort=False).indices
        return {cast(Key, key): kept[rows] for key, rows in groups.items()}

    def _metrics_in_modes(self, rows: pd.DataFrame) -> "pd.Series[str]":
        """Names of metrics; in another mode than the quoted one they are names of their own."""
        metric: pd.Series[str] = rows["metric"]
        if "mode" not in rows:
            return metric
        mode = rows["mode"].fillna(self.mode)
        return metric.where(mode == self.mode, metric + " " + mode)

    @cached_property
    def _batch_sizes(self) -> dict[str, list[int]]:
        found: dict[str, set[int]] = {}
        for _, metric, _, batch in self._index:
            if batch:
                found.setdefault(metric, set()).add(batch)
        return {metric: sorted(sizes) for metric, sizes in found.items()}

    @cached_property
    def _parts(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}  # (cell, metric) -> its parts
        for cell, metric, part, _ in self._index:
            if part:
                found.setdefault((cell, metric), []).append(part)
        return found


def record_rounds(record: Record, metric: str, batch: int, mode: str) -> dict[int, float]:
    """Timing round -> sample, of one record in one mode."""
    return {
        round_: value
        for one in record.measurements
        if one.metric == metric and one.part is None and one.conditions.get("batch_size") == batch
        if one.conditions.get("mode", mode) == mode
        for round_, value in zip(one.rounds, one.samples, strict=True)
    }
