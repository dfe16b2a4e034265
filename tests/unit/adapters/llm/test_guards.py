"""Guards of model requests: all agree or nothing is sent, and each accounts for it exactly once."""

from dataclasses import dataclass, field

import pytest

from growbin_jobs.adapters.llm.guards import Held, PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred

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
