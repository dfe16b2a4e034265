"""Webhooks in the monitor: the page's forms and ``/api/v2``, who may, and what the audit says."""

from __future__ import annotations

from growbin_jobs.alerts.webhooks import Webhooks

URL = "https://hooks.example.com/T000/secret-path"


def added(client, **fields):
    form = {
        "name": "ops",
        "url": URL,
        "rule": ["queue_wait"],
        "threshold": ["queue_wait=60", "budget=80"],
        "quiet": "5",
        "secret": "env:GROWBIN_WEBHOOK_SECRET",
    }
    return client.post("/act/webhooks/add", data=form | fields)


def test_an_administrator_adds_tries_pauses_and_removes_one(signed_in, services):
    client = signed_in("adam")

    assert added(client).status_code == 303
    for act in ("test", "pause", "resume"):
        assert client.post(f"/act/webhooks/{act}", data={"webhook": "ops"}).status_code == 303
    page = client.get("/webhooks").text
    (view,) = client.get("/api/v2/webhooks").json()
    (message,) = client.get("/api/v2/webhook-messages", params={"webhook": "ops"}).json()
    client.post("/act/webhooks/remove", data={"webhook": "ops"})

    assert "https://hooks.example.com" in page
    assert "secret-path" not in page
    assert (view["rules"], view["quiet_minutes"], view["waiting"]) == ({"queue_wait": 60.0}, 5.0, 1)
    assert (message["rule"], message["state"], "secret-path" in str(message)) == ("test", "waiting", False)
    assert Webhooks(services.database).all() == []
    said = [record.action for record in services.audit.find(target="ops")]
    assert said == ["webhook.removed", "webhook.resumed", "webhook.paused", "webhook.tested", "webhook.added"]


def test_what_cannot_be_is_refused_with_a_sentence(signed_in):
    client = signed_in("adam")
    added(client)

    for words, fields in (
        ("of this name", {}),
        ("https://", {"name": "b", "url": "ftp://x"}),
        ("no user", {"name": "b", "url": "https://u:p@x/"}),
        ("named, not given", {"name": "b", "secret": "hunter2"}),
        ("named, not given", {"name": "b", "secret": "env:DATABASE_URL"}),
        ("needs a rule", {"name": "b", "rule": []}),
        ("no rule", {"name": "b", "rule": ["nope"]}),
        ("above 0", {"name": "b", "threshold": ["queue_wait=nan"]}),
        ("name has", {"name": " "}),
        ("quiet time", {"name": "b", "quiet": "-1"}),
    ):
        added(client, **fields)
        assert words in client.get("/webhooks").text, fields
    assert len(client.get("/api/v2/webhooks").json()) == 1


def test_others_see_them_and_change_nothing(signed_in):
    added(signed_in("adam"))
    otto = signed_in("otto")

    assert "ops" in otto.get("/webhooks").text
    assert "/act/webhooks" not in otto.get("/webhooks").text
    assert added(otto, name="mine").status_code == 403
    assert otto.post("/api/v2/webhooks/ops/remove").status_code == 403
    assert len(otto.get("/api/v2/webhooks").json()) == 1
