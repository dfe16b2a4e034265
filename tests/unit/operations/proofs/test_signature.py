"""A signed proof: whoever changes it, or signs it with another key, is found out."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.errors import ConfigurationError, NotFound
from growbin_jobs.operations.proofs import signature as proof_signature
from growbin_jobs.operations.proofs.signature import ED25519, HMAC, check, signed

STATEMENT = {"verdict": "broken", "parts": [{"name": "messages", "counted": {"lost": 1}, "used": 0.1}], "node": "n한"}


@pytest.fixture(params=[ED25519, HMAC])
def algorithm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == HMAC:
        monkeypatch.setattr(proof_signature, "_has_ed25519", lambda: False)
    return str(request.param)


def stored(folder: Path, document: Any) -> Path:
    file = folder / "proof.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document, ensure_ascii=False, indent=2))
    return file


def test_what_this_node_signed_is_genuine_however_it_is_laid_out(tmp_path: Path, algorithm: str) -> None:
    document = signed(STATEMENT, tmp_path / "node")
    document["statement"] = dict(reversed(document["statement"].items()))

    found = check(stored(tmp_path, document), tmp_path / "node")

    assert found.genuine
    assert found.statement == STATEMENT
    assert document["signature"]["algorithm"] == algorithm


def test_the_key_is_its_owner_s_and_stays(tmp_path: Path, algorithm: str) -> None:
    first = signed(STATEMENT, tmp_path)["signature"]
    [key] = tmp_path.iterdir()

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert signed(STATEMENT, tmp_path)["signature"] == first


def test_processes_that_make_a_key_at_once_have_the_same(tmp_path: Path, algorithm: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = {each["signature"]["key"] for each in pool.map(lambda _: signed({}, tmp_path), range(16))}

    assert len(keys) == 1
    assert len(list(tmp_path.iterdir())) == 1


def change_statement(document: dict[str, Any]) -> None:
    document["statement"]["parts"][0]["counted"]["lost"] = 0


def change_value(document: dict[str, Any]) -> None:
    document["signature"]["value"] = "AAAA" + document["signature"]["value"][4:]


def spoil_value(document: dict[str, Any]) -> None:
    document["signature"]["value"] = "%"


def change_algorithm(document: dict[str, Any]) -> None:
    document["signature"]["algorithm"] = "none"


@pytest.mark.parametrize("change", [change_statement, change_value, spoil_value, change_algorithm])
def test_a_change_is_found(tmp_path: Path, algorithm: str, change: Any) -> None:
    document = signed(json.loads(json.dumps(STATEMENT)), tmp_path / "node")
    change(document)

    assert not check(stored(tmp_path, document), tmp_path / "node").genuine


def test_a_proof_of_another_node_is_not_genuine_here(tmp_path: Path, algorithm: str) -> None:
    signed({}, tmp_path / "here")
    document = signed(STATEMENT, tmp_path / "there")

    assert not check(stored(tmp_path, document), tmp_path / "here").genuine


def test_it_is_genuine_elsewhere_for_who_names_its_key(tmp_path: Path) -> None:
    document = signed(STATEMENT, tmp_path / "there")
    file = stored(tmp_path, document)

    assert check(file, tmp_path / "here", trusted=document["signature"]["key"].upper()).genuine
    assert not check(file, tmp_path / "here", trusted="0" * 32).genuine
    assert not (tmp_path / "here").exists(), "a check makes no key"


def test_a_statement_cannot_name_the_key_of_another_one(tmp_path: Path) -> None:
    """Signed anew by an attacker, who leaves the fingerprint of the node."""
    honest, forged = signed(STATEMENT, tmp_path / "node"), signed({"verdict": "holds"}, tmp_path / "attacker")
    forged["signature"]["key"] = honest["signature"]["key"]
    file = stored(tmp_path, forged)

    assert not check(file, tmp_path / "node").genuine
    assert not check(file, tmp_path / "node", trusted=honest["signature"]["key"]).genuine


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"statement": 1, "signature": {}}', '{"statement": {"a": 1, "a": 2}, "signature": {}}',
             '{"statement": {"a": NaN}, "signature": {}}', "[" * 100_000, "\udcff"],
)  # fmt: skip
def test_what_is_no_signed_proof_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ConfigurationError, match="no signed proof"):
        check(file, tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        check(tmp_path / "none.json", tmp_path)


def test_a_key_that_is_none_is_said(tmp_path: Path, algorithm: str) -> None:
    signed({}, tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"short")

    with pytest.raises(ConfigurationError, match="no key of 32 bytes"):
        signed(STATEMENT, tmp_path)
