"""Odd messages through real workers: each ends completed or dead in its time, and the ordinary one behind it runs.

800 on each broker: of 2,000 all those that show something which none before them shows, and some of the others.
``GROWBIN_TEST_ALL=1`` sends the 5,000; ``scripts/fuzz --messages N --seed S`` more, or a run once more.
"""

from contextlib import closing

import pytest
from tests.command_line import start_python
from tests.whole import WHOLE

from fuzz.run import play, show
from fuzz.sites import Site

#: Always the same, so that a run here can be repeated; ``scripts/fuzz`` looks for faults with others.
SEEDS = {"embedded": 20_261_128, "rabbitmq": 20_261_129}


#: How many are sent, and of how many they are chosen.
COUNT, OF = (5_000, None) if WHOLE else (800, 2_000)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "broker",
    [pytest.param("embedded", marks=pytest.mark.before_release), pytest.param("rabbitmq", marks=pytest.mark.services)],
)
def test_every_odd_message_ends_and_the_ordinary_ones_run(broker, tmp_path, request):
    url = request.getfixturevalue("rabbitmq_url") if broker == "rabbitmq" else None

    with closing(Site(tmp_path, url)) as site:
        report = play(site, COUNT, SEEDS[broker], of=OF, patience=200, start=start_python)

    show(report, SEEDS[broker], broker, tmp_path)  # the seed, for scripts/fuzz
    assert report.faults == []
    # A test whose messages are all refused at the door would prove nothing.
    assert len(report.accepted) > COUNT / 2
    assert report.states["completed"] > COUNT / 5
    assert report.states["dead"] > COUNT / 10
