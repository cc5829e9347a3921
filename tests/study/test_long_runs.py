"""Nothing is left behind by jobs that have ended, however many there were."""

import gc
import multiprocessing
import os
import threading
import tracemalloc
from pathlib import Path

from jobs import finish, make_task, train

from study.executors.task import Event
from study.run.progress import Tally


def end(task, notify):
    return finish(task)


def open_files():
    return sorted(os.listdir("/proc/self/fd"))


def children():
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_the_memory_and_open_files_of_a_run_do_not_grow_with_the_jobs_that_have_ended(tmp_path):
    before = threading.active_count()
    tasks = [make_task(tmp_path, number) for number in range(600)]
    for task in tasks:
        assert task.key.name  # kept with the task, which is there before the run
    running = train("inline", tasks, end)
    after, traced, files = 0, [], []
    tracemalloc.start()
    try:
        for after, _ in enumerate(running, start=1):
            if after % 200 == 0:
                gc.collect()
                traced.append(tracemalloc.get_traced_memory()[0])
                files.append(open_files())
    finally:
        tracemalloc.stop()

    assert after == 600
    # The least, as what is loaded once may be loaded late. A record alone has some 2,000 bytes.
    assert min(traced[1] - traced[0], traced[2] - traced[1]) < 200 * 100
    assert files[0] == files[1] == files[2]
    assert threading.active_count() == before


def test_processes_leave_no_process_and_no_open_file(tmp_path):
    def run(first):
        tasks = [make_task(tmp_path, first + number) for number in range(4)]
        assert len(list(train("process", tasks, end, 2))) == 4

    run(0)  # starts the fork server and the resource tracker, which live as long as we do
    files, processes = open_files(), children()

    run(4)

    assert open_files() == files
    assert children() == processes
    assert multiprocessing.active_children() == []


def test_the_tally_of_a_run_keeps_nothing_of_a_job_that_ended_well():
    tally = Tally({"one": 1.0}, workers=1)
    for event in (Event("one", "started"), Event("one", "epoch", 1, 2)):
        tally.take(event)

    tally.take(Event("one", "ended", status="done"))

    assert (tally.running, tally.epochs, tally.failed) == ({}, {}, {})
