from dataclasses import fields
from datetime import UTC, datetime

from growbin_jobs.cli import report, watch
from growbin_jobs.cli.console import err, out
from growbin_jobs.errors import Deferred
from growbin_jobs.models.analysis import Analysis
from growbin_jobs.states import AnalysisStatus


def analysis(status=AnalysisStatus.COMPLETED, **values):
    now = datetime.now(UTC)
    nothing = dict.fromkeys(field.name for field in fields(Analysis))
    return Analysis(**nothing | {"id": "a-1", "status": status, "created_at": now, "updated_at": now} | values)


def lines_of(monkeypatch, shown, photo=None, width=40, language="en"):
    monkeypatch.setenv("GROWBIN_LANGUAGE", language)
    monkeypatch.setattr(out, "_width", width)
    with out.capture() as capture:
        report.show(shown, photo)
    return [line.strip("│ ").rstrip() for line in capture.get().splitlines()]


def test_an_advice_takes_the_whole_width_and_its_lists_hang(monkeypatch):
    seen = {"category": "glass", "item": "jar", "state": "clean", "confidence": 0.5, "vision_model": "m"}
    text = "Sort it:\n1. Take off the lid, which is metal, and rinse it.\n\n- No [bold]porcelain[/]."
    shown = analysis(response=text, response_source="model", response_model="m", **seen)

    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")
    monkeypatch.setattr(out, "_width", 40)
    with out.capture() as capture:
        report.show(shown, "[red]jar.jpg")
    rows = [line[2:].rstrip(" │") for line in capture.get().splitlines()]

    assert "[red]jar.jpg" in rows[0]
    assert rows[rows.index("Sort it:") + 1] == " 1. Take off the lid, which is"
    assert rows[rows.index("Sort it:") + 2] == "    metal, and rinse it."
    assert " - No [bold]porcelain[/]." in rows
    assert "confidence  0.50  by m" in rows


def test_a_failure_shows_stage_sentence_and_code(monkeypatch):
    shown = analysis(AnalysisStatus.FAILED, failed_stage="upload", error="Too large.", error_code="picture_too_large")

    rows = lines_of(monkeypatch, shown, width=80)

    assert "status     failed" in rows
    assert "failed in  upload" in rows
    assert "reason     Too large. (picture_too_large)" in rows


def test_labels_are_in_the_reader_s_language_and_a_guess_is_called_one(monkeypatch):
    seen = {"category": "plastic", "item": "cup", "state": "mixed", "confidence": 0.5, "vision_model": "offline/e"}

    assert "state       mixed  (the offline classifier cannot tell)" in lines_of(
        monkeypatch, analysis(**seen), width=80
    )
    korean = lines_of(monkeypatch, analysis(**seen), width=80, language="ko")
    assert {"진행    completed", "상태    mixed  (오프라인 분류기는 판별하지 못합니다)"} <= set(korean)


class Script:
    """Answers one after the other; an error is raised, the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def find(self, analysis_ids):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(analysis_ids, answer)


def watched(script, timeout=30.0, hint="", check=lambda: None):
    with err.capture() as capture:
        seen = watch.watch(script, {"a-1": "jar.jpg"}, timeout=timeout, hint=hint, check=check)
    return seen, capture.get()


def test_it_waits_through_an_outage_of_the_database_and_says_so_once(monkeypatch):
    monkeypatch.setattr(watch, "_POLL", 0.001)
    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")
    away = Deferred("The database does not answer.", wait=1)

    seen, said = watched(Script(analysis(AnalysisStatus.PENDING), away, away, away, analysis()))

    assert seen["a-1"].status is AnalysisStatus.COMPLETED
    assert said == "The database does not answer. Still trying.\n"


def test_it_asks_for_a_worker_when_nothing_begins(monkeypatch):
    monkeypatch.setattr(watch, "_POLL", 0.001)
    monkeypatch.setattr(watch, "_NO_WORKER_AFTER", 0.0)

    waiting = [analysis(AnalysisStatus.PENDING)] * 5
    assert watched(Script(*waiting, analysis()), hint="Is a worker running?")[1] == "Is a worker running?\n"

    moving = [analysis(AnalysisStatus.UPLOADED)] * 5
    assert watched(Script(*moving, analysis()), hint="Is a worker running?")[1] == ""


def test_it_ends_when_its_check_says_so():
    seen, _ = watched(Script(analysis(AnalysisStatus.PENDING)), check=lambda: 78)

    assert seen["a-1"].status is AnalysisStatus.PENDING
