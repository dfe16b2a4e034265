"""Who is suspected and given up: case by case, and over a model of processes that anything may kill."""

from __future__ import annotations

import signal
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.engine.isolation.policy import (
    PAUSES,
    UNKNOWN_DEATHS,
    Cause,
    Trial,
    cause_of,
    is_suspect,
    runs_alone,
)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (-signal.SIGKILL, Cause.UNKNOWN),
        (-signal.SIGSEGV, Cause.OWN),
        (-signal.SIGABRT, Cause.OWN),
        (-signal.SIGBUS, Cause.OWN),
        (-signal.SIGILL, Cause.OWN),
        (1, Cause.OWN),
        (3, Cause.OWN),
        (137, Cause.OWN),  # os._exit(137): nobody kills a process with an exit code
        (0, Cause.ASKED),
        (-signal.SIGTERM, Cause.ASKED),
        (-signal.SIGINT, Cause.ASKED),
        (-signal.SIGHUP, Cause.ASKED),
        (128 + signal.SIGTERM, Cause.ASKED),
    ],
)
def test_the_way_a_process_ends_says_whose_doing_it_was(status, cause):
    assert cause_of(status) is cause


def test_suspicion_starts_at_the_second_death_and_a_third_one_isolates():
    assert [is_suspect(crashes) for crashes in range(5)] == [False, False, True, True, True]
    assert [runs_alone(crashes) for crashes in range(5)] == [False, False, False, True, True]


def test_a_fault_of_its_own_is_tried_once_more_at_once():
    trial = Trial()

    assert trial.died(Cause.OWN, alone=False, crashes=3, others_died=True) == 0.0  # it may have been a neighbour
    assert trial.died(Cause.OWN, alone=True, crashes=4, others_died=True) == 0.0
    assert trial.died(Cause.OWN, alone=True, crashes=5, others_died=True) is None


def test_who_may_have_been_killed_from_outside_gets_a_longer_and_longer_pause():
    trial = Trial()

    assert trial.died(Cause.UNKNOWN, alone=False, crashes=3, others_died=False) == PAUSES[0]
    assert trial.died(Cause.UNKNOWN, alone=True, crashes=4, others_died=False) == PAUSES[1]
    assert trial.died(Cause.UNKNOWN, alone=True, crashes=5, others_died=False) is None


def test_nobody_is_given_up_while_others_are_killed_too():
    trial = Trial()

    pauses = [trial.died(Cause.UNKNOWN, alone=True, crashes=3 + n, others_died=True) for n in range(50)]

    assert None not in pauses
    assert set(pauses[2:]) == {PAUSES[-1]}
    assert trial.died(Cause.UNKNOWN, alone=True, crashes=53, others_died=False) is None


@pytest.mark.parametrize("cause", [Cause.OWN, Cause.UNKNOWN])
def test_who_was_never_alone_is_never_given_up(cause):
    trial = Trial()

    assert None not in [trial.died(cause, alone=False, crashes=n, others_died=False) for n in range(100)]
    assert trial.died(cause, alone=True, crashes=101, others_died=False) is not None  # and once is not enough


def test_who_was_told_to_stop_is_not_charged():
    trial = Trial()

    assert [trial.died(Cause.ASKED, alone=True, crashes=9, others_died=False) for _ in range(9)] == [PAUSES[0]] * 9
    assert trial == Trial()


class Message:
    """A message of the model, and what the node knows of it."""

    def __init__(self, kills: Cause | None) -> None:
        self.kills = kills
        self.crashes = 0
        self.due = self.last_death = 0.0
        self.trial = Trial()
        self.state = "waiting"


class Model:
    """A node: worker processes with threads, isolation processes, and somebody who kills.

    Time passes in rounds: what waits is begun, killers kill what they run in, then what has not died ends.
    """

    def __init__(self, messages: list[Message], processes: int, threads: int = 28, together: int = 16) -> None:
        self.messages = messages
        self.processes, self.threads, self.together = processes, threads, together
        self.now = 0.0
        self.deaths: list[float] = []  # of worker processes

    @property
    def over(self) -> bool:
        return all(each.state != "waiting" for each in self.messages)

    def round(self, kills: Collection[str] = ()) -> None:
        """Let a round pass; somebody kills processes from outside, by name."""
        self.now += 5.0
        waiting = [each for each in self.messages if each.state == "waiting" and each.due <= self.now]
        free = [each for each in waiting if not is_suspect(each.crashes)]
        together = [each for each in waiting if is_suspect(each.crashes) and not runs_alone(each.crashes)]
        alone = [each for each in waiting if runs_alone(each.crashes)]
        for number in range(self.processes):
            self._run(free[number * self.threads : (number + 1) * self.threads], f"worker {number}" in kills)
        self._run(together[: self.together], "together" in kills, isolated=True)
        self._run(alone[:1], "alone" in kills, isolated=True)

    def _run(self, running: list[Message], killed: bool, *, isolated: bool = False) -> None:
        killers = [each.kills for each in running if each.kills]
        if not killed and not killers:
            for each in running:
                each.state = "done"
            return
        if not isolated:
            self.deaths.append(self.now)
        cause = Cause.UNKNOWN if killed else killers[0]
        for each in running:
            each.crashes += 1
            if isolated:
                others = any(each.last_death < death for death in self.deaths)
                pause = each.trial.died(cause, alone=len(running) == 1, crashes=each.crashes, others_died=others)
                each.due = self.now + (pause or 0.0)
                each.state = "waiting" if pause is not None else "given up"
            each.last_death = self.now


@given(
    kinds=st.lists(st.sampled_from([Cause.OWN, Cause.UNKNOWN]), min_size=1, max_size=3),
    innocents=st.integers(0, 100),
    processes=st.integers(1, 4),
    data=st.data(),
)
@settings(max_examples=examples(100), deadline=None)
def test_killers_are_found_within_five_crashes_and_take_nobody_with_them(kinds, innocents, processes, data):
    messages = [Message(None) for _ in range(innocents)]
    for kind in kinds:
        messages.insert(data.draw(st.integers(0, len(messages))), Message(kind))
    model = Model(messages, processes)

    for _ in range(500):
        model.round()
        if model.over:
            break

    # One that came later has killed workers while a first one was on trial, which may put its end off once.
    late = any(messages.index(each) >= processes * model.threads for each in messages if each.kills)
    for message in messages:
        assert message.state == ("given up" if message.kills else "done")
        assert message.crashes <= (UNKNOWN_DEATHS + 2 * late if message.kills else 3 * len(kinds))


PLACES = ("worker 0", "worker 1", "worker 2", "together", "alone")


@given(st.lists(st.sampled_from(PLACES), max_size=120), st.integers(1, 60))
@settings(max_examples=examples(100), deadline=None)
def test_a_kill_of_any_process_now_and_then_gives_no_innocent_up(kills, innocents):
    """Each kill hits one process; the same one again only after another one: else it would look like the message."""
    model = Model([Message(None) for _ in range(innocents)], 3, threads=8)
    last = None

    for kill in kills:
        if kill != last or kill.startswith("worker"):
            model.round({kill})
        last = kill
        model.round({"worker 0"})
    for _ in range(500):
        model.round()

    assert {each.state for each in model.messages} == {"done"}


def test_kills_of_every_process_at_once_for_hours_cost_reruns_only():
    model = Model([Message(None) for _ in range(40)], 3, threads=8)

    for _ in range(1000):
        model.round(PLACES)
    assert model.deaths
    while not model.over:
        model.round()

    assert {each.state for each in model.messages} == {"done"}
