import threading
from collections import Counter

from growbin_jobs.adapters.llm.guards import PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.use_guard import UseGuard
from growbin_jobs.rates import parse_rates

LIMITS = NamedLimits(parse_rates("vision=100,tokens:vision=100000,text=200"))


class Log:
    def __init__(self):
        self.kept, self.calls, self.away = Counter(), 0, False

    def add(self, counts):
        self.calls += 1
        if self.away:
            raise OSError
        self.kept.update(counts)


class Place:
    def __init__(self):
        self.now, self.logs = 125.0, [Log(), Log()]
        self.guard = UseGuard(LIMITS, self.logs, clock=lambda: self.now)

    def send(self, purpose="vision", *, sent=True):
        with admitted([self.guard], PlannedRequest("m", purpose, 10, 90)) as ending:
            if sent:
                ending.note(ModelRequest("m", purpose), None)


def test_each_request_counts_in_its_limits_and_in_its_minute():
    place = Place()
    place.send()
    place.send()
    place.now = 185.0
    place.send("text")

    expected = {(120, "vision"): 2, (120, "tokens:vision"): 200, (180, "text"): 1}
    assert [log.kept for log in place.logs] == [expected, expected]


def test_what_was_not_sent_does_not_count():
    place = Place()
    place.send(sent=False)

    assert [+log.kept for log in place.logs] == [{}, {}]


def test_while_requests_are_under_way_it_writes_every_few_seconds_and_at_the_end():
    place, [log, _] = (here := Place()), here.logs
    open_one = place.guard.admit(PlannedRequest("m", "text", 1, 1))
    for _ in range(50):
        place.send()
    assert log.calls == 1, "the first one is written at once"

    place.now += 5
    place.send()
    assert log.calls == 2
    open_one.settle(ModelRequest("m", "text"), None)

    assert log.kept == {(120, "vision"): 51, (120, "tokens:vision"): 5100, (120, "text"): 1}


def test_a_log_that_is_away_costs_no_answer_and_gets_its_counts_later_once():
    place = Place()
    place.logs[0].away = True
    place.send()
    place.logs[0].away = False
    place.send()

    assert [log.kept[120, "vision"] for log in place.logs] == [2, 2]


def test_threads_count_together():
    place = Place()
    threads = [threading.Thread(target=lambda: [place.send() for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place.guard.flush()

    assert [log.kept[120, "vision"] for log in place.logs] == [800, 800]


def test_one_writing_waits_at_a_time_however_many_requests_end_before_it():
    place, waiting = Place(), []
    place.guard = UseGuard(LIMITS, place.logs, clock=lambda: place.now, later=waiting.append)
    for _ in range(10):
        place.send()
    [flush] = waiting
    flush()
    place.send()

    assert len(waiting) == 2, "what ended after the writing is written too"
    waiting[1]()
    assert place.logs[0].kept[120, "vision"] == 11
