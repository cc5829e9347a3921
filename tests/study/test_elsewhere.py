"""Records of another folder are found by config and seed, whichever code and device made them."""

import dataclasses

from plans import find, plan, record_for

from study.plan.other_records import outcomes_elsewhere, with_other_devices
from study.plan.planner import CostPlace, cost_key
from study.records.store import Store


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


def environment_of(place):
    return {"device_model": place.model, "device_name": place.name, "torch": place.torch}


def measure_on(study, store, place, variants, run, **changes):
    """Records as a run on another device would leave them."""
    made = plan(study, store)
    for variant in variants:
        job = find(made, "cost", variant)
        key = cost_key(study, job.cell, place)
        record = record_for(
            job,
            identity=key.identity,
            device=place.device,
            timing_run=run,
            environment=environment_of(place),
            attempt=f"{run}{variant}",
            **changes,
        )
        store.add(key, record)


def elsewhere_of(study, store):
    made = plan(study, store)
    found = with_other_devices(made.outcomes(), made, store)
    assert all(not one.elsewhere for one in found if one.kind == "train")
    return {one.cell.removeprefix("variant="): one for one in found if one.kind == "cost"}


def test_a_copied_record_of_another_device_is_found_beside_the_baseline_and_is_not_ours(
    study, store
):
    nano = CostPlace("cpu", "Small CPU", "jetson-nano", "2.1.0")
    measure_on(study, store, nano, ("VLF", "TSN"), "there")

    found = elsewhere_of(study, store)

    assert {one.status for one in found.values()} == {"not run"}  # this device has measured none
    (tsn,) = found["TSN"].elsewhere
    assert tsn.record.environment == environment_of(nano)
    assert tsn.reference.timing_run == tsn.record.timing_run == "there"
    assert not tsn.is_other_code


def test_this_device_with_another_torch_is_no_other_device(study, store):
    here = plan(study, store).place
    measure_on(study, store, here._replace(torch="1.0"), ("VLF", "TSN"), "old")

    assert not any(one.elsewhere for one in elsewhere_of(study, store).values())


def test_a_machine_of_the_same_model_is_another_device_only_by_its_name(study, store):
    here = plan(study, store).place
    measure_on(study, store, here._replace(name="twin"), ("VLF",), "twin")

    assert len(elsewhere_of(study, store)["VLF"].elsewhere) == 1


def test_another_clip_or_protocol_on_the_other_device_is_not_taken_for_the_cell(study, store):
    nano = CostPlace("cpu", "Small CPU", "", "2.1.0")
    other = study.cost.model_copy(update={"threads": 4})
    measure_on(dataclasses.replace(study, cost=other), store, nano, ("VLF", "TSN"), "four threads")

    assert not any(one.elsewhere for one in elsewhere_of(study, store).values())


def test_a_cell_that_failed_on_the_other_device_is_a_failure_there(study, store):
    nano = CostPlace("cuda", "Small GPU", "", "2.1.0")
    measure_on(study, store, nano, ("VLF",), "run")
    measure_on(study, store, nano, ("TSN",), "run", status="failed", reason="out of memory")

    found = elsewhere_of(study, store)

    (tsn,) = found["TSN"].elsewhere
    assert (tsn.record.reason, tsn.reference) == ("out of memory", None)
    (vlf,) = found["VLF"].elsewhere
    assert vlf.record.status == "done"


def test_of_several_devices_each_has_a_place_of_its_own(study, store):
    for name in ("one", "two"):
        place = CostPlace("cpu", "Small CPU", name, "2.1.0")
        measure_on(study, store, place, ("VLF", "TSN"), name, fingerprint="0" * 64)

    found = elsewhere_of(study, store)["TSN"].elsewhere

    assert {one.record.environment["device_name"] for one in found} == {"one", "two"}
    assert all(one.is_other_code for one in found)
