"""Every line of docs/first-steps.md runs, in a new folder."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests import command_line

PAGE = (Path(__file__).parents[2] / "docs" / "first-steps.md").read_text()


def test_the_page_does_what_it_says(tmp_path):
    install, worker, send = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "tasks.py").write_text(code)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "TASKS_DATA_DIR": str(tmp_path / "data")}
    with (tmp_path / "worker.log").open("wb") as log:
        running = subprocess.Popen(worker.split(), cwd=tmp_path, env=env, stdout=log, stderr=log)
    try:
        done = subprocess.run(
            ["bash", "-euc", send], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        doctor = command_line.run("doctor", "--engine", "tasks", env=env, cwd=tmp_path, text=True)
    finally:
        running.send_signal(signal.SIGTERM)
        code = running.wait(100)

    assert "pip install '.[engine]'\n" in install  # not by name: no index has it
    assert (done.stdout, code) == ("5\n", 0), done.stderr + (tmp_path / "worker.log").read_text()
    assert "running: worker" in doctor.stdout
