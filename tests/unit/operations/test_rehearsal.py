"""A rehearsal compares a model with the answers of then, and says whether it may be switched to."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.models.analysis import Analysis
from growbin_jobs.operations.rehearsal import Tried, spread, try_all
from growbin_jobs.operations.rehearsal_verdict import Paid, Standards, judged, paid
from growbin_jobs.states import AnalysisStatus

NOW = datetime(2026, 11, 28, tzinfo=UTC)
NOTHING = Paid(None, None, None)


def analysis(number: int = 0, category: str | None = "plastic", **changes) -> Analysis:
    values = dict.fromkeys(Analysis.__dataclass_fields__)
    values |= {
        "id": f"a{number}", "status": AnalysisStatus.COMPLETED, "category": category, "item": "pet_bottle",
        "state": "clean", "vision_model": "gpt-5", "s3_path": f"s3://b/uploads/u/a{number}/original.jpg",
        "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return replace(Analysis(**values), **changes)


def answer(category: str = "plastic", item: str = "pet_bottle", state: str = "clean") -> VisionAnswer:
    return VisionAnswer(category=category, item=item, state=state, confidence=0.9)


def tried(answers: dict[str, int], failed: int = 0) -> list[Tried]:
    """So many pictures of plastic, by what the rehearsed model says of them."""
    found = [Tried(analysis(), answer(category)) for category, count in answers.items() for _ in range(count)]
    return [*found, *(Tried(analysis(), None, "model_refused") for _ in range(failed))]


def test_a_sample_has_every_category_and_the_newest_first():
    plastic, paper = [analysis(n) for n in range(5)], [analysis(n, "paper") for n in range(5, 7)]
    others = [
        analysis(10, None),
        analysis(11, vision_model="offline/efficientnet-lite0"),
        analysis(12, vision_model=None),
        analysis(13, s3_path=None),
    ]

    assert [one.id for one in spread([*others, *plastic, *paper], 5)] == ["a5", "a0", "a6", "a1", "a2"]
    assert spread(others, 5) == []


@given(st.lists(st.sampled_from(["plastic", "paper", "metal"])), st.integers(0, 20))
def test_a_sample_is_as_large_as_can_be_and_has_nothing_twice(categories, count):
    found = spread([analysis(n, category) for n, category in enumerate(categories)], count)

    assert len({one.id for one in found}) == len(found) == min(count, len(categories))


def test_pictures_wait_for_limits_and_are_tried_twice():
    waits, asked = [], {"a0": 0, "a1": 0, "a2": 0}

    def look(one):
        asked[one.id] += 1
        if one.id == "a0" and asked["a0"] < 3:
            raise Deferred("the limit is used up", wait=7)
        if one.id == "a1":
            raise Transient("failed")
        if one.id == "a2":
            raise Permanent("model_refused")
        return answer()

    done = try_all([analysis(n) for n in range(3)], look, sleep=waits.append)

    assert [one.problem for one in done] == [None, "retries_exhausted", "model_refused"]
    assert asked == {"a0": 3, "a1": 2, "a2": 1}
    assert waits == [7, 7]


def test_nobody_waits_for_ever():
    waits = []

    def look(_):
        raise Deferred("away", wait=120)

    [one] = try_all([analysis()], look, sleep=waits.append)

    assert one.problem == "deferred"
    assert sum(waits) == 300


def test_agreement_is_counted_by_the_category_of_then():
    pairs = [
        Tried(analysis(), answer()),
        Tried(analysis(), answer(state="dirty")),
        Tried(analysis(category="paper", item="box"), answer("paper", "carton")),
        Tried(analysis(category="paper", item="box"), answer("glass", "box")),
        Tried(analysis(), None, "object_missing"),
    ]

    done = judged("new", pairs, NOTHING, NOTHING, Standards(pictures=4, agreement=0.7))

    assert (done.total.pictures, done.total.category, done.total.item, done.total.state) == (4, 3, 3, 3)
    assert {name: one.category for name, one in done.by_category.items()} == {"paper": 1, "plastic": 2}
    assert (done.missing, done.problems, done.verdict) == (1, {}, "go")
    assert done.against == ("gpt-5",)


@pytest.mark.parametrize(
    ("pairs", "now", "reason"),
    [
        (tried({"plastic": 19}), NOTHING, "only 19 pictures"),
        (tried({"plastic": 98}, failed=3), NOTHING, "3 of 101 pictures got no answer"),
        (tried({"plastic": 89, "paper": 11}), NOTHING, "agrees for 89%"),
        (tried({"plastic": 100}), Paid(1, 10, 31), "up to 31.0 s"),
        ([], NOTHING, "only 0 pictures"),
    ],
)
def test_what_it_does_not_reach_is_a_reason(pairs, now, reason):
    done = judged("new", pairs, NOTHING, now, Standards())

    assert done.verdict == "no-go"
    assert [one for one in done.reasons if reason in one]


def test_who_reaches_all_may_be_switched_to():
    done = judged("new", tried({"plastic": 98, "paper": 10}, failed=2), NOTHING, Paid(1, 10, 30), Standards())

    assert (done.verdict, done.reasons) == ("go", ())


def test_what_requests_took():
    latencies = [float(second) for second in range(1, 101)]

    assert paid([100, 200, 0], latencies, 2) == Paid(150, 50.0, 95.0)
    assert paid([100, None], [3.0], 2) == Paid(None, 3.0, 3.0)
    assert paid([], [], 0) == NOTHING
