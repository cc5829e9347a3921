"""Who times waits for who times already, also for one that dies at it."""

import io
import subprocess
import sys
import threading

from rich.console import Console

from study.records.alone import alone_at_timing
from study.records.lease import Leases

HOLD = """
import sys, time
from pathlib import Path
from study.records.lease import Leases
with Leases(Path(sys.argv[1])) as leases:
    assert leases.take("timing")
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_holder_that_is_killed_while_another_waits_does_not_keep_it_waiting(root, tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    console = Console(file=io.StringIO(), width=200)
    entered = threading.Event()

    def wait():
        with alone_at_timing(tmp_path, console):
            entered.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    while "waiting for the timing of costs by process" not in console.file.getvalue():
        assert not entered.is_set()
    holder.kill()
    holder.communicate()

    assert entered.wait(30)
    waiting.join()
    assert console.file.getvalue().count("waiting for") == 1


def test_it_is_free_for_the_next_one_after_an_error(tmp_path):
    try:
        with alone_at_timing(tmp_path, Console(quiet=True)):
            raise RuntimeError("out of ideas")
    except RuntimeError:
        pass

    with Leases(tmp_path) as leases:
        assert leases.take("timing")
