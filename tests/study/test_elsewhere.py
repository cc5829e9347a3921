"""Records of another folder are found by config and seed, whichever code and device made them."""

import dataclasses

import pytest
from test_plan import STUDY, find, plan, record_for

from study.elsewhere import outcomes_elsewhere
from study.spec import load_study
from study.store import Store


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return load_study(path)


def test_records_of_other_code_and_device_are_found_and_of_another_seed_are_not(study, tmp_path):
    made = plan(study, Store(tmp_path / "results"))
    job = find(made, "train", "VLF", 1)
    other = Store(tmp_path / "other")
    key = dataclasses.replace(job.key, identity="0" * 64, fingerprint="1" * 64)
    record = record_for(job, identity=key.identity, fingerprint=key.fingerprint, device="cuda")
    other.add(key, record)

    found = outcomes_elsewhere(made, tmp_path / "other")

    assert [outcome.record for outcome in found if outcome.record] == [record]
    (one,) = [outcome for outcome in found if outcome.record]
    assert (one.cell, one.seed, one.status) == ("variant=VLF", 1, "reused")
    assert [outcome.cell for outcome in found] == [job.cell.name for job in made.jobs]


def test_an_option_that_the_other_code_did_not_have_is_passed_over_and_a_value_is_not(
    study, tmp_path
):
    made = plan(study, Store(tmp_path / "results"))
    job = find(made, "train", "VLF", 0)
    other = Store(tmp_path / "other")
    train = {k: v for k, v in job.key.config["train"].items() if k != "processes"}
    for number, changed in enumerate(({}, {"epochs": 99})):
        config = {**job.key.config, "train": {**train, **changed}}
        key = dataclasses.replace(job.key, identity=f"{number}" * 64)
        other.add(key, record_for(job, identity=key.identity, config=config))

    found = [one for one in outcomes_elsewhere(made, tmp_path / "other") if one.record]

    assert [one.record.identity for one in found] == ["0" * 64]


def test_a_timing_comes_with_the_baselines_of_its_run(study, tmp_path):
    made = plan(study, Store(tmp_path / "results"))
    other = Store(tmp_path / "other")
    for run, variants in (("first", ("VLF", "TSN")), ("second", ("TSN",))):
        for variant in variants:
            job = find(made, "cost", variant)
            started = f"2026-01-0{1 if run == 'first' else 2}T00:00:00"
            other.add(job.key, record_for(job, timing_run=run, attempt=run, started=started))

    elsewhere = outcomes_elsewhere(made, tmp_path / "other")
    found = {one.cell: one for one in elsewhere if one.kind == "cost"}

    tsn = found["variant=TSN"]
    assert tsn.record.timing_run == "first"  # the newer one has no baseline beside it
    assert tsn.reference.timing_run == "first"
