"""The command on a real scheduler, with real kills. The longest ones are marked slow."""

import json
import os
import re
import signal

import pytest
from slurm_runs import (
    ask,
    jobs,
    kill,
    logs,
    records,
    start,
    training_processes,
    until,
    write_study,
)
from study_runs import answers, copy_costs, run

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(600)]


def test_the_same_records_as_with_the_process_executor(tmp_path):
    there, here = write_study(tmp_path / "there"), write_study(tmp_path / "here")

    out = run(there, "--slurm", "gpus_per_node=1").stdout
    copy_costs(there.parent / "results", here.parent / "results")
    run(here, "--executor", "process")

    assert "4 planned = 4 done + 0 reused + 0 skipped + 0 failed + 0 not run" in out
    on_slurm = answers(there.parent / "results")
    assert len(on_slurm) == 2
    assert on_slurm == answers(here.parent / "results")
    environment = records(there.parent, kind="cost")[0]["environment"]
    assert len(environment["commit"]) == 40  # of the copy that was submitted
    assert environment["dirty"] in ("yes", "no")


def test_detach_then_status_from_a_new_process_then_attach_without_training_again(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, epochs=60, slurm="mem_gb: 2, array_parallelism: 1")

    out = run(study, "--detach").stdout
    assert "2 jobs are with SLURM" in out
    assert len(jobs(tmp_path, "RUNNING", "PENDING")) == 2

    until(lambda: [j for j in jobs(tmp_path, "RUNNING") if "_" in j[0]])
    running = [job for job, _ in jobs(tmp_path, "RUNNING") if "_" in job]
    assert len(running) == 1  # the array's parallelism
    until(lambda: "started" in logs(tmp_path))

    def reasons():
        status = json.loads(run(study, "--status", "--json", code=1).stdout)
        return [job["reason"] for job in status["jobs"] if job["kind"] == "train"]

    def says(said, start):
        return any(reason.startswith(start) and "log" in reason for reason in said)

    said = until(lambda: (said := reasons()) and says(said, "running on node") and said)
    assert any(reason.startswith("pending:") for reason in said)

    out = run(study).stdout
    assert "are in the queue already" in out
    assert "submitted 2 cells" not in out
    assert "0 failed + 0 not run" in out
    assert logs(tmp_path).count("started") == 2  # each once


def test_the_submitter_is_killed_and_a_second_one_finishes_the_study(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, epochs=15)
    first = start(study)
    until(lambda: jobs(tmp_path, "RUNNING"))
    until(lambda: list(tmp_path.glob("results/slurm/*/at-*")))
    first.send_signal(signal.SIGKILL)
    first.wait()
    until(lambda: len(records(tmp_path)) == 2)  # they went on without it

    out = run(study).stdout

    assert "0 failed + 0 not run" in out
    assert logs(tmp_path).count("started") == 2


def test_costs_in_the_queue_are_not_taken_for_those_of_other_cells(tmp_path):
    study = write_study(tmp_path)
    run(study, "--only", "variant=VLF", "--detach")

    out = run(study).stdout  # costs of TSN are in no job yet

    assert out.count("submitted costs as job") == 1
    assert "0 failed + 0 not run" in out
    assert len({record["identity"] for record in records(tmp_path, kind="cost")}) == 2


def test_ctrl_c_ends_the_watching_and_not_the_jobs(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, epochs=15)
    first = start(study)
    until(lambda: "started" in logs(tmp_path))

    first.send_signal(signal.SIGINT)

    assert first.wait() == 130
    assert "the jobs stay with SLURM" in (tmp_path / "out.txt").read_text()
    assert "0 failed + 0 not run" in run(study).stdout
    assert logs(tmp_path).count("started") == 2


def test_cells_that_raise_are_rows_and_stop_no_other(tmp_path):
    study = write_study(tmp_path, retries=0)
    options = (
        "--set",
        "train.optimizer=sgd",
        "--set",
        "train.lr=100",
        "--set",
        "train.clip_norm=0",
    )

    out = run(study, *options, "--set", "train.warmup_epochs=0", code=1).stdout

    assert re.search(r"diverged: .+ in epoch \d+; try a train\.lr below 100", out)
    assert re.search(r"[12] failed \+ 0 not run", out)
    assert len(records(tmp_path, kind="cost")) == 2


def test_a_killed_cell_and_one_out_of_memory_say_so_and_a_plain_run_tries_again(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, epochs=200)
    first = start(study, "--only", "variant=VLF")
    until(lambda: "epoch 1/" in logs(tmp_path))
    (pid,) = training_processes(tmp_path)
    kill(pid)
    assert first.wait() == 1
    (failed,) = records(tmp_path, "failed")
    assert failed["reason"].startswith("its job ended (FAILED) on node")

    out = run(study, "--only", "variant=TSN", "--slurm", "mem_gb=0.1", code=1).stdout
    assert "out of memory on node" in out
    assert "run.slurm.mem_gb asks for more" in out

    run(study, "--only", "variant=VLF", code=1)  # the rest counts as skipped
    (done,) = records(tmp_path)
    assert done["notes"] == ["1 earlier attempt(s) left a checkpoint"]


def test_cancel_ends_this_studys_jobs_and_no_others(tmp_path, costs):
    mine, other = (
        write_study(tmp_path / name, name, epochs=500, costs=costs) for name in ("mine", "other")
    )
    for study in (mine, other):
        run(study, "--detach")
    until(lambda: jobs(mine.parent, "RUNNING"))

    assert "cancelled 2 jobs" in run(mine, "--cancel").stdout

    until(lambda: not jobs(mine.parent, "RUNNING", "PENDING"))
    assert len(jobs(other.parent, "RUNNING", "PENDING")) == 2
    run(other, "--cancel")


def test_a_job_cancelled_by_hand_is_a_failed_row(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, epochs=500, retries=0)
    first = start(study, "--only", "variant=TSN")
    until(lambda: "epoch 1/" in logs(tmp_path))
    running = [job for job, _ in jobs(tmp_path, "RUNNING")]
    ask("scancel", *running)

    assert first.wait() == 1
    assert "cancelled" in (tmp_path / "out.txt").read_text()


def test_a_cell_that_asked_for_a_gpu_and_finds_none_fails_at_once(tmp_path):
    study = write_study(tmp_path, retries=0)

    out = run(study, "--device", "cuda", "--slurm", "gpus_per_node=1", code=1).stdout

    assert "asked for a GPU and found none on" in out
    assert "2 failed" in out or "4 failed" in out


def test_what_the_cluster_would_refuse_is_one_line_before_anything_is_submitted(tmp_path):
    study = write_study(tmp_path)

    missing = run(study, "--slurm", "partition=gpux", code=2).stderr
    long = run(study, "--slurm", "partition=short,timeout_min=5", code=2).stderr

    assert "order.yaml" in missing
    assert "this cluster has no 'gpux' (it has: cpu, short, high)" in missing
    assert "timeout_min: 5 is more than the 1 min of partition short" in long
    assert not jobs(tmp_path, "RUNNING", "PENDING")


def test_several_cells_in_a_job_and_a_level_that_asks_for_more(tmp_path, costs):
    study = write_study(tmp_path, costs=costs, seeds="[0, 1]", slurm="mem_gb: 2, cells_per_job: 2")
    text = study.read_text().replace(
        "model: {name: tsn}", "model: {name: tsn}, run.slurm.mem_gb: 3"
    )
    study.write_text(text)

    run(study)

    manifests = [json.loads(p.read_text()) for p in tmp_path.glob("results/slurm/*/manifest.json")]
    sizes = sorted(len(p) for m in manifests if m["kind"] == "train" for p in m["packs"])
    assert sizes == [2, 2]  # an array for each need, a job with two cells in each
    assert len(records(tmp_path)) == 4


@pytest.mark.slow
def test_a_preempted_cell_is_requeued_and_ends_in_the_same_numbers(tmp_path):
    undisturbed = write_study(tmp_path / "undisturbed", epochs=60)
    run(undisturbed, "--executor", "process", "--only", "variant=VLF", code=1)
    study = write_study(tmp_path / "preempted", epochs=60)
    first = start(study, "--only", "variant=VLF")
    until(lambda: "epoch 3/" in logs(study.parent))
    nodes = ask("sinfo", "-h", "-N", "-p", "high", "-o", "%N").split()
    for node in nodes:
        wrap = ("-o", "/dev/null", "--exclusive", "--wrap", "sleep 5")
        ask("sbatch", "-p", "high", "-w", node, *wrap)
    until(lambda: "stopped" in logs(study.parent))
    hurry(study.parent, first)

    assert first.wait() == 1  # the other variant is not run
    assert answers(study.parent / "results") == answers(undisturbed.parent / "results")
    assert logs(study.parent).count("started variant=VLF") == 2


@pytest.mark.slow
def test_a_cell_that_reaches_its_limit_is_requeued_and_ends_in_the_same_numbers(tmp_path):
    options = {"epochs": 400, "clips": 160}
    undisturbed = write_study(tmp_path / "undisturbed", **options)
    run(undisturbed, "--executor", "process", "--only", "variant=VLF", code=1)
    short = "mem_gb: 2, partition: short, timeout_min: 1"
    study = write_study(tmp_path / "limited", **options, slurm=short)
    first = start(study, "--only", "variant=VLF")
    until(lambda: "stopped" in logs(study.parent))
    hurry(study.parent, first)

    assert first.wait() == 1
    assert answers(study.parent / "results") == answers(undisturbed.parent / "results")
    assert logs(study.parent).count("started variant=VLF") >= 2


@pytest.mark.slow
def test_a_cell_that_times_out_too_often_is_a_failed_row(tmp_path):
    short = "mem_gb: 2, partition: short, timeout_min: 1, max_timeouts: 0"
    study = write_study(tmp_path, epochs=5000, slurm=short, retries=0)

    out = run(study, "--only", "variant=VLF", code=1).stdout

    assert "timed out too often (run.slurm.max_timeouts)" in out


@pytest.mark.slow
def test_slurmd_is_killed_and_started_again_and_the_study_goes_on(tmp_path):
    study = write_study(tmp_path, epochs=60)
    first = start(study)
    until(lambda: "epoch 2/" in logs(tmp_path))
    conf = os.environ["SLURM_CONF"]
    state = os.path.dirname(os.path.dirname(conf))
    nodes = ask("sinfo", "-h", "-N", "-p", "high", "-o", "%N").split()
    for node in nodes:
        with open(f"{state}/run/slurmd-{node}.pid") as file:
            kill(int(file.read()))
    for node in nodes:
        ask("setsid", "slurmd", "-f", conf, "-N", node)

    assert first.wait() == 0
    assert logs(tmp_path).count("started") == 2


def hurry(folder, process):
    """SLURM holds a requeued job for two minutes; say now."""

    def release():
        for job, _ in jobs(folder, "PENDING"):
            ask("scontrol", "update", f"jobid={job}", "StartTime=now")
        return process.poll() is not None

    until(release, seconds=400)
