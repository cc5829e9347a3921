"""`--gc` on folders made by hand: what goes, what stays, and why."""

import dataclasses
import os
import shutil
import subprocess
import sys

import pytest
from made_results import STUDY, add, age, contents, fill, main, plan_of, record_of

from study.executors.slurm.submissions import Entry, new_submission, write_submission
from study.plan.known_studies import keep_study
from study.records.lease import Leases
from study.records.store import Store

OTHER = "f" * 64
VARIANT = "e" * 16
ATTEMPT = "b" * 12


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path


@pytest.fixture
def results(study, tmp_path):
    """A folder in which the study was run to its end."""
    root = tmp_path / "results"
    keep_study(plan_of(study, root).study, "cpu", root)
    fill(study, root)
    return root


def gc(study, *options, code=0):
    got, out, err = main(study, "--gc", *options)
    assert got == code, out + err
    assert err == ""
    return out


def put(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def job_of(plan, kind, number=0):
    return [job for job in plan.jobs if job.kind == kind][number]


def test_a_folder_with_nothing_but_what_its_study_needs_is_left_alone(study, results):
    before = contents(results)

    assert "nothing to remove" in gc(study)
    assert "nothing to remove" in gc(study, "--yes")
    assert contents(results) == before


def make_debris(results, plan):
    """What may go whatever studies there are."""
    done = job_of(plan, "train").key
    made = [
        put(results / "records" / f".{ATTEMPT}-12345678.draft"),
        put(results / "artifacts" / f"{done.stem}.{ATTEMPT}.predictions.draft"),
        put(results / "artifacts" / f"{done.stem}.{ATTEMPT}.predictions.npz"),  # no record has it
        put(results / "records" / "damaged" / f"train-{OTHER}.{VARIANT}.json"),
        put(results / "artifacts" / "damaged" / "torn.npz"),
        put(results / "attempts" / done.stem / ATTEMPT / "checkpoint.pt").parents[1],
        put(results / "leases" / f"train-{OTHER}.{VARIANT}.1.json", b"{}"),
        put(results / "slurm" / "code" / ".0123.going" / "run_study.py").parent,
        put(results / ".import-0123456789ab" / "records" / "x").parents[1],
    ]
    for path in made:
        age(path)
    return made


def make_unneeded(study, results):
    """What no study has a use for: of an earlier version of the file, and of other code."""
    earlier = study.with_name("earlier.yaml")
    earlier.write_text(STUDY.replace("epochs: 2", "epochs: 7"), "utf-8")
    old = fill(earlier, results)
    made = [results / "records" / f"{job.key.name}.json" for job in old.training]
    made += (results / "artifacts").glob(f"{job_of(old, 'train').key.identity}.*")
    made += [
        path for job in old.training[1:] for path in results.glob(f"artifacts/{job.key.stem}.*")
    ]
    key = job_of(plan_of(study, results), "train").key
    stale = dataclasses.replace(key, fingerprint="older")
    record = record_of(job_of(plan_of(study, results), "train"), fingerprint="older")
    Store(results).add(stale, record)
    failed = dataclasses.replace(
        record, status="failed", reason="no luck", fingerprint=key.fingerprint
    )
    Store(results).add(key, failed)
    made += [
        results / "records" / f"{stale.name}.json",
        results / "records" / f"{key.name}.failed-{'a' * 12}.json",
        put(results / "features" / OTHER / "backbone" / "train" / "000001.0").parents[2],
        put(results / "scaled" / f"{OTHER}.json", b'{"values": {}}'),
        put(results / "attempts" / f"{OTHER}.{VARIANT}" / ATTEMPT / "checkpoint.pt").parents[1],
        put(results / "slurm" / "code" / "0123456789abcdef" / "run_study.py").parent,
    ]
    age(*made[-4:])
    earlier.unlink()
    return made


def test_it_shows_what_would_go_and_removes_only_when_told_to(study, results):
    needed = contents(results)
    plan = plan_of(study, results)
    debris, unneeded = make_debris(results, plan), make_unneeded(study, results)
    before = contents(results)

    shown = gc(study)

    assert contents(results) == before
    for word in (
        "no study known here has this job",
        "made by other code or defaults, and again since",
        "failed, and done since",
        "its attempt left no record",
        "their jobs are recorded",
        "their holders are gone",
        "they were damaged",
        "left by a command that is gone",
        "nothing was removed; --gc --yes removes these",
    ):
        assert word in shown, word

    told = gc(study, "--yes")

    assert "removed " in told
    assert contents(results) == needed
    assert not any(path.exists() for path in [*debris, *unneeded])
    assert "6 planned = 0 done + 6 reused" in main(study, "--status")[1]


def test_every_known_study_is_asked_and_a_forgotten_one_is_not(study, results):
    other = study.with_name("other.yaml")
    other.write_text(STUDY.replace("epochs: 2", "epochs: 7"), "utf-8")
    keep_study(plan_of(other, results).study, "cpu", results)
    keep_study(plan_of(study, results, ["train.lr=0.5"]).study, "cpu", results)
    fill(other, results)
    fill(study, results, ["train.lr=0.5"])
    other.unlink()  # what was kept of it is enough
    before = contents(results)

    assert "nothing to remove" in gc(study, "--yes")
    assert contents(results) == before

    for path in (results / "studies").glob("other.*"):
        path.unlink()
    assert "no study known here has this job" in gc(study, "--yes")
    assert len(list((results / "records").glob("train-*.json"))) == 8


def test_a_record_of_other_code_stays_while_its_job_has_no_other(study, results):
    plan = plan_of(study, results)
    shutil.rmtree(results / "records")
    for job in plan.jobs:
        key = dataclasses.replace(job.key, fingerprint="older")
        Store(results).add(key, record_of(job, fingerprint="older"))
    records = contents(results / "records")

    gc(study, "--yes")

    assert contents(results / "records") == records
    assert "0 done + 6 reused" in main(study, "--status", "--accept-code")[1]


def test_costs_of_other_devices_and_torches_stay(study, results):
    plan = plan_of(study, results)
    job = job_of(plan, "cost")
    for place in (
        plan.place._replace(model="another CPU"),
        plan.place._replace(name="the one below the desk"),
        plan.place._replace(model="another CPU", torch="2.0"),
    ):
        from study.plan.planner import cost_key

        key = cost_key(plan.study, job.cell, place)
        told = {"device_model": place.model, "torch": place.torch, "device_name": place.name}
        record = record_of(job, identity=key.identity, environment=told, fingerprint="theirs")
        Store(results).add(dataclasses.replace(key, fingerprint="theirs"), record)
    before = contents(results)

    gc(study, "--yes")

    assert contents(results) == before


@pytest.mark.parametrize("how", ["torn", "edited", "data", "report"])
def test_records_stay_if_it_cannot_be_told_what_a_study_needs(study, results, how):
    debris, unneeded = make_debris(results, plan_of(study, results)), make_unneeded(study, results)
    if how == "torn":
        put(results / "studies" / "other.01234567.json", b"{")
    elif how == "edited":
        other = study.with_name("other.yaml")
        other.write_text(STUDY, "utf-8")
        keep_study(plan_of(other, results).study, "cpu", results)
        other.write_text(STUDY.replace("epochs", "epoch"), "utf-8")
    elif how == "data":
        other = study.with_name("other.yaml")
        text = STUDY.replace("name: motion", "name: ucf101, root: nowhere")
        for name in ("train_clips: 48, ", "val_clips: 16, ", "test_clips: 32"):
            text = text.replace(name, "")
        other.write_text(text, "utf-8")
        keep_study(plan_of(other, results).study, "cpu", results)
    else:
        put(results / "deep" / "other" / "report.html")

    told = gc(study, "--yes", code=1)

    assert told.count("cannot be told: ") == 1
    assert "so records, and all that studies share, stay" in told
    assert not any(path.exists() for path in debris)
    assert all(path.exists() for path in unneeded)


def test_records_from_before_the_folder_kept_studies_stay(study, tmp_path):
    results = tmp_path / "results"
    earlier = study.with_name("earlier.yaml")
    earlier.write_text(STUDY.replace("epochs: 2", "epochs: 7"), "utf-8")
    for job in plan_of(earlier, results).training:
        add(Store(results), job, started="2020-01-01T00:00:00.000+00:00")
    old = contents(results)
    keep_study(plan_of(study, results).study, "cpu", results)

    gc(study, "--yes")

    assert old.items() <= contents(results).items()


def test_what_a_person_put_there_stays(study, results):
    names = ["records/notes.txt", "records/.gitkeep", "artifacts/mine.npz", "attempts/mine/x"]
    names += ["features/readme", "scaled/mine.json", "figures/mine.pdf", "order/notes.md"]
    for name in names:
        age(put(results / name))
    outside = put(study.with_name("outside") / "kept")
    (results / "attempts" / f"{OTHER}.{VARIANT}").symlink_to(outside.parent)

    told = gc(study, "--yes")

    assert all((results / name).exists() for name in names)
    assert "no study known here needs it" in told  # the link alone has gone
    assert not (results / "attempts" / f"{OTHER}.{VARIANT}").is_symlink()
    assert outside.exists()


def test_while_a_lease_is_held_nothing_but_debris_goes(study, results):
    plan = plan_of(study, results)
    debris, unneeded = make_debris(results, plan), make_unneeded(study, results)
    name = f"train-{OTHER}.{'0' * 16}"
    with Leases(results) as leases:
        assert leases.take(name)
        told = gc(study, "--yes", code=1)
        held = list((results / "leases").iterdir())
    assert f"at work: process {os.getpid()} on" in told
    assert len(held) == 1
    assert all(path.exists() for path in unneeded)
    assert not any(path.exists() for path in debris)
    assert gc(study, "--yes")
    assert not any(path.exists() for path in unneeded)


def test_the_lease_of_a_process_that_was_killed_is_debris_at_once(study, results):
    code = (
        "import os, signal, sys; from pathlib import Path; from study.records.lease import Leases\n"
        f"Leases(Path({str(results)!r})).take('timing'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -9
    assert len(list((results / "leases").iterdir())) == 1

    assert "their holders are gone" in gc(study, "--yes")
    assert list((results / "leases").iterdir()) == []


def test_drafts_of_today_and_leases_of_other_machines_stay(study, results):
    made = [
        put(results / "records" / f".{ATTEMPT}-12345678.draft"),
        put(results / ".import-0123456789ab" / "x"),
        put(results / "leases" / "timing.3.json", b'{"host": "other", "pid": 7, "machine": "m"}'),
    ]

    told = gc(study, "--yes")

    assert "at work: process 7 on other" in told
    assert all(path.exists() for path in made)


QUEUE = '#!/bin/sh\nname=$(cat "$(dirname "$0")/queue")\n[ -n "$name" ] || exit 0\n'
QUEUE += 'echo "$name|0|RUNNING|None|node1|17"\n'


@pytest.mark.parametrize("queue", ["running", "ended", "silent", "another person's"])
def test_what_slurm_is_at_stays_and_what_is_over_goes(study, results, tmp_path, monkeypatch, queue):
    """The queue is told by a program of squeue's name, as a cluster's would."""
    unneeded = make_unneeded(study, results)
    one = new_submission("train", str(study), ((Entry(f"{OTHER}.{VARIANT}", ATTEMPT, "x"),),), 60)
    write_submission(results, dataclasses.replace(one, job="17"))
    folder = results / "slurm" / one.name
    age(folder)
    if queue == "another person's":
        if os.geteuid() != 0:
            pytest.skip("a file can be given to another person by root alone")
        os.chown(folder, 12345, -1)
    bin_folder = tmp_path / "bin"
    put(bin_folder / "squeue", QUEUE.encode() if queue != "silent" else b"#!/bin/sh\nexit 1\n")
    (bin_folder / "squeue").chmod(0o755)
    put(bin_folder / "queue", one.job_name.encode() if queue == "running" else b"")
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")

    told = gc(study, "--yes", code=0 if queue == "ended" else 1)

    assert ("perhaps SLURM" in told) == (queue != "ended")
    assert folder.exists() == (queue != "ended")
    assert all(path.exists() == (queue != "ended") for path in unneeded)


def test_a_submission_whose_end_no_plan_has_written_down_yet_stays(study, results):
    plan = plan_of(study, results)
    job = job_of(plan, "train")
    (results / "records" / f"{job.key.name}.json").unlink()
    one = new_submission("train", str(study), ((Entry(job.key.stem, ATTEMPT, "x"),),), 60)
    write_submission(results, one)
    age(results / "slurm" / one.name)

    main(study, "--gc", "--yes")  # 1 on a machine without SLURM, where it may be queued

    assert (results / "slurm" / one.name).exists()


def test_a_run_that_begins_meanwhile_stops_the_removal(study, results):
    from study.manage.garbage import survey
    from study.manage.gc import remove

    make_unneeded(study, results)
    found = survey(results, plan_of(study, results).study, "cpu")
    before = contents(results / "records")
    with Leases(results) as leases:
        leases.take("timing")
        assert remove(results, found.may_go, found.traces) == 0
    assert contents(results / "records") == before
    assert remove(results, found.may_go, found.traces) == len(found.may_go)


KILLED = """
import sys, os, signal
import run_study
def watch(event, args):
    left = [len(os.listdir(f"results/{name}")) for name in ("records", "artifacts")]
    if left[0] <= int(sys.argv[1]) and left[1] <= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(lambda event, args: watch(event, args) if event == "os.remove" else None)
run_study.main(["order.yaml", "--gc", "--yes"])
"""


@pytest.mark.parametrize("left", [(90, 999), (60, 999), (6, 60), (6, 20)])
def test_after_a_kill_at_any_point_no_record_lacks_its_files_and_the_rest_goes_next(
    study, results, root, left
):
    needed = contents(results)
    many = STUDY.replace("seeds: [0, 1]", f"seeds: [{', '.join(map(str, range(50, 100)))}]")
    earlier = study.with_name("earlier.yaml")
    earlier.write_text(many.replace("epochs: 2", "epochs: 7"), "utf-8")
    fill(earlier, results)
    earlier.unlink()
    everything = contents(results)
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, left)], cwd=study.parent, env=environment
    )

    assert done.returncode == -9
    after = contents(results)
    assert needed.items() <= after.items() <= everything.items()
    assert len(after) < len(everything)
    store = Store(results)
    for record in store.all_done():
        assert all((results / one.path).exists() for one in record.artifacts.values())
    assert store.damaged == []
    gc(study, "--yes")
    assert contents(results) == needed
