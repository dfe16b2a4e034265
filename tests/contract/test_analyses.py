"""What every stage may do to the row of an analysis, on both databases."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Permanent
from growbin_jobs.messages import Advice, Rule, RuleSource, StoredPicture, Text, VisionAnswer
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.states import AnalysisStatus

PICTURE = StoredPicture(s3_path="s3://b/uploads/u/a/original.jpg", thumbnail_path="s3://b/uploads/u/a/thumbnail.jpg")
ANSWER = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.1 + 0.2)
RULE = Rule(
    item="pet_bottle",
    name=Text(ko="페트병", en="PET bottle"),
    category="plastic",
    disposal_method=Text(ko="투명 페트병 전용 수거함", en="Bin for clear PET bottles"),
    rules=[Text(ko="내용물을 비운다 100%", en='Empty it; take the "label" off')],
    source=RuleSource(title="분리배출 요령", publisher="환경부", checked="2026-11-01"),
)
ADVICE = Advice(text="라벨을 떼고 눌러서 버려 주세요. ♻️", language="ko", source="model", model="gpt-4o-mini")


@pytest.fixture
def analyses(database: Database) -> Analyses:
    return Analyses(database)


def the(analyses: Analyses, analysis_id: str = "a1") -> Analysis:
    found = analyses.get(analysis_id)
    assert found is not None
    return found


def fail(analyses: Analyses, code: str = "model_refused", analysis_id: str = "a1") -> bool:
    return analyses.failed(
        analysis_id, stage="analyze_image", code=code, params={"status": 400}, sentence=f"no: {code}"
    )


def run_in_order(analyses: Analyses, analysis_id: str = "a1") -> None:
    analyses.accept(analysis_id, "u1")
    analyses.uploaded(analysis_id, "u1", PICTURE)
    analyses.classified(analysis_id, ANSWER, "gpt-5")
    analyses.rule_found(analysis_id, RULE)
    assert analyses.completed(analysis_id, ADVICE)


def test_an_accepted_analysis_is_pending(analyses: Analyses) -> None:
    before = datetime.now(UTC)
    analyses.accept("a1", "u1")
    found = the(analyses)
    assert (found.id, found.user_id, found.status) == ("a1", "u1", AnalysisStatus.PENDING)
    assert before <= found.created_at <= datetime.now(UTC)
    assert found.created_at.utcoffset() == timedelta(0)
    assert found.completed_at is None


def test_an_unknown_analysis_is_none(analyses: Analyses) -> None:
    assert analyses.get("nobody") is None


def test_each_stage_leaves_its_columns_and_its_status(analyses: Analyses) -> None:
    statuses = []
    for step in (
        lambda: analyses.accept("a1", "u1"),
        lambda: analyses.uploaded("a1", "u1", PICTURE),
        lambda: analyses.classified("a1", ANSWER, "gpt-5"),
        lambda: analyses.rule_found("a1", RULE),
        lambda: analyses.completed("a1", ADVICE),
    ):
        step()
        statuses.append(the(analyses).status.value)
    assert statuses == ["pending", "uploaded", "classified", "rule_found", "completed"]

    found = the(analyses)
    assert (found.s3_path, found.thumbnail_path) == (PICTURE.s3_path, PICTURE.thumbnail_path)
    assert (found.category, found.item, found.state) == ("plastic", "pet_bottle", "clean")
    assert found.confidence == ANSWER.confidence  # no digit lost on the way
    assert found.vision_model == "gpt-5"
    assert found.rules == RULE.model_dump(mode="json")
    assert (found.response, found.response_source, found.response_model, found.language) == (
        ADVICE.text,
        "model",
        "gpt-4o-mini",
        "ko",
    )
    assert found.completed_at is not None
    assert found.created_at <= found.completed_at <= found.updated_at


def test_the_view_is_ready_for_json(analyses: Analyses) -> None:
    run_in_order(analyses)
    as_dict = json.loads(json.dumps(the(analyses).as_dict()))
    assert as_dict["status"] == "completed"
    assert as_dict["rules"]["name"]["ko"] == "페트병"
    assert datetime.fromisoformat(as_dict["created_at"]) == the(analyses).created_at


def test_accepting_twice_changes_nothing(analyses: Analyses) -> None:
    analyses.accept("a1", "u1")
    analyses.uploaded("a1", "u1", PICTURE)
    before = the(analyses)
    analyses.accept("a1", "u1")
    after = the(analyses)
    assert (after.status, after.s3_path, after.created_at) == (before.status, before.s3_path, before.created_at)


def test_an_analysis_keeps_its_owner(analyses: Analyses) -> None:
    analyses.accept("a1", "u1")
    other = StoredPicture(s3_path="s3://b/stolen", thumbnail_path="s3://b/stolen")
    with pytest.raises(Permanent, match="belongs to another user"):
        analyses.accept("a1", "u2")
    with pytest.raises(Permanent, match="belongs to another user") as refusal:
        analyses.uploaded("a1", "u2", other)
    assert refusal.value.code == "request_invalid"
    with pytest.raises(Permanent, match="belongs to another user"):
        analyses.classified("a1", ANSWER, "m", user_id="u2")
    found = the(analyses)
    assert (found.user_id, found.status, found.s3_path) == ("u1", AnalysisStatus.PENDING, None)
    assert found.vision_model is None


@pytest.mark.parametrize(
    ("owner", "user", "noted"),
    [
        ("u1", "u1", True),
        ("u1", None, True),  # a message of the previous version
        ("u1", "u2", False),
        ("u1", "", False),
        ("u1", "u1\0", False),
        ("u1", "x" * 300, False),
        (None, "u2", True),
        (None, "", True),
    ],
)
def test_a_failure_is_noted_for_the_owner_only(
    analyses: Analyses, owner: str | None, user: str | None, noted: bool
) -> None:
    if owner:
        analyses.accept("a1", owner)

    assert analyses.failed("a1", stage="s", code="c", params={}, sentence="no", user_id=user) is noted

    found = the(analyses)
    assert (found.status, found.user_id) == (AnalysisStatus.FAILED if noted else AnalysisStatus.PENDING, owner)


def test_the_owners_of_analyses(analyses: Analyses) -> None:
    analyses.accept("a1", "u1")
    analyses.classified("a2", ANSWER, "m")
    analyses.classified("a3", ANSWER, "m", user_id="u3")

    assert analyses.owners(["a1", "a2", "a3", "a4"]) == {"a1": "u1", "a2": None, "a3": "u3"}


@pytest.mark.parametrize(
    ("write", "status"),
    [
        (lambda a: a.uploaded("a1", "u1", PICTURE), "uploaded"),
        (lambda a: a.classified("a1", ANSWER, "gpt-5"), "classified"),
        (lambda a: a.rule_found("a1", RULE), "rule_found"),
        (lambda a: a.completed("a1", ADVICE), "completed"),
        (fail, "failed"),
    ],
)
def test_a_stage_makes_the_row_that_is_missing(
    analyses: Analyses, write: Callable[[Analyses], object], status: str
) -> None:
    write(analyses)
    assert the(analyses).status == status
    analyses.accept("a1", "u1")
    found = the(analyses)
    assert (found.status, found.user_id) == (status, "u1")
    with pytest.raises(Permanent):
        analyses.accept("a1", "u2")


def test_only_one_call_completes(analyses: Analyses) -> None:
    run_in_order(analyses)
    first = the(analyses)
    again = Advice(text="other words", language="en", source="rule", model="offline/rule")
    assert not analyses.completed("a1", again)
    assert the(analyses) == first


def test_a_second_run_replaces_what_the_first_one_saw(analyses: Analyses) -> None:
    analyses.classified("a1", ANSWER, "gpt-5")
    analyses.classified("a1", ANSWER.model_copy(update={"item": "can"}), "gpt-6")
    assert (the(analyses).item, the(analyses).vision_model) == ("can", "gpt-6")


def test_a_completed_analysis_only_gets_its_gaps_filled(analyses: Analyses) -> None:
    analyses.classified("a1", ANSWER, "gpt-5")
    analyses.completed("a1", ADVICE)
    analyses.classified("a1", ANSWER.model_copy(update={"item": "can"}), "gpt-6")
    analyses.rule_found("a1", RULE)
    found = the(analyses)
    assert (found.item, found.vision_model, found.status) == ("pet_bottle", "gpt-5", AnalysisStatus.COMPLETED)
    assert found.rules == RULE.model_dump(mode="json")


def test_a_failure_says_stage_and_reason(analyses: Analyses) -> None:
    analyses.accept("a1", "u1")
    assert fail(analyses)
    found = the(analyses)
    assert (found.status, found.failed_stage, found.error_code) == ("failed", "analyze_image", "model_refused")
    assert (found.error_params, found.error) == ({"status": 400}, "no: model_refused")


def test_the_same_failure_is_noted_once_and_a_later_one_replaces_it(analyses: Analyses) -> None:
    assert fail(analyses)
    assert not fail(analyses)
    assert fail(analyses, "model_answer_invalid")
    assert the(analyses).error_code == "model_answer_invalid"


def test_a_late_stage_does_not_revive_a_failed_analysis(analyses: Analyses) -> None:
    fail(analyses)
    analyses.rule_found("a1", RULE)
    assert (the(analyses).status, the(analyses).error_code) == (AnalysisStatus.FAILED, "model_refused")


def test_a_failed_analysis_can_complete_and_forgets_the_failure(analyses: Analyses) -> None:
    fail(analyses)
    assert analyses.completed("a1", ADVICE)
    found = the(analyses)
    assert found.status == AnalysisStatus.COMPLETED
    assert (found.error, found.error_code, found.error_params, found.failed_stage) == (None, None, None, None)


def test_a_completed_analysis_cannot_fail(analyses: Analyses) -> None:
    run_in_order(analyses)
    before = the(analyses)
    assert not fail(analyses)
    assert the(analyses) == before


def test_what_a_database_cannot_store_is_replaced_in_words_and_refused_in_ids(analyses: Analyses) -> None:
    analyses.completed("a1", Advice(text="a\0b", language="ko", source="model", model="m"))
    assert the(analyses).response == "a\ufffdb"
    analyses.failed("a2", stage="s", code="c", params={"detail": "x\0\udcff"}, sentence="file \udcff\0")
    assert the(analyses, "a2").error == "file \ufffd\ufffd"
    assert the(analyses, "a2").error_params == {"detail": "x\ufffd\ufffd"}
    for bad in ("", "a\0", "a\nb", "x" * 256, "\udcff"):
        with pytest.raises(Permanent, match="printable") as refusal:
            analyses.accept(bad, "u1")
        assert not bad or bad not in str(refusal.value)
        with pytest.raises(Permanent, match="printable"):
            analyses.accept("a3", bad)


def test_recent_analyses_come_newest_first(database: Database) -> None:
    moments = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(10))
    analyses = Analyses(database, clock=lambda: next(moments))
    for number in range(5):
        analyses.accept(f"a{number}", f"u{number % 2}")
    analyses.uploaded("a0", "u0", PICTURE)

    def ids(found: list[Analysis]) -> list[str]:
        return [analysis.id for analysis in found]

    assert ids(analyses.recent(3)) == ["a4", "a3", "a2"]
    assert ids(analyses.recent(10, user_id="u0")) == ["a4", "a2", "a0"]
    assert ids(analyses.recent(10, status=AnalysisStatus.UPLOADED)) == ["a0"]
    assert ids(analyses.recent(10, user_id="u1", status=AnalysisStatus.UPLOADED)) == []


def test_counts_name_every_status(analyses: Analyses) -> None:
    analyses.accept("a1", "u1")
    analyses.accept("a2", "u1")
    fail(analyses, analysis_id="a2")
    counts = analyses.count_by_status()
    assert counts == {
        status: {AnalysisStatus.PENDING: 1, AnalysisStatus.FAILED: 1}.get(status, 0) for status in AnalysisStatus
    }


STAGES: dict[str, Callable[[Analyses, str], object]] = {
    "accept": lambda a, i: a.accept(i, "u1"),
    "uploaded": lambda a, i: a.uploaded(i, "u1", PICTURE),
    "classified": lambda a, i: a.classified(i, ANSWER, "gpt-5"),
    "rule_found": lambda a, i: a.rule_found(i, RULE),
    "failed": lambda a, i: fail(a, analysis_id=i),
    "completed": lambda a, i: a.completed(i, ADVICE),
}


def content(analysis: Analysis) -> dict[str, object]:
    """All but the times, and the id that differs between two runs."""
    times = ("created_at", "updated_at", "completed_at")
    return {name: value for name, value in analysis.as_dict().items() if name not in ("id", *times)}


# One database serves all examples: each uses ids of its own.
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=st.lists(st.sampled_from(list(STAGES)), min_size=1, max_size=14))
def test_any_order_and_repetition_gives_the_row_of_the_run_in_order(database: Database, calls: list[str]) -> None:
    analyses = Analyses(database)
    mixed, in_order = uuid4().hex, uuid4().hex
    rank, created, completed = -1, None, None
    for name in calls:
        STAGES[name](analyses, mixed)
        found = the(analyses, mixed)
        assert found.status.rank >= rank
        assert created in (None, found.created_at)
        assert completed in (None, found.completed_at)
        rank, created, completed = found.status.rank, found.created_at, found.completed_at
    for name in STAGES:
        if name in calls:
            STAGES[name](analyses, in_order)
    assert content(the(analyses, mixed)) == content(the(analyses, in_order))
    assert (completed is not None) == ("completed" in calls)


def test_the_unfinished_analyses_of_a_user_are_counted_up_to_a_number(analyses: Analyses) -> None:
    for number in range(5):
        analyses.accept(f"b{number}", "u2")
    run_in_order(analyses)
    analyses.accept("a2", "u1")
    analyses.accept("a3", "u1")
    fail(analyses, analysis_id="a3")

    assert analyses.unfinished("u1", most=10) == 1
    assert analyses.unfinished("u2", most=10) == 5
    assert analyses.unfinished("u2", most=3) == 3
    assert analyses.unfinished("nobody", most=3) == 0
