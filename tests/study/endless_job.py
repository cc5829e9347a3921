"""A job that tells its process id and never ends; imported by name in the job's process."""

import os
import time


def run_forever(task, notify):
    (task.root / "pid").write_text(str(os.getpid()))
    time.sleep(600)
