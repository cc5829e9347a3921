"""What a plan will take, in words and as values: device-hours, disk, and whether that fits."""

from typing import Any

from study.estimate.estimate import Estimate
from study.plan.planner import Plan

UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
DEVICE = {"cuda": "GPU-hours", "cpu": "CPU-hours (hours of one core)"}


def needs_in_words(plan: Plan, expected: Estimate) -> list[str]:
    """Lines below the table of a plan that has something to run."""
    disk = expected.disk
    hours = f"about {_number(expected.device_hours)} {DEVICE[plan.device]}"
    if expected.unknown:
        hours = "not known how long, since the number of clips is not known"
    lines = [f"training: {hours}, by {expected.basis}"] if plan.study.seeds else []
    lines += expected.assumed
    records, artifacts = size(disk.records), size(disk.artifacts)
    features = f", features of frozen backbones {size(disk.features)}" if disk.features else ""
    lines.append(
        f"disk: about {size(disk.stays)} (predictions and curves {artifacts}, records and report "
        f"{records}{features}), and up to {size(disk.checkpoints)} of checkpoints while it runs; "
        f"{size(disk.free)} are free"
    )
    if disk.most > disk.free:
        lines.append(
            f"warning: it does not fit on the disk of the results folder: about {size(disk.most)} "
            f"are needed and {size(disk.free)} are free"
        )
    return lines


def needs_as_values(plan: Plan, expected: Estimate) -> dict[str, Any]:
    """The same for a script."""
    disk = expected.disk
    return {
        "device_hours": None if expected.unknown else round(expected.device_hours, 3),
        "device_hours_are": "GPU-hours" if plan.device == "cuda" else "core-hours",
        "device_hours_by": expected.basis,
        "assumed": list(expected.assumed),
        "disk_bytes": {
            "records": disk.records,
            "artifacts": disk.artifacts,
            "features": disk.features,
            "checkpoints": disk.checkpoints,
            "free": disk.free,
        },
    }


def size(count: float) -> str:
    """Bytes in words: "1.2 GB", powers of 1000."""
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} bytes"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
