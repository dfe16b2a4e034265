"""A setting of the wrong form is noticed on import; who imports decides how it is said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.command_line import run_python

WRONG = os.environ | {"GROWBIN_PUBLISH_TIMEOUT": "abc"}


@pytest.mark.parametrize(
    ("group", "command"),
    [
        ("storage", "dramatiq-gevent"),
        ("ai", "dramatiq"),
        pytest.param("storage", "dramatiq", marks=pytest.mark.before_release),
        pytest.param("ai", "dramatiq-gevent", marks=pytest.mark.before_release),
    ],
)
def test_plain_dramatiq_says_the_sentence_and_shows_no_traceback(command, group):
    program = Path(sys.executable).with_name(command)

    done = run_python([program, f"growbin_jobs.{group}", "--processes", "1"], env=WRONG, text=True)

    assert done.returncode == 78
    assert "Wrong settings.\n  GROWBIN_PUBLISH_TIMEOUT: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_producer_can_catch_it_even_in_a_child_of_multiprocessing():
    code = """
import multiprocessing
def produce():
    from growbin_jobs.errors import ConfigurationError
    try:
        from growbin_jobs.storage import upload_image
    except ConfigurationError as error:
        print(error, flush=True)
produce()
child = multiprocessing.get_context("fork").Process(target=produce)
child.start()
child.join()
"""

    done = subprocess.run([sys.executable, "-c", code], env=WRONG, capture_output=True, text=True, check=True)

    assert done.stdout.count("GROWBIN_PUBLISH_TIMEOUT") == 2
