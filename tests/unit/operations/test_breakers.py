"""What a person sees of the breakers and does to them."""

import pytest

from growbin_jobs.errors import NotFound
from growbin_jobs.limits.breaker_failures import Failure
from growbin_jobs.limits.breaker_store import MemoryBreakers
from growbin_jobs.operations.breakers import list_breakers, reset_breaker


@pytest.fixture
def store():
    return MemoryBreakers(clock=lambda: 1000.0)


def test_those_that_let_nobody_send_come_first_with_what_to_do(store):
    store.failed("a", Failure("failed"))
    store.failed("b", Failure("rate_limited", asked_wait=30.0))
    store.failed("c", Failure("model_quota_exhausted"))

    needs, failing, held = list_breakers(store, language="en")

    assert (needs.name, needs.state, needs.reason) == ("c", "operator", "model_quota_exhausted")
    assert "billing" in needs.remedy
    assert (needs.since_at, needs.next_probe_at) == (1000.0, 1060.0)
    assert (failing.name, failing.failures, failing.remedy, failing.next_probe_at) == ("a", 1, "", None)
    assert (held.name, held.held_until_at) == ("b", 1030.0)
    assert "결제" in list_breakers(store, language="ko")[0].remedy


@pytest.mark.parametrize("name", ["model:m@host", "model:m"])
def test_a_reset_closes_it(store, name):
    store.failed("model:m@host", Failure("model_access_denied"))

    reset_breaker(store, name)

    assert [status.state for status in list_breakers(store, language="en")] == ["closed"]


def test_a_name_that_is_none_or_not_one_is_refused(store):
    with pytest.raises(NotFound, match="None has seen a failure"):
        reset_breaker(store, "m")
    for host in ("one", "two"):
        store.failed(f"m@{host}", Failure("failed"))

    with pytest.raises(NotFound, match="m@one, m@two"):
        reset_breaker(store, "m")
    with pytest.raises(NotFound, match="There are: m@one, m@two"):
        reset_breaker(store, "other")
