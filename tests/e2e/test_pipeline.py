"""A photo goes in, the advice comes out: many photos, both stacks, each exactly once.

``GROWBIN_TEST_PHOTOS=1000`` has more of them go through each stack.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests import command_line
from tests.e2e.asked import assert_each_request_is_a_row
from tests.whole import WHOLE

from growbin_jobs.states import AnalysisStatus

#: Photos that go through each stack.
COUNT = int(os.environ.get("GROWBIN_TEST_PHOTOS", "40" if WHOLE else "16"))

#: Seconds for all of them; the machine may be busy.
PATIENCE = 150 + COUNT

pytestmark = pytest.mark.timeout(250 + COUNT)


def test_many_photos_through_the_embedded_stack(embedded, photos):
    ids = embedded.submit(photos[:COUNT])
    embedded.start(threads=2)

    done = embedded.wait(list(ids), timeout=PATIENCE)

    assert Counter(analysis.status for analysis in done.values()) == {AnalysisStatus.COMPLETED: COUNT}
    assert embedded.times_reached("completed") == dict.fromkeys(ids, 1)
    right = sum(analysis.category == ids[key].parts[-3] for key, analysis in done.items())
    # The head was trained on these photos: this shows that the pictures arrive whole, not how good it is.
    assert right >= 0.8 * COUNT
    assert {analysis.vision_model for analysis in done.values()} == {"offline/efficientnet-lite0"}
    assert {analysis.response_source for analysis in done.values()} == {"rule"}
    assert embedded.stop() == {"storage": 0, "ai": 0}


def test_many_photos_through_rabbitmq_postgresql_s3_and_a_model_server(clustered, openai, photos):
    ids = clustered.submit(photos[:COUNT])
    clustered.start(processes=2, threads=16)

    done = clustered.wait(list(ids), timeout=PATIENCE)

    assert Counter(analysis.status for analysis in done.values()) == {AnalysisStatus.COMPLETED: COUNT}
    assert clustered.times_reached("completed") == dict.fromkeys(ids, 1)
    books = openai.stats()
    assert set(books["images"].values()) == {1}
    assert books["vision"] == len(books["images"])
    assert {analysis.response_source for analysis in done.values()} == {"model"}
    seen = Counter((analysis.category, analysis.item) for analysis in done.values())
    said = Counter((answer["category"], answer["item"]) for answer in books["answers"].values())
    assert seen.keys() <= said.keys()
    assert clustered.stop() == {"storage": 0, "ai": 0}
    for group in ("storage", "ai"):
        assert openai.key not in clustered.log(group)
    assert_each_request_is_a_row(clustered, books, ids)


def test_both_groups_run_as_plain_dramatiq(embedded, photos):
    bin_folder = Path(sys.executable).parent
    ids = embedded.submit(photos[:3])
    commands = (
        (subprocess.Popen, "dramatiq", "growbin_jobs.storage"),
        (subprocess.Popen, "dramatiq-gevent", "growbin_jobs.storage"),
        (command_line.start_python, "dramatiq", "growbin_jobs.ai"),
    )
    quiet = {"env": embedded.full_env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [
        start([sys.executable, bin_folder / name, group, "--processes", "1"], **quiet)
        for start, name, group in commands
    ]
    try:
        done = embedded.wait(list(ids), timeout=150)
    finally:
        for process in running:
            process.terminate()
        codes = [process.wait(60) for process in running]

    assert {analysis.status for analysis in done.values()} == {AnalysisStatus.COMPLETED}
    assert codes == [0, 0, 0]
