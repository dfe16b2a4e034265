import os
import signal
import subprocess
import sys


def test_a_child_whose_supervisor_is_gone_before_it_begins_does_not_begin(stage):
    command = [
        sys.executable,
        "-m",
        "growbin_jobs.engine.supervision.tether",
        str(os.getppid()),
        *stage.child("say('begun')"),
    ]

    done = subprocess.run(command, check=False)

    assert done.returncode == 128 + signal.SIGTERM
    assert not os.path.exists(stage.lock)
