"""``growbin-jobs prove``: exit codes, the signed file, and its check."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from growbin_jobs.cli.app import app
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.operations.proofs.parts import Verdict, part, worst


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GROWBIN_DATA_DIR", str(tmp_path / "data"))
    return lambda *words: CliRunner().invoke(app, ["prove", *map(str, words)])


def plant() -> None:
    from growbin_jobs.cli import target

    values = {"task_id": "gone", "node": "a", "outcome": "failed", "task_name": "x", "queue_name": "q"}
    query = AttemptRow.insert(**values, ended_at=datetime.now(UTC) - timedelta(minutes=5))
    database = target.central()
    database.run(lambda connection: query.execute(connection))
    database.close()


def test_what_could_not_be_checked_is_no_success(run: Any) -> None:
    found = run()

    assert found.exit_code == 3
    assert "확인 못함" in found.output


def test_a_hole_is_named_and_signed(run: Any, tmp_path: Path) -> None:
    run()
    plant()
    file = tmp_path / "proof.json"

    found = run("--output", file)

    assert found.exit_code == 1
    assert "gone" in found.output
    assert json.loads(file.read_text())["statement"]["verdict"] == "broken"
    assert run("verify", file).exit_code == 0

    file.write_text(file.read_text().replace('"broken"', '"holds"'))
    assert run("verify", file).exit_code == 1
    assert not json.loads(run("verify", file, "--json").stdout)["genuine"]


def test_json_is_the_signed_proof_and_nothing_else(run: Any) -> None:
    assert set(json.loads(run("--json").stdout)) == {"statement", "signature"}


def test_a_proof_is_as_good_as_its_worst_part() -> None:
    def of(verdict: Verdict) -> Any:
        unchecked = ["x"] if verdict is Verdict.INCOMPLETE else []
        return part(
            "x", "x", counted={}, wrong=[], wrong_in_all=int(verdict is Verdict.BROKEN), unchecked=unchecked, sources=[]
        )

    holds, incomplete, broken = map(of, (Verdict.HOLDS, Verdict.INCOMPLETE, Verdict.BROKEN))

    assert worst([holds, holds]) is Verdict.HOLDS
    assert worst([holds, incomplete]) is Verdict.INCOMPLETE
    assert worst([broken, incomplete, holds]) is Verdict.BROKEN
