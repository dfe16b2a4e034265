"""The other generation of RabbitMQ: what depends on the server most runs on Debian 13's 4 too.

All of it: ``scripts/test --rabbitmq 4``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Arguments of queues, delays by dead-lettering, putting back, consumer_timeout, permissions, what doctor says.
CHOSEN = (
    "tests/contract/test_broker.py",
    "tests/integration/test_rabbitmq_check.py",
    "tests/integration/test_rabbitmq_definitions.py",
    "tests/integration/test_rabbitmq_delays.py",
    "tests/integration/test_rabbitmq_outages.py",
)
NAMES = (
    "(test_broker and rabbitmq and not refused and (reject or delay or depths or newest or owed or never_succeeds))"
    " or a_server_that_is_well or our_user_declares or needs_no_consumer or a_consumer_timeout"
)


@pytest.mark.services
@pytest.mark.before_release
@pytest.mark.timeout(280)
def test_what_depends_on_the_server_holds_on_rabbitmq_4(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GROWBIN_TEST_"))}
    env |= {"GROWBIN_TEST_RABBITMQ": "4", "GROWBIN_TEST_ALONE": "1"}  # its node is enough for the outage as well
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHOSEN, "-k", NAMES]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout
