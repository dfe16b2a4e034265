"""Guards of model requests: all agree or nothing is sent, and each accounts for it exactly once."""

from dataclasses import dataclass, field

import pytest

from growbin_jobs.adapters.llm.guards import Held, PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred, GrowbinError, Permanent

REQUEST = PlannedRequest("model", "vision", 100, 50)


@dataclass
class Recorder:
    """A guard that notes what becomes of what it holds."""

    name: str
    seen: list[str] = field(default_factory=list)
    refuses: bool = False
    breaks: bool = False

    def admit(self, request: PlannedRequest) -> Held:
        if self.refuses:
            raise Deferred("not now", wait=1)
        self.seen.append(f"{self.name} admits")
        return self

    def release(self) -> None:
        self.seen.append(f"{self.name} releases")

    def settle(self, record: ModelRequest, failure: BaseException | None) -> None:
        self.seen.append(f"{self.name} settles")
        if self.breaks:
            raise RuntimeError(self.name)


def test_guards_settle_in_the_opposite_order() -> None:
    seen: list[str] = []
    with admitted([Recorder("a", seen), Recorder("b", seen)], REQUEST) as ending:
        ending.note(ModelRequest("model", "vision"), None)
    assert seen == ["a admits", "b admits", "b settles", "a settles"]


def test_a_refusal_releases_what_the_others_hold() -> None:
    seen: list[str] = []
    with pytest.raises(Deferred), admitted([Recorder("a", seen), Recorder("b", seen, refuses=True)], REQUEST):
        raise AssertionError("nothing may be sent")
    assert seen == ["a admits", "a releases"]


def test_a_request_that_was_not_sent_is_released() -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError), admitted([Recorder("a", seen)], REQUEST):
        raise ZeroDivisionError
    assert seen == ["a admits", "a releases"]


def test_a_guard_that_cannot_settle_costs_neither_the_answer_nor_the_others() -> None:
    seen: list[str] = []
    with admitted([Recorder("a", seen), Recorder("b", seen, breaks=True)], REQUEST) as ending:
        ending.note(ModelRequest("model", "vision"), None)
    assert seen == ["a admits", "b admits", "b settles", "a settles"]


class Instead:
    """A guard that tells something else in place of a failure."""

    def __init__(self, error: GrowbinError | None) -> None:
        self.error = error

    def admit(self, request: PlannedRequest) -> Held:
        return self

    def release(self) -> None:
        pass

    def settle(self, record: ModelRequest, failure: BaseException | None) -> GrowbinError | None:
        return self.error


def fail_with(failure: GrowbinError, *guards: Instead) -> None:
    with admitted(guards, REQUEST) as ending:
        ending.note(ModelRequest("model", "vision"), failure)
        raise failure


def test_a_guard_may_tell_the_caller_something_else_than_the_failure() -> None:
    failure, instead = Permanent("model_refused"), Deferred("an outage", wait=5)

    with pytest.raises(Deferred) as raised:
        fail_with(failure, Instead(instead), Instead(None))
    assert raised.value is instead


def test_without_it_the_failure_stays_and_an_answer_too() -> None:
    failure = Permanent("model_refused")
    with pytest.raises(Permanent) as raised:
        fail_with(failure, Instead(None))
    assert raised.value is failure

    with admitted([Instead(Deferred("late", wait=5))], REQUEST) as ending:
        ending.note(ModelRequest("model", "vision"), None)
