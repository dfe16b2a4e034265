"""What dramatiq forks for the keeper knows all by its name. Real ones: integration/test_keeper."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from dramatiq.cli import import_object

from growbin_jobs.engine.node import candidate
from growbin_jobs.engine.node.candidate import Candidate


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("growbin_jobs.app:engine", "/var/lib/growbin/n1"),
        ("jobs:engine", "relative.d/node 1"),
        ("a.b.c:of.d", os.fsdecode(b"/tmp/;:.%\xff_~-/\xed\x95\x9c\xea\xb5\xad")),
    ],
)
def test_dramatiq_finds_by_its_path_where_the_engine_is_and_the_folder(monkeypatch, source, folder):
    made = Candidate(source, Path(folder))
    executed = []
    monkeypatch.setattr(candidate.os, "execv", lambda *command: executed.append(command))
    monkeypatch.setattr(candidate, "log_file", lambda: None)
    path = f"{made.__module__}:{made.__name__}"

    assert ";" not in path  # dramatiq's own mark between two
    _, found = import_object(path.encode().decode())
    found()

    [(program, command)] = executed
    assert program == sys.executable
    said = dict(zip(command[3::2], command[4::2], strict=True))
    assert said == {"--engine": source, "--folder": folder, "--master": str(os.getppid())}


def test_to_find_it_loads_no_application():
    code = (
        "import sys, json; from dramatiq.cli import import_object; before = set(sys.modules);"
        "import_object('growbin_jobs.engine.node.candidate:keeper.growbin_jobs%2Eapp:engine./n1');"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    ours = {name for name in json.loads(done.stdout) if name.startswith("growbin_jobs")}
    assert ours == {
        "growbin_jobs", "growbin_jobs.engine", "growbin_jobs.engine.node", "growbin_jobs.engine.node.candidate",
        "growbin_jobs.engine.node.keeper_command",
    }  # fmt: skip


@pytest.mark.parametrize("told", [True, False], ids=["told to stop", "no dramatiq's command line"])
def test_a_candidate_that_is_told_to_stop_while_it_reads_the_command_line_stops(monkeypatch, told):
    class Parser:
        def parse_known_args(self):
            sys.exit(
                0 if told else 2
            )  # as dramatiq's handler of SIGTERM does, in whatever line it comes; as argparse does

    monkeypatch.setattr("dramatiq.cli.make_argument_parser", Parser)

    with pytest.raises(SystemExit) if told else nullcontext():
        assert candidate.log_file() is None
