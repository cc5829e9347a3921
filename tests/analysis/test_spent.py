"""Hours of records that are written by hand."""

import pytest

from analysis.results.provenance import spent
from study.records.record import Measurement, Record


def record(kind, device, seconds, config, trained=None, **changes):
    measured = (Measurement("training_time", "s", "lower", (trained,)),) if trained else ()
    values = {
        "kind": kind,
        "identity": "0" * 64,
        "status": "done",
        "config": config,
        "seed": 0 if kind == "train" else None,
        "device": device,
        "fingerprint": "",
        "measurements": measured,
        "environment": {},
        "attempt": "one",
        "started": "2026-01-01T00:00:00",
        "seconds": seconds,
    }
    return Record(**{**values, **changes})


@pytest.mark.parametrize(
    ("device", "seconds", "threads", "processes", "hours"),
    [
        ("cpu", 1800.0, 2, 3, (0.5, 0.0, 3.0)),
        ("cuda", 7200.0, 4, 8, (2.0, 16.0, 0.0)),  # cores beside a GPU are not counted
    ],
)
def test_an_hour_is_one_of_each_thread_or_gpu_of_each_process(
    device, seconds, threads, processes, hours
):
    config = {"train": {"threads": threads, "processes": processes}}

    took = spent([record("train", device, seconds, config)])

    assert (took.wall_hours, took.gpu_hours, took.core_hours) == hours


def test_a_timing_run_counts_once_however_many_cells_it_timed():
    config = {"protocol": {"threads": 2}}
    monday = [record("cost", "cpu", s, config, timing_run="monday") for s in (360.0, 350.0, 360.0)]
    tuesday = record("cost", "cuda", 720.0, config, timing_run="tuesday")

    took = spent([*monday, tuesday])

    assert took.wall_hours == pytest.approx(0.1 + 0.2)
    assert took.gpu_hours == pytest.approx(0.2)
    assert took.core_hours == pytest.approx(0.1 * 2)


def test_a_job_that_went_on_counts_what_all_its_attempts_trained():
    config = {"train": {"threads": 1, "processes": 1}}
    resumed = record("train", "cpu", 600.0, config, trained=3600.0)
    whole = record("train", "cpu", 1800.0, config, trained=1700.0)

    assert spent([resumed]).core_hours == 1.0
    assert spent([whole]).core_hours == 0.5  # its start and its test are of the job
