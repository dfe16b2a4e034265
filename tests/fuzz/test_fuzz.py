"""Odd messages through real workers: each ends completed or dead in its time, and the ordinary one behind it runs.

10,000 a run; ``scripts/fuzz --messages N --seed S`` for more, or to repeat a run.
"""

import pytest

from fuzz.run import play, show
from fuzz.sites import Site

#: Always the same, so that a run here can be repeated; ``scripts/fuzz`` looks for faults with others.
SEEDS = {"embedded": 20_261_128, "rabbitmq": 20_261_129}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("broker", ["embedded", pytest.param("rabbitmq", marks=pytest.mark.services)])
def test_every_odd_message_ends_and_the_ordinary_ones_run(broker, tmp_path, request):
    url = request.getfixturevalue("rabbitmq_url") if broker == "rabbitmq" else None

    report = play(Site(tmp_path, url), 5_000, SEEDS[broker], patience=200)

    show(report, SEEDS[broker], broker, tmp_path)  # the seed, for scripts/fuzz
    assert report.faults == []
    # A test whose messages are all refused at the door would prove nothing.
    assert len(report.accepted) > 2_500
    assert report.states["completed"] > 1_000
    assert report.states["dead"] > 500
