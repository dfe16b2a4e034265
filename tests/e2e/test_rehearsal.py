"""``growbin-jobs models rehearse``: past pictures through another model; results stay as they are."""

import json

import pytest
from tests.e2e.asked import assert_each_request_is_a_row

from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models.rehearsals import ModelRehearsal, Rehearsals

pytestmark = pytest.mark.timeout(300)


def test_a_rehearsal_asks_the_model_and_touches_no_result(embedded_online, openai, photos):
    ids = embedded_online.submit(photos[:8])
    embedded_online.start(threads=4, greenlets=False)
    before = embedded_online.wait(list(ids), timeout=200)
    assert embedded_online.stop() == {"storage": 0, "ai": 0}
    assert_each_request_is_a_row(embedded_online, openai.stats(), ids)

    done = embedded_online.run("models", "rehearse", "gpt-5.1", "--sample", "6", "--json")

    report = json.loads(done.stdout)
    assert report["total"] == {"pictures": 6, "category": 6, "item": 6, "state": 6}
    # It agrees in everything; six pictures are too few for a verdict.
    assert (done.returncode, report["verdict"]) == (1, "no-go")
    assert len(report["reasons"]) == 1
    assert "only 6 pictures" in report["reasons"][0]
    rows = embedded_online.database.rows(LlmUsage.select().where(LlmUsage.purpose == "rehearsal"))
    assert [(row["model"], row["user_id"], row["outcome"]) for row in rows] == [("gpt-5.1", None, "answered")] * 6
    assert {key: embedded_online.analyses.get(key) for key in ids} == before
    kept = Rehearsals(embedded_online.database).last("gpt-5.1")
    assert (kept.verdict, kept.pictures, kept.agreement) == ("no-go", 6, 1.0)
    [row] = embedded_online.database.rows(ModelRehearsal.select())
    assert set(row) == {field.name for field in ModelRehearsal._meta.sorted_fields}
    assert openai.stats()["violations"] == []


def test_without_a_model_server_it_says_so(embedded):
    done = embedded.run("models", "rehearse", "gpt-6-luna")

    assert (done.returncode, "OPENAI_API_KEY" in done.stderr) == (1, True)


def test_without_pictures_it_says_so(embedded_online):
    done = embedded_online.run("models", "rehearse", "gpt-6-luna")

    assert (done.returncode, "nothing to compare with" in done.stderr) == (1, True)
