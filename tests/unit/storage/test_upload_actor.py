"""Stage 1's actor: a user's photo that is wrong ends the message; it is not given up."""

from types import SimpleNamespace
from typing import Any

import pytest

from growbin_jobs.errors import PictureRefused
from growbin_jobs.storage import actors


class _Refusing:
    """Services whose store refuses; everything behind it must not be reached."""

    def __init__(self, refusal: PictureRefused) -> None:
        self._refusal = refusal
        self.ownership = SimpleNamespace(check_upload=lambda *_: True)
        self.uploads = self

    def store(self, *_: str) -> None:
        raise self._refusal


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    messages: list[Any] = []
    monkeypatch.setattr(actors, "broker", SimpleNamespace(enqueue=messages.append))
    return messages


@pytest.mark.parametrize("code", ["picture_truncated", "picture_not_an_image", "picture_needs_heic"])
def test_a_refused_photo_is_an_outcome(monkeypatch: pytest.MonkeyPatch, sent: list[Any], code: str) -> None:
    monkeypatch.setattr(actors, "services", lambda: _Refusing(PictureRefused(code, width=3)))
    assert actors.upload_image.fn("u1", "/spool/x", "a1") == {"refused": code}
    [message] = sent
    assert message.actor_name == "record_failure"
    assert message.kwargs == {
        "analysis_id": "a1",
        "stage": "upload",
        "code": code,
        "params": {"width": 3, "user_id": "u1"},
    }


@pytest.mark.parametrize("code", ["picture_missing", "picture_outside_spool"])
def test_a_wrong_place_is_given_up(monkeypatch: pytest.MonkeyPatch, sent: list[Any], code: str) -> None:
    monkeypatch.setattr(actors, "services", lambda: _Refusing(PictureRefused(code)))
    with pytest.raises(PictureRefused):
        actors.upload_image.fn("u1", "/spool/x", "a1")
    assert sent == []
