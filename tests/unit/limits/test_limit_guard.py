"""The guard: which class a request is in, what it takes, and what becomes of its ticket."""

from types import SimpleNamespace

import pytest

from growbin_jobs.adapters.llm.guards import PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.errors import Permanent
from growbin_jobs.limits.classes import BACKFILL, INTERACTIVE, PROBE, RETRY, class_of
from growbin_jobs.limits.limit_guard import LimitGuard
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.tickets import Gate
from growbin_jobs.rates import Rate

REQUEST = PlannedRequest("m", "vision", 1_000, 500)


@pytest.mark.parametrize(
    ("purpose", "options", "expected"),
    [
        ("vision", {}, INTERACTIVE),
        ("vision", {"retries": 1}, RETRY),
        ("vision", {"bulk": True}, BACKFILL),
        ("vision", {"retries": 3, "bulk": True}, BACKFILL),
        ("probe", {"retries": 3}, PROBE),
        ("rehearsal", {}, BACKFILL),
        ("text", {}, INTERACTIVE),
    ],
)
def test_the_class_of_a_request(purpose, options, expected):
    assert class_of(purpose, **options) is expected


class Asked:
    """A gate that notes what is asked of it."""

    def __init__(self, store):
        self.gate, self.wishes, self.back = Gate(store), [], []

    def ticket(self, wish):
        self.wishes.append(wish)
        return self.gate.ticket(wish)

    def give_back(self, ticket):
        self.back.append(ticket)
        return True


@pytest.fixture
def store():
    return MemoryLimits()


@pytest.fixture
def gate(store):
    return Asked(store)


def guard(store, gate, running=None, **rates):
    limits = NamedLimits({name.replace("_", ":"): Rate(most) for name, most in rates.items()}, largest_request=5_000)
    return LimitGuard(
        gate,
        limits,
        lambda needed: store.ensure([limit.parameters for limit in needed]),
        running=lambda: running,
        bulk={"bulk"},
    )


def test_a_request_that_nothing_limits_asks_nobody(store, gate):
    held = guard(store, gate, text=10).admit(REQUEST)
    held.release()

    assert gate.wishes == []


def test_it_takes_what_the_configuration_says_in_the_class_of_its_message(store, gate):
    guarded = guard(store, gate, SimpleNamespace(queue="bulk", retries=0), vision=600, tokens_vision=60_000)

    guarded.admit(REQUEST)

    [wish] = gate.wishes
    assert (wish.costs, wish.of) == ({"vision": 1.0, "tokens:vision": 1_500.0}, BACKFILL)


def test_the_estimate_of_tokens_learns_from_what_is_counted(store, gate):
    guarded = guard(store, gate, tokens_vision=600_000)
    for _ in range(60):
        record = ModelRequest("m", "vision", usage=Usage(2_000, 0, 10, 0))
        guarded.admit(REQUEST).settle(record, None)

    assert gate.wishes[0].costs == {"tokens:vision": 1_500.0}
    assert gate.wishes[-1].costs["tokens:vision"] == pytest.approx(2_500, rel=0.02)


def test_a_ticket_that_was_not_used_goes_back_and_one_that_was_does_not(store, gate):
    guarded = guard(store, gate, vision=6_000)
    guarded.admit(REQUEST).settle(ModelRequest("m", "vision"), None)
    assert gate.back == []

    guarded.admit(REQUEST).release()
    assert len(gate.back) == 1


def test_what_is_larger_than_a_limit_is_given_up_with_its_numbers(store, gate):
    with pytest.raises(Permanent) as refusal:
        guard(store, gate, tokens_vision=1_000).admit(REQUEST)

    assert refusal.value.code == "model_request_too_large"
    assert refusal.value.params["requested"] == 1_500
