"""The page of the proof, and the signed proof that it hands out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.operations.proofs.signature import check


def plant(services, name: str) -> None:
    values = {"task_id": name, "node": "a", "outcome": "failed", "task_name": "x", "queue_name": "q"}
    query = AttemptRow.insert(**values, ended_at=datetime.now(UTC) - timedelta(minutes=5))
    services.database.run(lambda connection: query.execute(connection))


@pytest.mark.parametrize(("language", "words"), [("en", "does not hold"), ("ko", "성립하지 않습니다")])
def test_a_viewer_sees_what_does_not_hold(signed_in, services, language, words):
    client = signed_in("vera")
    assert words not in client.get("/proof", headers={"accept-language": language}).text
    plant(services, "lost-<b>1")

    page = client.get("/proof", headers={"accept-language": language})

    assert page.status_code == 200
    assert words in page.text
    assert "lost-&lt;b&gt;1" in page.text
    assert 'href="/proof"' in client.get("/", headers={"accept-language": language}).text


@pytest.mark.parametrize("address", ["/proof/signed.json", "/api/v2/proof?download=true"])
def test_the_download_is_signed_by_the_node(signed_in, services, tmp_path: Path, address):
    plant(services, "gone")

    answer = signed_in("vera").get(address)

    file = tmp_path / "proof.json"
    file.write_bytes(answer.content)
    found = check(file, services.settings.node_dir)
    assert found.genuine
    assert found.statement["verdict"] == "broken"
    assert found.statement["parts"][0]["wrong"][0]["what"] == "gone"
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize("query", ["from=soon", "from=2020-01-01", "from=2099-01-01", "to=0001-01-01", "from=1&to=2"])
def test_a_span_that_is_none_is_said(signed_in, query):
    for path in ("/proof", "/proof/signed.json", "/api/v2/proof"):
        assert signed_in("vera").get(f"{path}?{query}").status_code in (400, 422)


def test_nobody_else_sees_it(open_monitor):
    assert open_monitor().get("/proof").status_code == 303
