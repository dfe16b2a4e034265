"""Photos through the server: real bytes from the object store, who may, why, and what the audit says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from tests.monitor.data import put
from tests.upgraded import upgrade

from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.models.audit_check import verify_chain
from growbin_jobs.monitor.services import Services

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
SMALL = b"\xff\xd8\xff\xe1small\xff\xd9"


def stored(services: Services, name: str, data: bytes, *, user: str = "u-42", folder: str = "") -> str:
    return services.objects.put(f"uploads/{user}/{folder or 'a1'}/{name}", data, content_type="image/jpeg")


@pytest.fixture
def filled(services: Services) -> Services:
    upgrade(services.database, SCHEMA)
    addresses = {
        "a1": (stored(services, "original.jpg", JPEG), stored(services, "thumbnail.jpg", SMALL)),
        "foreign": (stored(services, "x.jpg", JPEG), None),
        "page": (stored(services, "original.jpg", b"<script>alert(1)</script>", folder="page"), None),
    }
    now = datetime.now(UTC)
    put(
        services.database,
        WasteAnalysis,
        [
            {"id": key, "user_id": "u-42", "status": "completed", "s3_path": original, "thumbnail_path": thumbnail,
             "created_at": now, "updated_at": now}
            for key, (original, thumbnail) in addresses.items()
        ],
    )  # fmt: skip
    return services


def looks(services: Services) -> list[tuple[str, str, str, str, str]]:
    found = services.audit.find(limit=20)
    rows = [(row.who, row.action, row.target, row.whose, row.reason) for row in found if row.action.startswith("photo")]
    return list(reversed(rows))


@pytest.mark.parametrize("below", ["", "/api/v2"])
def test_the_bytes_come_with_headers_that_run_nothing_and_who_saw_whose_is_written_down(signed_in, filled, below):
    ada = signed_in("ada")

    small = ada.get(f"{below}/photos/thumbnail/a1")
    whole = ada.get(f"{below}/photos/original/a1", params={"reason": "the user asks"})

    assert (small.content, whole.content) == (SMALL, JPEG)
    for answer in (small, whole):
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert looks(filled) == [
        ("ada", "photo.seen", "a1", "u-42", ""),
        ("ada", "photo.opened", "a1", "u-42", "the user asks"),
    ]
    row = filled.audit.find(action="photo.opened", limit=1)[0]
    assert (row.address, row.role) == ("testclient", "admin+personal")
    assert verify_chain(filled.audit).wrong is None


def test_without_a_reason_or_the_right_nobody_gets_it_and_nothing_is_written(signed_in, filled):
    ada, adam = signed_in("ada"), signed_in("adam")

    assert ada.get("/api/v2/photos/original/a1").status_code == 400
    assert ada.get("/photos/original/a1", params={"reason": " x "}).status_code == 400
    assert adam.get("/photos/thumbnail/a1").status_code == 403
    assert adam.get("/api/v2/photos/original/a1", params={"reason": "curious"}).status_code == 403
    assert looks(filled) == []


def test_neither_another_one_s_photo_nor_what_is_no_photo_comes(signed_in, filled):
    ada = signed_in("ada")

    for analysis in ("foreign", "page", "none", "..%2Fa1"):
        assert ada.get(f"/api/v2/photos/original/{analysis}", params={"reason": "a look"}).status_code == 404


def test_a_month_is_reviewed(signed_in, filled):
    ada = signed_in("ada")
    ada.get("/photos/original/a1", params={"reason": "the user asks"})
    month = datetime.now(ZoneInfo(filled.settings.timezone)).strftime("%Y-%m")

    found = ada.get("/api/v2/audit/review", params={"month": month}).json()
    page = ada.get("/audit/review", params={"month": month})

    (mine,) = [each for each in found["people"] if each["who"] == "ada"]
    assert (mine["looks"], mine["people"], mine["roles"]) == (1, 1, ["admin+personal"])
    assert [(each["target"], each["whose"], each["reason"]) for each in found["taken"]] == [
        ("a1", "u-42", "the user asks")
    ]
    assert [each["who"] for each in found["new_addresses"]] == ["ada"]
    assert (found["chain"], found["complete"]) == (None, False)
    assert "the user asks" in page.text
    assert [row.target for row in filled.audit.find(action="audit.reviewed")] == [month]
    for wrong in ("soon", "2099-01", "0001-13"):
        assert ada.get("/api/v2/audit/review", params={"month": wrong}).status_code == 400
    assert signed_in("otto").get("/audit/review").status_code == 403
