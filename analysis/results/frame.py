"""Outcomes -> one tidy DataFrame, which is also `records.csv` for those with their own analysis.

One row a sample. A job without a number keeps one row with its status and reason: a failure is a
row, never a gap.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from study.records.record import Measurement, Outcome, Record

BEFORE = ("cell",)  # then one column a factor
AFTER = ("seed", "kind", "part", "metric", "unit", "better")  # then one column a condition
LAST = (
    "round", "value", "status", "reason", "device", "device_model", "device_name", "timing_run",
    "identity", "fingerprint",
)  # fmt: skip
ALWAYS = ("batch_size", "views", "split")  # conditions that have a column even when none was set
TRIED = "tried"  # of tuning runs, where the study has any: "train.lr=1e-3"
FIXED = frozenset((*BEFORE, *AFTER, *LAST, TRIED))


def tidy(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Rows in the order given; columns `BEFORE`, factors, `AFTER`, conditions, `LAST`, `TRIED`.

    A factor or condition that shares its name with another column is prefixed "factor." or
    "condition.". `round` is the timing round, or the number of the sample where it has none.
    """
    factors = list(dict.fromkeys(name for outcome in outcomes for name in outcome.levels))
    records = [outcome.record for outcome in outcomes if outcome.record]
    measured = (one for record in records for one in record.measurements)
    named = (name for one in measured for name in one.conditions)
    conditions = list(dict.fromkeys((*ALWAYS, *named)))
    factor_columns = {name: f"factor.{name}" if name in FIXED else name for name in factors}
    condition_columns = {
        name: f"condition.{name}" if name in FIXED or name in factors else name
        for name in conditions
    }
    columns = [*BEFORE, *factor_columns.values(), *AFTER, *condition_columns.values(), *LAST]
    columns += [TRIED] if any(outcome.kind == "tune" for outcome in outcomes) else []
    rows = [
        row for one in outcomes for row in _outcome_rows(one, factor_columns, condition_columns)
    ]
    frame = pd.DataFrame(rows, columns=columns)
    for name in ("seed", "round", condition_columns["batch_size"], condition_columns["views"]):
        frame[name] = frame[name].astype("Int64")  # whole numbers stay whole beside gaps
    frame["value"] = frame["value"].astype("float64")
    return frame


def device_model(record: Record) -> str:
    """The model of the device that a record's numbers belong to, as its environment names it."""
    return record.environment.get("device_model") or record.device


def device_label(record: Record) -> str:
    """Name of a device for a reader: its given name, if any, with its model."""
    name = record.environment.get("device_name")
    return f"{name} ({device_model(record)})" if name else device_model(record)


def _outcome_rows(
    outcome: Outcome, factors: Mapping[str, str], conditions: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    common = {
        "cell": outcome.cell,
        **{factors[name]: label for name, label in outcome.levels.items()},
        "seed": outcome.seed,
        "kind": outcome.kind,
        "status": outcome.status,
        "reason": outcome.reason,
        TRIED: ", ".join(f"{key}={label}" for key, label in outcome.tried.items()),
    }
    record = outcome.record
    if record is not None:
        common |= {
            "reason": outcome.reason or record.reason,
            "device": record.device,
            "device_model": device_model(record),
            "device_name": record.environment.get("device_name", ""),
            "timing_run": record.timing_run,
            "identity": record.identity,
            "fingerprint": record.fingerprint,
        }
    if record is None or outcome.status == "failed" or not record.measurements:
        yield common  # a failed record's numbers, if any, are not results
        return
    for measurement in record.measurements:
        for row in _sample_rows(measurement, conditions):
            yield {**common, **row}


def _sample_rows(
    measurement: Measurement, conditions: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    rounds = measurement.rounds or range(len(measurement.samples))
    common = {
        "part": measurement.part,
        "metric": measurement.metric,
        "unit": measurement.unit,
        "better": measurement.better,
        **{conditions[name]: value for name, value in measurement.conditions.items()},
    }
    for round_, value in zip(rounds, measurement.samples, strict=True):
        yield {**common, "round": round_, "value": value}
