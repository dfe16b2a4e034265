"""The suite of Dramatiq's contract once more, under gevent: the process is patched before anything is imported.

One process for each broker: to start one, patch it and import the tests takes as long as many of them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.whole import WHOLE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

UNDER_GEVENT = """
import sys
from gevent import monkey
monkey.patch_all()
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""

#: The suites, but for the rate limiters' own, which need no worker.
SUITES = sorted(
    each for each in HERE.glob("test_dramatiq_*.py") if each.stem.split("_")[-1] not in ("gevent", "limits")
)
#: Those in which a worker waits, is interrupted, or is waited for.
SHORT = [each for each in SUITES if each.stem.split("_")[-1] in ("interrupts", "messages", "results")]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "place",
    [pytest.param("embedded", marks=pytest.mark.before_release), pytest.param("rabbitmq", marks=pytest.mark.services)],
)
def test_the_contract_holds_under_gevent(place: str, request: pytest.FixtureRequest) -> None:
    if place == "rabbitmq":
        request.getfixturevalue("rabbitmq_server")
    options = ["-q", "-p", "no:cacheprovider", "-k", place, "--timeout", "300", f"--rootdir={ROOT}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT, *options, *map(str, SUITES if WHOLE else SHORT)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
