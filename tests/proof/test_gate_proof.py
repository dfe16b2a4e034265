"""The short version of ``scripts/bench gate-proof``: real processes against a server that counts by itself."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests import command_line
from tests.stack_modules import STACK_MODULES

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from benchmarks.gate_cluster import Judged, Plan, largest, run
from benchmarks.gate_proof import broken

SCRIPTS = Path(__file__).parents[2] / "scripts"

#: Windows of 6 s, so that a few seconds have several; the ticket's half second and the server's second then cost more.
SHORT = Plan(
    seconds=22.0,
    processes=1,
    threads=8,
    vision=30,
    text=60,
    window=6.0,
    late=0.9,
    answers_after={"vision": (0.2, 0.6), "text": (0.1, 0.4)},
    kill_at=[9.0],
    pause_at=[13.0],
    add_at=[15.0],
    pause=4.0,
)


def fork(command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> subprocess.Popen[Any]:
    """Start a caller in a fork: it finds its module in its folder, and has a path like the others, so one forks all."""
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    own = {name: value for name, value in env.items() if name != "PYTHONPATH"} | path
    interpreter, option, module, *arguments = command
    words = ([interpreter, option, module], *arguments)
    return command_line.start_program(module, *words, env=own, loaded=STACK_MODULES, **options | {"cwd": SCRIPTS})


@pytest.mark.parametrize(
    "kind",
    [pytest.param("sqlite", marks=pytest.mark.before_release), pytest.param("postgresql", marks=pytest.mark.services)],
)
def test_a_cluster_whose_nodes_are_killed_paused_and_added_keeps_the_limit_as_the_server_counts(kind, request):
    url = request.getfixturevalue("upgraded_postgres_url") if kind == "postgresql" else None

    found = run(SHORT, url, start=fork)

    judged = found.pop("judged")
    assert broken(kind, found | {"judged": {}}) == []
    assert [(name, each.worst <= each.limit, each.use >= 0.5) for name, each in judged.items()] == [
        ("vision", True, True), ("text", True, True),
    ]  # fmt: skip
    assert found["events"] == [
        "kill n1 at 9 s", "start n1 at 12 s", "pause n2 at 13 s", "start n4 at 15 s", "resume n2 at 17 s",
    ]  # fmt: skip


def test_the_judge_can_say_no():
    judged = {"vision": Judged(10, 11, 0.99, 0.99, 50), "text": Judged(10, 10, 0.99, 0.5, 20)}
    found = {"judged": judged, "refused": 2, "violations": ["no model"]}

    assert len(broken("sqlite", found)) == 4
    assert largest([0.0, 1.0, 5.9, 6.0, 6.1, 12.05], 6.0) == 4
