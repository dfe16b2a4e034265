import subprocess
import sys

import pytest

CODE = """
import os, sys
from growbin_jobs.engine.supervision.shown_command import show_command
before = open("/proc/self/environ").read()
show_command(sys.stdin.read().split(","))
sys.stdout.buffer.write(open("/proc/self/cmdline", "rb").read())
assert open("/proc/self/environ").read() == before
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a,b c", ["a", "b c"]),
        ("a," + "b" * 5000, None),
    ],
)
def test_a_command_is_shown_as_far_as_there_is_room(words, shown):
    own = [sys.executable, "-c", CODE]

    done = subprocess.run(own, input=words.encode(), capture_output=True, check=True)

    room = sum(len(word) + 1 for word in own)
    assert len(done.stdout) == room
    assert [each.decode() for each in done.stdout.split(b"\0") if each] == (shown or ["a", "b" * (room - 3)])
