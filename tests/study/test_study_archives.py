"""Archives of studies: written, and imported elsewhere."""

import dataclasses
import os
import shutil
import zipfile
from pathlib import Path

from made_results import add, contents, main, plan_of, record_of

from study.records.record import Record
from study.records.store import Store


def test_an_archive_holds_what_a_plan_and_a_report_need_and_taken_in_all_is_reused(origin, here):
    code, out, err = main("order.zip", "--import")

    assert (code, err) == (0, "")
    assert "6 records: 6 new, 0 here already" in out
    there, now = contents(origin / "results"), contents(here / "results")
    for place in ("records/", "artifacts/", "order/claims.json"):
        assert {k: v for k, v in there.items() if k.startswith(place)} == {
            k: v for k, v in now.items() if k.startswith(place)
        }
    assert "order/report.html" not in now  # code of others; made here by --report
    (study,) = Path("results/studies").glob("*/ablations/order.yaml")
    assert f"its study file: {study}" in out
    assert "6 planned = 0 done + 6 reused" in main(study, "--status")[1]
    assert "nothing to remove" in main(study, "--gc")[1]


def test_the_same_content_is_the_same_bytes(origin, here, monkeypatch):
    main("order.zip", "--import")
    other = here / "elsewhere"
    shutil.copytree(origin, other)
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    monkeypatch.chdir(other)
    assert main("order.yaml", "--archive", "again.zip")[0] == 0

    assert (other / "again.zip").read_bytes() == (origin / "order.zip").read_bytes()


def test_any_zip_program_reads_it(here):
    with zipfile.ZipFile("order.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names[0] == "manifest.json"
    assert "study/ablations/base.yaml" in names
    assert "report/tables/main.csv" in names


def test_an_archive_is_never_written_over_a_file(origin, monkeypatch):
    monkeypatch.chdir(origin)
    before = contents(origin)

    code, _, err = main("order.yaml", "--archive", "order.zip")

    assert code == 2
    assert "order.zip is there already" in err
    assert contents(origin) == before


def test_a_study_that_is_not_finished_is_archived_as_it_is_and_said_so(origin, here, monkeypatch):
    other = here / "elsewhere"
    shutil.copytree(origin, other)
    monkeypatch.chdir(other)
    gone, damaged = sorted((other / "results" / "records").glob("train-*.json"))[:2]
    files = [
        other / "results" / Record.from_json(one.read_text()).artifacts["predictions"].path
        for one in (gone, damaged)
    ]
    gone.unlink()
    files[1].write_bytes(b"other")

    code, out, err = main("order.yaml", "--archive", "part.zip")
    assert code == 2
    assert f"{files[1].relative_to(other)} is damaged" in err
    assert not list(other.glob("*part*"))

    files[1].unlink()
    code, out, err = main("order.yaml", "--archive", "part.zip")
    assert code == 1
    assert "1 of 6 jobs have no record" in out
    assert f"left out: predictions of {damaged.name}" in out
    assert main("part.zip", "--import", "--results", "new")[0] == 0


def test_the_first_complete_record_wins_and_a_damaged_file_is_mended(here):
    main("order.zip", "--import")
    root = Path("results")
    first, second, third = sorted((root / "records").glob("train-*.json"))[:3]
    record = Record.from_json(first.read_text("utf-8"))
    ours = dataclasses.replace(record, seconds=7.0, attempt="c" * 12, artifacts={}).to_json()
    first.write_text(ours, "utf-8")
    second.write_text("torn", "utf-8")
    file = root / Record.from_json(third.read_text("utf-8")).artifacts["predictions"].path
    content = file.read_bytes()
    file.write_bytes(b"torn")
    (root / "order" / "claims.json").write_text("{}", "utf-8")

    code, out, _ = main("order.zip", "--import")

    assert code == 0
    assert "6 records: 1 new, 4 here already, 1 other than those here, which stay" in out
    assert f"different: records/{first.name}" in out
    assert "the claims have a history here, which stays" in out
    assert first.read_text("utf-8") == ours
    assert Record.from_json(second.read_text("utf-8")).status == "done"
    assert file.read_bytes() == content
    assert (root / "order" / "claims.json").read_text("utf-8") == "{}"
    assert not list(root.glob(".import-*"))


def test_a_failed_record_goes_along_and_counts_there(origin, here, monkeypatch):
    other = here / "elsewhere"
    shutil.copytree(origin, other)
    monkeypatch.chdir(other)
    (other / "results" / "records" / f"{plan_job().key.name}.json").unlink()
    job = plan_job()
    for attempt in ("c" * 12, "d" * 12, "e" * 12):
        failed = record_of(job, status="failed", reason="no luck", attempt=attempt)
        Store(Path("results")).add(job.key, failed)
    assert main("order.yaml", "--archive", "failed.zip")[0] == 1
    assert main("failed.zip", "--import", "--results", "new")[0] == 0

    assert (
        "5 reused + 0 skipped + 1 failed" in main("order.yaml", "--status", "--results", "new")[1]
    )


def plan_job():
    plan = plan_of(Path("order.yaml"), Path("results"))
    return next(job for job in plan.jobs if job.kind == "train")


def test_what_another_study_left_is_not_taken_along(origin, here, monkeypatch):
    other = here / "elsewhere"
    shutil.copytree(origin, other)
    monkeypatch.chdir(other)
    plan = plan_of(Path("order.yaml"), Path("results"), ["train.epochs=9"])
    for job in plan.training:
        add(Store(Path("results")), job)

    main("order.yaml", "--archive", "again.zip")

    assert (other / "again.zip").read_bytes() == (origin / "order.zip").read_bytes()
