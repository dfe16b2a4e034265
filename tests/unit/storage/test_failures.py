"""Recording a failure, and deleting the picture that was refused."""

import sys

import pytest
from tests.command_line import run_python
from tests.upgraded import upgrade

from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import Deferred, Permanent
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.states import AnalysisStatus
from growbin_jobs.storage.failures import Failures
from growbin_jobs.storage.ownership import Ownership


class Store:
    def __init__(self):
        self.calls = []

    def failed(self, analysis_id, **values):
        self.calls.append((analysis_id, values))
        return True


def failures(store, discarded=None, language="en"):
    discard = [].append if discarded is None else discarded.append
    return Failures(store, language=language, discard=discard, may_fail=lambda *_: True, asked_language=lambda _: None)


def test_the_sentence_is_in_the_configured_language():
    store = Store()

    failures(store, language="ko").record("a1", stage="upload", code="picture_missing", params={})

    assert "사진 파일을 찾을 수 없습니다" in store.calls[0][1]["sentence"]
    assert store.calls[0][1]["code"] == "picture_missing"


def test_the_language_that_was_asked_for_comes_first():
    store = Store()
    failing = Failures(
        store, language="en", discard=[].append, may_fail=lambda *_: True, asked_language={"a1": "ko"}.get
    )

    failing.record("a1", stage="upload", code="picture_missing", params={})

    assert "사진 파일을 찾을 수 없습니다" in store.calls[0][1]["sentence"]


def test_a_code_of_a_newer_version_still_gets_a_sentence():
    store = Store()

    failures(store).record("a1", stage="upload", code="invented_tomorrow", params={})

    assert store.calls[0][1]["sentence"]
    assert store.calls[0][1]["code"] == "invented_tomorrow"


@pytest.mark.parametrize(
    ("stage", "code"), [("up\x1b[31m", "picture_missing"), ("upload", "<b>"), ("upload", "x" * 99), (5, 5)]
)
def test_what_can_be_no_stage_or_code_is_recorded_nowhere(stage, code):
    store = Store()

    with pytest.raises(Permanent):
        failures(store).record("a1", stage=stage, code=code, params={})

    assert store.calls == []


@pytest.mark.parametrize("params", ["text", None, [1], {"\x1b[31m": 1, "x" * 99: 2, 5: 3}])
def test_what_can_be_no_parameter_is_left_out_and_the_failure_recorded(params):
    store = Store()

    failures(store).record("a1", stage="upload", code="picture_too_small", params=params)

    assert store.calls[0][1]["params"] == {}
    assert "(?×?)" in store.calls[0][1]["sentence"]


def test_a_sentence_holds_no_control_characters():
    store = Store()

    params = {"width": "\x1b]0;title\x07한글", "height": 3, "limit": ["somebody's data"]}
    failures(store).record("a1", stage="upload", code="picture_too_small", params=params)

    sentence = store.calls[0][1]["sentence"]
    assert sentence.isprintable()
    assert "한글" in sentence
    assert "data" not in sentence


@pytest.mark.parametrize(
    ("stage", "code", "expected"),
    [
        ("upload", "picture_truncated", ["a1"]),
        ("upload", "retries_exhausted", []),  # the dead letter needs it when it is sent again
        ("upload", "worker_killed", []),
        ("vision", "picture_truncated", []),  # the stored one; the spool may hold the next picture of this id
    ],
)
def test_only_a_refused_picture_is_deleted(stage, code, expected):
    discarded = []

    assert failures(Store(), discarded).record("a1", stage=stage, code=code, params={}) is True

    assert discarded == expected


def test_it_is_deleted_before_anybody_can_see_that_it_failed():
    order = []
    store = Store()
    store.failed = lambda *_, **__: order.append("row")

    Failures(
        store, language="en", discard=order.append, may_fail=lambda *_: True, asked_language=lambda _: None
    ).record("a1", stage="upload", code="picture_too_small", params={})

    assert order == ["a1", "row"]


def test_an_object_store_that_is_away_hides_no_failure():
    def away(analysis_id):
        raise Deferred("the object store is away", wait=5)

    store = Store()

    failing = Failures(store, language="en", discard=away, may_fail=lambda *_: True, asked_language=lambda _: None)
    with pytest.raises(Deferred):
        failing.record("a1", stage="upload", code="picture_too_small", params={})

    assert [analysis_id for analysis_id, _ in store.calls] == ["a1"]


KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.storage.failures import Failures
from growbin_jobs.storage.ownership import Ownership

folder = Path(sys.argv[1])
objects = FolderStore(folder)
analyses = Analyses(open_database(None, default_path=folder / "central.db", pool_size=1, timeout=10))

def discard(analysis_id):
    objects.delete(f"spool/{analysis_id}")
    os.kill(os.getpid(), signal.SIGKILL)

failures = Failures(analyses, language="en", discard=discard, may_fail=Ownership(analyses.owners).may_fail,
                    asked_language=lambda _: None)
failures.record("a1", stage="upload", code="picture_truncated", params={"user_id": "u1"})
"""


def real_failures(analyses, objects):
    return Failures(
        analyses,
        language="en",
        discard=lambda one: objects.delete(f"spool/{one}"),
        may_fail=Ownership(analyses.owners).may_fail,
        asked_language=lambda one: analyses.asker(one).language,
    )


@pytest.fixture
def theirs(tmp_path):
    """An analysis of u1 with its picture in the spool."""
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=1, timeout=10)
    upgrade(database, SCHEMA)
    analyses, objects = Analyses(database), FolderStore(tmp_path)
    analyses.accept("a1", "u1")
    objects.put("spool/a1", b"a picture", content_type="image/jpeg")
    yield analyses, objects
    database.close()


@pytest.mark.parametrize("user_id", ["u2", "", "U1", "u1 ", "x" * 300, "\0", 5, ["u1"]])
@pytest.mark.parametrize(("stage", "code"), [("upload", "picture_truncated"), ("vision", "model_refused")])
def test_another_user_s_failure_touches_neither_row_nor_picture(theirs, stage, code, user_id):
    analyses, objects = theirs
    before = analyses.get("a1")

    params = {"user_id": user_id}

    assert real_failures(analyses, objects).record("a1", stage=stage, code=code, params=params) is False
    assert analyses.get("a1") == before
    assert [entry.key for entry in objects.list("spool/")] == ["spool/a1"]


@pytest.mark.parametrize("params", [{"user_id": "u1"}, {}], ids=["this version", "the previous version"])
def test_the_owner_s_failure_is_recorded_and_the_user_is_no_parameter_of_the_sentence(theirs, params):
    analyses, objects = theirs

    assert real_failures(analyses, objects).record("a1", stage="upload", code="picture_truncated", params=params)

    assert (analyses.get("a1").status, analyses.get("a1").error_params) == (AnalysisStatus.FAILED, {})
    assert list(objects.list("spool/")) == []


def test_killed_between_the_two_it_ends_well_when_the_message_comes_again(tmp_path):
    objects = FolderStore(tmp_path)
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=1, timeout=10)
    upgrade(database, SCHEMA)
    analyses = Analyses(database)
    analyses.accept("a1", "u1")
    objects.put("spool/a1", b"half a pict", content_type="image/jpeg")

    killed = run_python([sys.executable, "-c", KILLED_BETWEEN, tmp_path])

    assert (killed.returncode, analyses.get("a1").status) == (-9, AnalysisStatus.PENDING)
    again = real_failures(analyses, objects)
    assert again.record("a1", stage="upload", code="picture_truncated", params={"user_id": "u1"}) is True
    assert analyses.get("a1").error_code == "picture_truncated"
    assert list(objects.list("spool/")) == []
    database.close()
